"""
How the end of a wait ends a task: one table for all modes.

Pure: what was seen and what the user asked for goes in, how the task ends comes out. The table in
the documentation is written by :func:`task_result` itself.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, cast

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._compat import AirflowSensorTimeout, AirflowTaskTimeout
from airflow_provider_flowservice._waiting.rules import WaitResult
from airflow_provider_flowservice.runs import DataflowRun, are_non_retryable

Choice = Literal["accept", "fail", "skip"]

Task = Literal["operator", "operator, durable=False", "sensor"]

Outcome = Literal[
    "success",
    "rejected",
    "empty",
    "partial",
    "too many rejected",
    "too few",
    "failed",
    "non-retryable",
    "late",
    "overdue",
    "unknown",
    "lost",
    "missing",
    "refused",
    "error",
    "ineligible",
    "ambiguous",
]
"""What became of the run or of the wait for it; docs/outcomes.md says what each means."""

TaskResult = Literal[
    "success",
    "success with a warning",
    "skipped",
    "failed",
    "failed, not retried",
    "timed out",
    "timed out, not retried",
]
"""How a task ends. After ``failed`` and ``timed out`` Airflow retries, if the task has retries left."""

_FINE: TaskResult = "success"
_WARNED: TaskResult = "success with a warning"
_AGAIN: TaskResult = "failed"
_FINAL: TaskResult = "failed, not retried"
_OVERDUE: TaskResult = "timed out"
_TIMEOUT: TaskResult = "timed out, not retried"

TASKS: tuple[Task, ...] = ("operator", "operator, durable=False", "sensor")

# A second try of a durable operator goes on with the run of the first one, or re-triggers it if it
# has failed. With durable=False it re-triggers in any case, though the first run may go on. A
# sensor's looks at the same run.
TABLE: dict[Outcome, tuple[TaskResult, TaskResult, TaskResult]] = {
    "success": (_FINE, _FINE, _FINE),
    "rejected": (_WARNED, _WARNED, _WARNED),
    "empty": (_WARNED, _WARNED, _WARNED),
    "partial": (_WARNED, _WARNED, _WARNED),
    "too many rejected": (_FINAL, _FINAL, _FINAL),
    "too few": (_FINAL, _FINAL, _FINAL),
    "failed": (_AGAIN, _AGAIN, _FINAL),
    "non-retryable": (_FINAL, _FINAL, _FINAL),
    "late": (_AGAIN, _FINAL, _TIMEOUT),
    "overdue": (_OVERDUE, _OVERDUE, _OVERDUE),
    "unknown": (_FINAL, _FINAL, _TIMEOUT),
    "lost": (_AGAIN, _FINAL, _AGAIN),
    "missing": (_FINAL, _FINAL, _FINAL),
    "refused": (_FINAL, _FINAL, _FINAL),
    "error": (_AGAIN, _AGAIN, _AGAIN),
    "ineligible": (_FINAL, _FINAL, _FINAL),
    "ambiguous": (_AGAIN, _AGAIN, _AGAIN),
}
"""How each end of a run or a wait ends each of :data:`TASKS`, where no argument says otherwise."""

CHOICES: dict[Outcome, tuple[Choice, ...]] = {
    "partial": ("fail", "skip", "accept"),
    "empty": ("accept", "skip", "fail"),
    "ineligible": ("fail", "skip"),
}
"""What the user may choose, in an argument called ``on_`` and the end; the default comes first."""

OPERATOR_ONLY: frozenset[Outcome] = frozenset({"ineligible", "ambiguous"})

# What says nothing about the run. `soft_fail` is for data that did not come, so it skips none of them.
_ACCIDENTS: frozenset[Outcome] = frozenset({"lost", "missing", "refused", "error"})

# Another try would start a second run beside one that may go on, or not understand it either.
_BESIDE: frozenset[Outcome] = frozenset({"late", "lost", "unknown"})

_OUTCOMES_OF_ERRORS: tuple[tuple[type[BaseException], Outcome], ...] = (
    (exceptions.DataflowRunNotRetriggerableError, "ineligible"),
    (exceptions.RetriggerAmbiguousError, "ambiguous"),
    (exceptions.FlowServiceAuthError, "refused"),
    (exceptions.FlowServiceNotFoundError, "missing"),
    (exceptions.DataflowRunLostError, "lost"),
    (AirflowSensorTimeout, "late"),
    (AirflowTaskTimeout, "overdue"),
)


@dataclass(frozen=True)
class OutcomePolicy:
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
    def of(cls, task: object, kind: Task) -> OutcomePolicy:
        """
        Read the policy from an operator or sensor; what it has no argument for is as by default.

        :param kind: What it is.
        """
        names = [field.name for field in fields(cls) if hasattr(task, field.name)]
        policy: dict[str, Any] = {name: getattr(task, name) for name in names}
        has_policy = getattr(task, "retry_policy", None) is not None  # since Airflow 3.3
        return cls(**{**policy, "task": kind, "has_retry_policy": has_policy})

    def chosen(self, end: Outcome) -> Choice | None:
        """Return the user's choice for this end, if there is one to make."""
        return getattr(self, f"on_{end}") if end in CHOICES else None

    def choosing(self, end: Outcome, choice: Choice | None) -> OutcomePolicy:
        """Return the policy with another choice for this end."""
        changes: dict[str, Any] = {f"on_{end}": choice} if choice else {}
        return replace(self, **changes)


