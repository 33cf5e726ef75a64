"""How a task is ended: in which words, and with which exception."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from airflow_provider_flowservice._compat import (
    AirflowException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
)
from airflow_provider_flowservice._outcomes.no_retry import not_retried
from airflow_provider_flowservice._outcomes.table import (
    Outcome,
    OutcomePolicy,
    TaskResult,
    outcome_of_error,
    task_result,
)
from airflow_provider_flowservice._waiting.rules import WaitResult
from airflow_provider_flowservice.exceptions import (
    DataflowRunFailedError,
    DataflowRunIncompleteError,
    DataflowRunLostError,
    DataflowRunTimeoutError,
    FlowServiceAuthError,
    FlowServiceError,
    FlowServiceNotFoundError,
)
from airflow_provider_flowservice.runs import DataflowRun

_ERRORS: dict[Outcome, type[FlowServiceError]] = {
    "late": DataflowRunTimeoutError,
    "unknown": DataflowRunTimeoutError,
    "lost": DataflowRunLostError,
    "missing": FlowServiceNotFoundError,
    "refused": FlowServiceAuthError,
}
_AIRFLOWS_OWN: dict[TaskResult, type[BaseException]] = {
    "skipped": AirflowSkipException,
    "timed out": AirflowTaskTimeout,
    "timed out, not retried": AirflowSensorTimeout,
}
_GOES_ON = "The run itself goes on: runs cannot be cancelled."


def describe(end: Outcome, result: WaitResult, policy: OutcomePolicy) -> str:
    """Say how a wait ended, and what that means or needs."""
    if result.kind == "ended" and result.run:
        return f"{result.run.description}{_remark(end, policy)}"
    run_id = result.run_id
    said = f" {result.detail}" if result.detail else ""
    last = (
        f"{said} Last seen: {result.run.description}"
        if result.run
        else f"{said} It was never seen."
    )
    late = f"Dataflow run {run_id} had not ended when its deadline passed."
    return {
        "late": f"{late}{last} {_GOES_ON}",
        "overdue": f"{late}{last} {_GOES_ON}",
        "unknown": f"{late}{last} This package does not know that status, so the run may have ended.",
        "missing": f"Dataflow run {run_id} does not turn up.{last}",
        "lost": f"Lost sight of dataflow run {run_id}; this says nothing about the run.{last}",
        "refused": f"The credential may not look at dataflow run {run_id}.{last} {_GOES_ON}",
    }[end]


def exception_for(
    end: Outcome, how: TaskResult, message: str, run: DataflowRun | None = None
) -> BaseException | None:
    """
    Make the exception that ends a task; ``None`` if it ends in success.

    :param how: How it ends, see :func:`~airflow_provider_flowservice._outcomes.table.task_result`.
    :param run: The run as last seen.
    """
    if how in _AIRFLOWS_OWN:
        return _AIRFLOWS_OWN[how](message)
    if how not in ("failed", "failed, not retried"):
        return None
    error: FlowServiceError
    if error_class := _ERRORS.get(end):
        error = error_class(message)
    else:
        failed = DataflowRunFailedError if run and run.is_failed else DataflowRunIncompleteError
        error = failed(message, run.error_codes if run else ())
    return not_retried(error) if how == "failed, not retried" else error


def exception_for_error(error: BaseException, policy: OutcomePolicy) -> BaseException:
    """Return what ends a task that met an error: another one, or the error itself."""
    how = task_result(outcome_of_error(error), policy)
    if how == "skipped":
        return AirflowSkipException(str(error))
    if how == "failed, not retried" and isinstance(error, FlowServiceError):
        return not_retried(error)
    return error


def under_flags(method: Callable[..., Any]) -> Callable[..., Any]:
    """
    Make ``soft_fail`` and ``never_fail`` of a sensor mean the same however it waits.

    Airflow skips for timeouts only while it pokes, and for whatever goes wrong after a deferral.
    """

    @wraps(method)
    def flagged(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except (AirflowException, AirflowTaskTimeout, ValueError) as error:
            met: BaseException = error
            if isinstance(error, AirflowSkipException) and error.__cause__:
                met = error.__cause__
            if isinstance(met, AirflowSkipException | AirflowRescheduleException):
                raise met from None
            end = exception_for_error(met, self._policy)
            if end is met:
                raise met from None
            raise end from met

    return flagged


def _remark(end: Outcome, policy: OutcomePolicy) -> str:
    return {
        "partial": " It succeeded in part.",
        "empty": " No record arrived.",
        "too few": f" At least {policy.min_records} records are asked for (min_records).",
        "too many rejected": " That is more than max_failed_records or max_failed_share allows.",
        "non-retryable": " Re-triggering does not mend this; the data or its mapping has to change first.",
    }.get(end, "")
