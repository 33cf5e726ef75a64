"""
How the end of a wait ends a task: one table for all modes.

Pure: what was seen and what the user asked for goes in, how the task ends comes out. The table in
the documentation is written by :func:`task_result` itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._compat import AirflowSensorTimeout, AirflowTaskTimeout
from airflow_provider_flowservice._outcomes.source_credential import source_refuses
from airflow_provider_flowservice._waiting.rules import Unended, WaitResult
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
    "source refused",
    "unknown",
    "ineligible",
    "ambiguous",
    Unended,
]
"""What became of the run or of the wait for it; docs/reference/outcomes.md says what each means."""

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


# The next try of a durable operator resumes the run of the first one, or requests it again if it has
# failed. With durable=False it requests a run in any case, though the first one may go on. A sensor's
# next try polls the same run.
TABLE: dict[Outcome, dict[Task, TaskResult]] = {
    "success": dict.fromkeys(TASKS, _FINE),
    "rejected": dict.fromkeys(TASKS, _WARNED),
    "empty": dict.fromkeys(TASKS, _WARNED),
    "partial": dict.fromkeys(TASKS, _WARNED),
    "too many rejected": dict.fromkeys(TASKS, _FINAL),
    "too few": dict.fromkeys(TASKS, _FINAL),
    "failed": {**dict.fromkeys(TASKS, _AGAIN), "sensor": _FINAL},
    "non-retryable": dict.fromkeys(TASKS, _FINAL),
    "source refused": dict.fromkeys(TASKS, _FINAL),
    "late": {"operator": _AGAIN, "operator, durable=False": _FINAL, "sensor": _TIMEOUT},
    "overdue": dict.fromkeys(TASKS, _OVERDUE),
    "unknown": {**dict.fromkeys(TASKS, _FINAL), "sensor": _TIMEOUT},
    "lost": {**dict.fromkeys(TASKS, _AGAIN), "operator, durable=False": _FINAL},
    "missing": dict.fromkeys(TASKS, _FINAL),
    "refused": dict.fromkeys(TASKS, _FINAL),
    "error": dict.fromkeys(TASKS, _AGAIN),
    "ineligible": dict.fromkeys(TASKS, _FINAL),
    "ambiguous": dict.fromkeys(TASKS, _AGAIN),
}
"""How each outcome ends each of :data:`TASKS`, where no argument says otherwise."""

CHOICES: dict[Outcome, tuple[Choice, ...]] = {
    "partial": ("fail", "skip", "accept"),
    "empty": ("accept", "skip", "fail"),
    "ineligible": ("fail", "skip"),
}
"""What the user may choose, in an argument called ``on_`` and the outcome; the default comes first."""

OPERATOR_ONLY: frozenset[Outcome] = frozenset({"ineligible", "ambiguous"})

# They say nothing about the run. `soft_fail` is for data that did not come, so it skips none of them.
_ACCIDENTS: frozenset[Outcome] = frozenset({"lost", "missing", "refused", "error"})

# The next try would start a second run beside one that may go on, or not understand it either.
_BESIDE: frozenset[Outcome] = frozenset({"late", "lost", "unknown"})

_OUTCOMES_OF_ERRORS: tuple[tuple[type[BaseException], Outcome], ...] = (
    (exceptions.DataflowRunNotRetriggerableError, "ineligible"),
    (exceptions.DataflowNotStartableError, "ineligible"),
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
    What a task asks of its run, and how the task ends if the run does not meet that.

    The arguments are those of the tasks, but for these:

    :param soft_fail: Whether a sensor skips where the data did not come.
    :param never_fail: Whether a sensor skips where it would fail.
    :param has_retry_policy: Whether the task has a retry policy, which then decides what an operator
        retries. The next try of a sensor would see the same run in the same state.
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

    def choice_for(self, outcome: Outcome) -> Choice | None:
        """Return the user's choice for this outcome, if there is one to make."""
        choices: dict[Outcome, Choice] = {
            "partial": self.on_partial,
            "empty": self.on_empty,
            "ineligible": self.on_ineligible,
        }
        return choices.get(outcome)


def task_result(outcome: Outcome, policy: OutcomePolicy) -> TaskResult:
    """Decide how a task ends."""
    choice = policy.choice_for(outcome)
    if choice == "skip":
        return "skipped"
    found = _FINAL if choice == "fail" else TABLE[outcome][policy.task]
    if found in (_FINE, _WARNED):
        return found
    if policy.never_fail or (policy.soft_fail and outcome not in _ACCIDENTS):
        return "skipped"
    # Airflow does not ask the retry policy about an error that forbids a retry.
    leaves_it = policy.has_retry_policy and policy.task != "sensor" and outcome not in _BESIDE
    return _AGAIN if found == _FINAL and leaves_it else found


def outcome_of(result: WaitResult, policy: OutcomePolicy, is_airflows_limit: bool) -> Outcome:
    """Return what became of the run, or of the wait for it."""
    run = result.run
    if result.kind == "ended":
        return _outcome_of_run(run, policy) if run else "missing"
    if result.kind != "late":
        return result.kind
    if is_airflows_limit:
        return "overdue"
    return "unknown" if run and not run.is_status_known else "late"


def outcome_of_error(error: BaseException) -> Outcome:
    """Return what an error means that was met before or after the wait, or instead of it."""
    return next(
        (outcome for kind, outcome in _OUTCOMES_OF_ERRORS if isinstance(error, kind)), "error"
    )


def _outcome_of_run(run: DataflowRun, policy: OutcomePolicy) -> Outcome:
    if run.is_failed:
        # A summary has only one of the errors, and another may be one that a re-trigger can fix.
        if not run.is_abridged and are_non_retryable(run.error_codes):
            return "non-retryable"
        return "source refused" if source_refuses(run) == "certainly" else "failed"
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
    read = run.input_records or (run.ingested_records or 0) + rejected
    return rejected / read > policy.max_failed_share