def task_result(end: Outcome, policy: OutcomePolicy) -> TaskResult:
    """Decide how a task ends."""
    choice = policy.chosen(end)
    if choice == "skip":
        return "skipped"
    found = _FINAL if choice == "fail" else TABLE[end][TASKS.index(policy.task)]
    if found in (_FINE, _WARNED):
        return found
    if policy.never_fail or (policy.soft_fail and end not in _ACCIDENTS):
        return "skipped"
    # Airflow does not ask the policy about an error that forbids a retry.
    leaves_it = policy.has_retry_policy and policy.task != "sensor" and end not in _BESIDE
    return _AGAIN if found == _FINAL and leaves_it else found


def outcome_of(result: WaitResult, policy: OutcomePolicy, is_airflows_limit: bool) -> Outcome:
    """
    Tell what became of the run, or of the wait for it.

    :param is_airflows_limit: Whether the deadline is the task's ``execution_timeout``.
    """
    if result.kind == "ended" and result.run:
        return _outcome_of_run(result.run, policy)
    if result.kind != "late":
        return cast("Outcome", result.kind)
    if is_airflows_limit:
        return "overdue"
    return "unknown" if result.run and not result.run.is_status_known else "late"


def outcome_of_error(error: BaseException) -> Outcome:
    """Tell what an error means that was met before or after the wait, or instead of it."""
    return next((end for kind, end in _OUTCOMES_OF_ERRORS if isinstance(error, kind)), "error")


def _outcome_of_run(run: DataflowRun, policy: OutcomePolicy) -> Outcome:
    if run.is_failed:
        return "non-retryable" if are_non_retryable(run.error_codes) else "failed"
    is_empty = run.ingested_records == 0
    if run.is_partial and policy.on_partial != "accept":
        return "partial"
    if is_empty and policy.on_empty != "accept":
        return "empty"
    # A number the service does not show satisfies no minimum.
    if (run.ingested_records or 0) < policy.min_records:
        return "too few"
    if _rejects_too_many(run, policy):
        return "too many rejected"
    if run.is_partial:
        return "partial"
    if is_empty:
        return "empty"
    return "rejected" if run.failed_records or run.errors else "success"


def _rejects_too_many(run: DataflowRun, policy: OutcomePolicy) -> bool:
    rejected = run.failed_records or 0
    if policy.max_failed_records is not None and rejected > policy.max_failed_records:
        return True
    if policy.max_failed_share is None or not rejected:
        return False
    read = run.input_records or (run.output_records or 0) + rejected
    return rejected / read > policy.max_failed_share
