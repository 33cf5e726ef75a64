"""
How the end of a wait ends a task: one table for all modes.

Pure: what was seen and what the user asked for goes in, how the task ends comes out. The table in
the documentation is written by :func:`verdict` itself.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, cast

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._compat import AirflowSensorTimeout, AirflowTaskTimeout
from airflow_provider_flowservice._waiting.rules import WaitResult
from airflow_provider_flowservice.runs import DataflowRun, are_hopeless

Choice = Literal["accept", "fail", "skip"]

Task = Literal["operator", "operator, durable=False", "sensor"]

End = Literal[
    "success",
    "rejected",
    "empty",
    "partial",
    "too many rejected",
    "too few",
    "failed",
    "hopeless",
    "late",
    "overdue",
    "unknown",
    "lost",
    "missing",
    "refused",
    "trouble",
    "ineligible",
    "ambiguous",
]
"""What became of the run or of the wait for it; docs/outcomes.md says what each means."""

Verdict = Literal[
    "success",
    "success with a warning",
    "skipped",
    "failed",
    "failed for good",
    "timed out",
    "timed out for good",
]
"""How a task ends. After ``failed`` and ``timed out`` Airflow retries, if the task has retries left."""

_FINE: Verdict = "success"
_WARNED: Verdict = "success with a warning"
_AGAIN: Verdict = "failed"
_FINAL: Verdict = "failed for good"
_OVERDUE: Verdict = "timed out"
_TIMEOUT: Verdict = "timed out for good"

TASKS: tuple[Task, ...] = ("operator", "operator, durable=False", "sensor")

# A second try of a durable operator goes on with the run of the first one, or re-triggers it if it
# has failed. With durable=False it re-triggers in any case, though the first run may go on. A
# sensor's looks at the same run.
TABLE: dict[End, tuple[Verdict, Verdict, Verdict]] = {
    "success": (_FINE, _FINE, _FINE),
    "rejected": (_WARNED, _WARNED, _WARNED),
    "empty": (_WARNED, _WARNED, _WARNED),
    "partial": (_WARNED, _WARNED, _WARNED),
    "too many rejected": (_FINAL, _FINAL, _FINAL),
    "too few": (_FINAL, _FINAL, _FINAL),
    "failed": (_AGAIN, _AGAIN, _FINAL),
    "hopeless": (_FINAL, _FINAL, _FINAL),
    "late": (_AGAIN, _FINAL, _TIMEOUT),
    "overdue": (_OVERDUE, _OVERDUE, _OVERDUE),
    "unknown": (_FINAL, _FINAL, _TIMEOUT),
    "lost": (_AGAIN, _FINAL, _AGAIN),
    "missing": (_FINAL, _FINAL, _FINAL),
    "refused": (_FINAL, _FINAL, _FINAL),
    "trouble": (_AGAIN, _AGAIN, _AGAIN),
    "ineligible": (_FINAL, _FINAL, _FINAL),
    "ambiguous": (_AGAIN, _AGAIN, _AGAIN),
}
"""How each end of a run or a wait ends each of :data:`TASKS`, where no argument says otherwise."""

CHOICES: dict[End, tuple[Choice, ...]] = {
    "partial": ("fail", "skip", "accept"),
    "empty": ("accept", "skip", "fail"),
    "ineligible": ("fail", "skip"),
}
"""What the user may choose, in an argument called ``on_`` and the end; the default comes first."""

OPERATOR_ONLY: frozenset[End] = frozenset({"ineligible", "ambiguous"})

# What says nothing about the run. `soft_fail` is for data that did not come, so it skips none of them.
_ACCIDENTS: frozenset[End] = frozenset({"lost", "missing", "refused", "trouble"})

# Another try would start a second run beside one that may go on, or not understand it either.
_BESIDE: frozenset[End] = frozenset({"late", "lost", "unknown"})

_ENDS_OF_ERRORS: tuple[tuple[type[BaseException], End], ...] = (
    (exceptions.DataflowRunNotRetriggerableError, "ineligible"),
    (exceptions.RetriggerAmbiguousError, "ambiguous"),
    (exceptions.FlowServiceAuthError, "refused"),
    (exceptions.FlowServiceNotFoundError, "missing"),
    (exceptions.DataflowRunLostError, "lost"),
    (AirflowSensorTimeout, "late"),
    (AirflowTaskTimeout, "overdue"),
)


@dataclass(frozen=True)
class Terms:
    """
    What a task asks of its run, and how it is to end if it does not get that.

    :param task: Kind of task.
    :param on_partial: What a success in part does to the task.
    :param on_empty: What a success without any record does.
    :param on_ineligible: What a run that cannot be re-triggered does.
    :param min_records: Fewest records that have to arrive.
    :param max_failed_records: Most records that may be rejected.
    :param max_failed_share: Largest share of the records read that may be rejected, from 0 to 1.
    :param soft_fail: Whether a sensor skips where the data did not come.
    :param never_fail: Whether a sensor skips where it would fail.
    :param has_retry_policy: Whether the task has a retry policy. An operator leaves it to that what
        is retried; for a sensor, another try would see the same run in the same state.
    """

    task: Task
    on_partial: Choice = "fail"
    on_empty: Choice = "accept"
    on_ineligible: Choice = "fail"
    min_records: int = 0
    max_failed_records: int | None = None
    max_failed_share: float | None = None
    soft_fail: bool = False
    never_fail: bool = False
    has_retry_policy: bool = False

    @classmethod
    def of(cls, task: object, kind: Task) -> Terms:
        """
        Read the terms from an operator or sensor; what it has no argument for is as by default.

        :param kind: What it is.
        """
        names = [field.name for field in fields(cls) if hasattr(task, field.name)]
        terms: dict[str, Any] = {name: getattr(task, name) for name in names}
        has_policy = getattr(task, "retry_policy", None) is not None  # since Airflow 3.3
        return cls(**{**terms, "task": kind, "has_retry_policy": has_policy})

    def chosen(self, end: End) -> Choice | None:
        """Return the user's choice for this end, if there is one to make."""
        return getattr(self, f"on_{end}") if end in CHOICES else None

    def choosing(self, end: End, choice: Choice | None) -> Terms:
        """Return the terms with another choice for this end."""
        changes: dict[str, Any] = {f"on_{end}": choice} if choice else {}
        return replace(self, **changes)


