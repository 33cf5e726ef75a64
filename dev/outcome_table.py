"""Write docs/reference/outcomes.md: the task result for each outcome, as the code decides it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from airflow_provider_flowservice._outcomes.table import (
    CHOICES,
    OPERATOR_ONLY,
    Outcome,
    OutcomePolicy,
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
_HEAD = """\
# Outcomes and task results

This page tells how a task ends for each outcome of its run, and whether Airflow retries it.
`python -m dev.outcome_table` generates the tables from the function that decides the task result; the tests
run every cell. They hold for every way of waiting: in the worker and deferred, and for the sensor
also in the modes `poke` and `reschedule`. Where an argument offers a choice, the default comes first.

## What the results mean

- **success with a warning**: the task is green, and its log gives the reason as a warning.
- **failed**: Airflow retries while `retries` are left. Used only where a retry can help. The operator's next
  try resumes the run it started, or requests it again if it has failed.
- **failed, not retried**: Airflow does not retry (`AirflowFailException`), since the next try would have the
  same result. The error keeps its class, such as `DataflowRunFailedError`.
- **timed out**: `AirflowTaskTimeout`; Airflow retries, since `execution_timeout` limits each try.
- **timed out, not retried**: `AirflowSensorTimeout`. If the sensor is retried after another failure, the next
  try has the whole `timeout` again.

If an operator has a `retry_policy` (Airflow 3.3), it ends as **failed** where the table says **failed, not
retried**, and the policy decides. This does not hold if a retry could start a second run beside one that is
still running.
"""
_OPERATORS = """
## RetriggerDataflowRunOperator, RunDataflowOperator
"""
_SENSOR = """
With `durable=False` every try of the operator requests a run. So Airflow does not retry after contact
with the service was lost or `timeout` passed, because the run may still be running.

## DataflowRunSensor
"""
_TAIL = """
`soft_fail` is for data that did not arrive: it skips the task on outcomes that concern the run. A wrong ID, a
refused credential or an unreachable service still fails the task, so that a typo does not look like a
quiet day. `never_fail` skips the task on these, too. Airflow itself treats the two arguments differently
from mode to mode and from release to release.

In mode `reschedule` a sensor remembers nothing from poll to poll. It does not notice that the service has
been unreachable for longer than `outage_timeout`; `timeout` ends the wait.

## The other operators and sensors

- **DataflowSensor** has the rows of success, of `timeout` and `execution_timeout`, of an unreachable service, of a
  refused credential and of other errors. A run that failed, or succeeded in part, does not end its wait.
- **RetriggerDataflowRunsOperator** ends as failed once all runs were tried, if some were not re-triggered. Airflow
  retries, and the next try goes on with these. With `on_ineligible="skip"`, runs that cannot be re-triggered do not count.
- **ListDataflowRunsOperator** ends as failed if `flow_name` matches no flow, or the service cannot be read. An empty
  list is a success.

## A status that the package does not know

An unknown status counts as still running, and the task logs one warning. In mode `reschedule` it logs one at each
poll; deferred, one in the worker and one in the triggerer. An unknown status has no time limit of its own: `timeout`
ends the wait, and the error says that the package does not know the status.

## Failures that a retry cannot fix

Retrying a failed run makes sense only if another run of the same data with the same mapping could have
another outcome. So Airflow does not retry if *all* causes of the failure begin with one of these codes:
{codes}.

`CONNECTOR-2001-500` is no cause. It says that the copied data could not be loaded, and another code
beside it says why. Runs of destinations cannot be re-triggered at all.

A run whose source refuses its account's credential fails like one whose source cannot be reached. Only the
words of the source's software tell them apart:

- If they leave no doubt, the error is a `SourceCredentialError` and Airflow does not retry. Examples are
  `AADSTS7000222` (Microsoft Entra ID: the secret has expired) and `invalid_client`.
- If they only may mean that, such as *access denied*, the error advises to check the account. [Is it
  the credential of the source?](../how-to/troubleshoot.md#is-it-the-credential-of-the-source) says how.

## When a run counts as empty

A run is without any record in one of these cases:

- It wrote none, and neither created nor updated one.
- It shows no such count and read none, or skipped or rejected all that it read.
- It shows no record count at all, and no byte and no file came out.

A run that shows no number at all is not empty.
"""


def document() -> str:
    """Return the document."""
    operator, sensor = OutcomePolicy("operator"), OutcomePolicy("sensor")
    operators = {
        "the operator": operator,
        "with `durable=False`": OutcomePolicy("operator, durable=False"),
    }
    sensors = {
        "the sensor": sensor,
        "with `soft_fail`": replace(sensor, soft_fail=True),
        "with `never_fail`": replace(sensor, never_fail=True),
    }
    tail = _TAIL.format(codes=", ".join(f"`{code}`" for code in NON_RETRYABLE_CODES))
    parts = [_HEAD, _OPERATORS, *_table(operators, _WORDS)]
    waits = [outcome for outcome in _WORDS if outcome not in OPERATOR_ONLY]
    return "".join([*parts, _SENSOR, *_table(sensors, waits), tail])


def _table(columns: dict[str, OutcomePolicy], outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Yield a table of the task results, line by line."""
    lines = [["What became of the run", *columns], ["---"] * (len(columns) + 1)]
    for outcome in outcomes:
        for choice in CHOICES.get(outcome, (None,)):
            label = _WORDS[outcome] + (f'; `on_{outcome}="{choice}"`' if choice else "")
            chosen: dict[str, Any] = {f"on_{outcome}": choice} if choice else {}
            policies = (replace(each, **chosen) for each in columns.values())
            lines.append([label, *(task_result(outcome, each) for each in policies)])
    yield from (f"\n| {' | '.join(cells)} |" for cells in lines)
    yield "\n"


if __name__ == "__main__":
    PATH.write_text(document())
