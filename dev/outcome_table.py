"""Write docs/reference/outcomes.md: the task result for each outcome, as the code decides it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

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

PATH = Path(__file__).resolve().parent.parent / "docs" / "reference" / "outcomes.md"

_WORDS: dict[Outcome, str] = {
    "success": "success",
    "rejected": "success, with rejected records or errors",
    "empty": "success, without any record",
    "partial": "partial success (`partialSuccess`)",
    "too many rejected": "more rejected records than `max_failed_records` or `max_failed_share` allow",
    "too few": "fewer records than `min_records`, or no record count in the response",
    "failed": "failed",
    "non-retryable": "failed, and a re-trigger cannot fix it: its cause is in the data, or it is a "
    "destination's run",
    "source refused": "failed, because the source refused the credential of its account",
    "late": "not ended when `timeout` passed",
    "overdue": "not ended when `execution_timeout` passed",
    "unknown": "still in a status this package does not know when `timeout` passed",
    "lost": "no response from the service for longer than `outage_timeout`",
    "missing": "not found (while waiting: for two minutes, or for the sensor's `missing_grace`)",
    "refused": "credential or permission refused",
    "error": "any other error, such as a rejected request",
    "ineligible": "the run cannot be re-triggered, or no run of the flow can be started",
    "ambiguous": "the operator cannot tell whether the run was already requested",
}
_NAMES: dict[Task, str] = {
    "operator": "RetriggerDataflowRunOperator`, `RunDataflowOperator",
    "operator, durable=False": "durable=False",
    "sensor": "DataflowRunSensor",
}
_HEAD = """\
# Outcomes and task results

`python -m dev.outcome_table` generates this page from the function that decides the task result; the tests
run every cell. The table holds for every way of waiting: in the worker and deferred, and for the sensor
also in the modes `poke` and `reschedule`. Where an argument offers a choice, the default comes first.

- **success with a warning**: the task is green, and its log gives the reason as a warning.
- **failed**: Airflow retries while `retries` are left. Used only where a retry can help: the operator's next
  try resumes the run it started, or requests it again if it has failed.
- **failed, not retried**: Airflow does not retry (`AirflowFailException`), since the next try would have the
  same result. The error keeps its class, such as `DataflowRunFailedError`. If an operator has a
  `retry_policy` (Airflow 3.3), the result is **failed** instead and the policy decides, unless a retry could
  start a second run beside one that is still running.
- **timed out**: `AirflowTaskTimeout`; Airflow retries, since `execution_timeout` limits each try.
- **timed out, not retried**: `AirflowSensorTimeout`. If the sensor is retried after another failure, the next
  try has the whole `timeout` again.
"""
_TAIL = """
`soft_fail` is for data that did not arrive: it skips the task on outcomes that concern the run. A wrong ID, a
refused credential or an unreachable service still fails the task, so that a typo does not look like a
quiet day. `never_fail` skips the task on these, too. Airflow itself treats the two arguments differently
from mode to mode and from release to release.

With `durable=False` every try of the operator requests a run. So Airflow does not retry after contact
with the service was lost or `timeout` passed, because the run may still be running.

In mode `reschedule` a sensor remembers nothing from poll to poll, so it does not notice that the service has
been unreachable for longer than `outage_timeout`; `timeout` ends the wait.

An unknown status counts as still running, and the task logs one warning (in mode `reschedule`, one at each
poll; deferred, one in the worker and one in the triggerer). It has no time limit of its own: `timeout` ends
the wait, and the error says that the package does not know the status.

Retrying a failed run makes sense only if another run of the same data with the same mapping could have
another outcome. So Airflow does not retry if *all* causes of the failure begin with one of these codes:
{codes}. `CONNECTOR-2001-500` is no cause: it says that the copied data could not be loaded, and another code
beside it says why. Runs of destinations cannot be re-triggered at all.

A run whose source refuses its account's credential fails like one whose source cannot be reached. Only the
words of the source's software tell them apart. If they leave no doubt, such as `AADSTS7000222` (Microsoft
Entra ID: the secret has expired) or `invalid_client`, the error is a `SourceCredentialError` and Airflow does
not retry. If they only may mean that, such as *access denied*, the error advises to check the account. [Is it
the credential of the source?](../how-to/troubleshoot.md#is-it-the-credential-of-the-source) says how.

A run is without any record if it wrote none, and neither created nor updated one; if it shows no such count and
read none, or skipped or rejected all that it read; or if it shows no record count at all, and no byte and no
file came out. A run that shows no number at all is not empty.
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
    for outcome, words in _WORDS.items():
        for choice in CHOICES.get(outcome, (None,)):
            label = f'{words}; `on_{outcome}="{choice}"`' if choice else words
            chosen: dict[str, Any] = {f"on_{outcome}": choice} if choice else {}
            policies = (replace(each, **chosen) for each in columns.values())
            lines.append([label, *(_cell(outcome, each) for each in policies)])
    tail = _TAIL.format(codes=", ".join(f"`{code}`" for code in NON_RETRYABLE_CODES))
    return "\n".join([_HEAD, *(f"| {' | '.join(cells)} |" for cells in lines), tail])


def _cell(outcome: Outcome, policy: OutcomePolicy) -> str:
    return (
        "" if outcome in OPERATOR_ONLY and policy.task == "sensor" else task_result(outcome, policy)
    )


if __name__ == "__main__":
    PATH.write_text(document())
