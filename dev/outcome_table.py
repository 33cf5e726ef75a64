"""Write docs/outcomes.md: how every end of a run or a wait ends a task, as the code decides it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from airflow_provider_flowservice._outcomes.table import (
    CHOICES,
    OPERATOR_ONLY,
    TASKS,
    Outcome,
    OutcomePolicy,
    Task,
    task_result,
)
from airflow_provider_flowservice.runs import NON_RETRYABLE_CODES

PATH = Path(__file__).resolve().parent.parent / "docs" / "outcomes.md"

_WORDS: dict[Outcome, str] = {
    "success": "success",
    "rejected": "success, with rejected records or errors",
    "empty": "success, without any record",
    "partial": "success in part (`partialSuccess`)",
    "too many rejected": "more rejected records than `max_failed_records` or `max_failed_share` allow",
    "too few": "fewer records than `min_records`, or no number shown",
    "failed": "failed",
    "non-retryable": "failed, and no re-trigger mends it: all its error codes are about the data",
    "late": "not ended when `timeout` passed",
    "overdue": "not ended when `execution_timeout` passed",
    "unknown": "still in a status this package does not know when `timeout` passed",
    "lost": "no answer from the service for longer than `outage_timeout`",
    "missing": "not found (while waiting: for two minutes, or the sensor's `missing_grace`)",
    "refused": "credential or permission refused",
    "error": "any other error, such as a request that is rejected",
    "ineligible": "the run cannot be re-triggered",
    "ambiguous": "it cannot be told whether the run was re-triggered already",
}
_NAMES: dict[Task, str] = {
    "operator": "RetriggerDataflowRunOperator",
    "operator, durable=False": "durable=False",
    "sensor": "DataflowRunSensor",
}
_HEAD = """\
# How a task ends

Written by `python -m dev.outcome_table` from the function that decides; the tests run every cell. The
table holds for every way of waiting: in the worker and deferred, and for the sensor in the modes
`poke` and `reschedule`, too. Where an argument has a choice, the default comes first.

- **success with a warning**: green, with the reason in the log as a warning.
- **failed**: Airflow retries while `retries` are left. It is said only where another try can help: that
  of the operator goes on with the run it has started, or re-triggers that one again if it has failed.
- **failed, not retried**: Airflow does not retry (`AirflowFailException`), since another try would meet the
  same. The error keeps its class, such as `DataflowRunFailedError`. An operator that has a `retry_policy`
  (Airflow 3.3) just fails instead, and the policy decides, unless a second run could start beside one
  that goes on.
- **timed out**: `AirflowTaskTimeout`; Airflow retries, since `execution_timeout` limits each try.
- **timed out, not retried**: `AirflowSensorTimeout`; after another
  failure, a further try has the whole `timeout` again.
"""
_TAIL = """
`soft_fail` is for data that did not come: it skips what is about the run. A wrong ID, a refused
credential or a service that gives no answer still fails the task, so that a typing error does not look
like a quiet day. `never_fail` skips all of them. Airflow itself treats the two differently from mode to
mode and from release to release.

With `durable=False` every try of the operator re-triggers the run. So there is no further try by itself
where the run was lost sight of, or was late: it may still go on.

In mode `reschedule` a sensor does not notice that the service is away for longer than `outage_timeout`, since
it remembers nothing from look to look; `timeout` ends the wait.

An unknown status counts as still running, and the log warns of it once (in mode `reschedule`, with
each look). There is no limit of its own
for it: `timeout` ends the wait, and says that the status was not understood.

A retry of a failed run makes sense only if another run of the same data with the same mapping could
end otherwise. So it is not retried if *all* error codes of the run begin with one of these:
{codes}.
"""


def document() -> str:
    """Return the document."""
    sensor = OutcomePolicy("sensor")
    columns = {
        **{f"`{_NAMES[task]}`": OutcomePolicy(task) for task in TASKS},
        "sensor, `soft_fail`": replace(sensor, soft_fail=True),
        "sensor, `never_fail`": replace(sensor, never_fail=True),
    }
    lines = [["What became of the run", *columns], ["---"] * (len(columns) + 1)]
    for end, words in _WORDS.items():
        for choice in CHOICES.get(end, (None,)):
            label = f'{words}; `on_{end}="{choice}"`' if choice else words
            policy = (each.choosing(end, choice) for each in columns.values())
            lines.append([label, *(_cell(end, each) for each in policy)])
    tail = _TAIL.format(codes=", ".join(f"`{code}`" for code in NON_RETRYABLE_CODES))
    return "\n".join([_HEAD, *(f"| {' | '.join(cells)} |" for cells in lines), tail])


def _cell(end: Outcome, policy: OutcomePolicy) -> str:
    return "" if end in OPERATOR_ONLY and policy.task == "sensor" else task_result(end, policy)


if __name__ == "__main__":
    PATH.write_text(document())