def verdict(end: End, terms: Terms) -> Verdict:
    """Decide how a task ends."""
    choice = terms.chosen(end)
    if choice == "skip":
        return "skipped"
    found = _FINAL if choice == "fail" else TABLE[end][TASKS.index(terms.task)]
    if found in (_FINE, _WARNED):
        return found
    if terms.never_fail or (terms.soft_fail and end not in _ACCIDENTS):
        return "skipped"
    # Airflow does not ask the policy about an error that forbids a retry.
    leaves_it = terms.has_retry_policy and terms.task != "sensor" and end not in _BESIDE
    return _AGAIN if found == _FINAL and leaves_it else found


def end_of(result: WaitResult, terms: Terms, is_airflows_limit: bool) -> End:
    """
    Tell what became of the run, or of the wait for it.

    :param is_airflows_limit: Whether the deadline is the task's ``execution_timeout``.
    """
    if result.kind == "ended" and result.run:
        return _end_of_run(result.run, terms)
    if result.kind != "late":
        return cast("End", result.kind)
    if is_airflows_limit:
        return "overdue"
    return "unknown" if result.run and not result.run.is_status_known else "late"


def end_of_error(error: BaseException) -> End:
    """Tell what an error means that was met before or after the wait, or instead of it."""
    return next((end for kind, end in _ENDS_OF_ERRORS if isinstance(error, kind)), "trouble")


def _end_of_run(run: DataflowRun, terms: Terms) -> End:
    if run.is_failed:
        return "hopeless" if are_hopeless(run.error_codes) else "failed"
    is_empty = run.ingested_records == 0
    if run.is_partial and terms.on_partial != "accept":
        return "partial"
    if is_empty and terms.on_empty != "accept":
        return "empty"
    # A number the service does not show satisfies no minimum.
    if (run.ingested_records or 0) < terms.min_records:
        return "too few"
    if _rejects_too_many(run, terms):
        return "too many rejected"
    if run.is_partial:
        return "partial"
    if is_empty:
        return "empty"
    return "rejected" if run.failed_records or run.errors else "success"


def _rejects_too_many(run: DataflowRun, terms: Terms) -> bool:
    rejected = run.failed_records or 0
    if terms.max_failed_records is not None and rejected > terms.max_failed_records:
        return True
    if terms.max_failed_share is None or not rejected:
        return False
    read = run.input_records or (run.output_records or 0) + rejected
    return rejected / read > terms.max_failed_share
