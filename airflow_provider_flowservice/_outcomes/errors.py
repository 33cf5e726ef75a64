"""The words and the exception that a task ends with."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._compat import (
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
)
from airflow_provider_flowservice._outcomes import advice
from airflow_provider_flowservice._outcomes.no_retry import not_retried
from airflow_provider_flowservice._outcomes.table import (
    Outcome,
    OutcomePolicy,
    TaskResult,
    outcome_of_error,
    task_result,
)
from airflow_provider_flowservice._waiting.rules import WaitResult
from airflow_provider_flowservice.runs import DataflowRun

_ERRORS: dict[Outcome, type[exceptions.FlowServiceError]] = {
    "late": exceptions.DataflowRunTimeoutError,
    "unknown": exceptions.DataflowRunTimeoutError,
    "lost": exceptions.DataflowRunLostError,
    "missing": exceptions.FlowServiceNotFoundError,
    "refused": exceptions.FlowServiceAuthError,
}
_FAILURES: dict[Outcome, type[exceptions.DataflowRunFailedError]] = {
    "failed": exceptions.DataflowRunFailedError,
    "non-retryable": exceptions.DataflowRunFailedError,
    "source refused": exceptions.SourceCredentialError,
}
_AIRFLOWS_OWN: dict[TaskResult, type[BaseException]] = {
    "skipped": AirflowSkipException,
    "timed out": AirflowTaskTimeout,
    "timed out, not retried": AirflowSensorTimeout,
}


def describe(
    outcome: Outcome,
    result: WaitResult,
    policy: OutcomePolicy,
    duplicates: Sequence[DataflowRun] = (),
) -> str:
    """
    Say how a wait ended, and what that means or needs.

    :param duplicates: Further runs that load the same data.
    """
    text = _describe(outcome, result, policy)
    if duplicates:
        named = ", ".join(f"{run.run_id} ({run.status or 'no status yet'})" for run in duplicates)
        text += f" Further runs load the same data: {named}. Check that the dataset holds it once."
    if result.run:
        text += _sentence(advice.on_rejected_rows(result.run))
    return text


def _describe(outcome: Outcome, result: WaitResult, policy: OutcomePolicy) -> str:
    run = result.run
    if result.kind == "ended" and run:
        return f"{run.description}{_remark(outcome, policy, run)}"
    last = f" {result.detail}" if result.detail else ""
    last += f" Last seen: {run.description}" if run else " It was never seen."
    goes_on = " The run itself goes on: runs cannot be cancelled." if run else ""
    match outcome:
        case "late" | "overdue":
            return f"The deadline passed while waiting for {result.subject}.{last}{goes_on}"
        case "unknown":
            return (
                f"The deadline passed while waiting for {result.subject}.{last} This package does "
                "not know that status, so the run may have ended."
            )
        case "lost":
            return (
                f"Lost contact with the service while waiting for {result.subject}; this says nothing "
                f"about the run.{last}"
            )
        case "refused":
            return f"The credential was refused while waiting for {result.subject}.{last}{goes_on}"
        case "error":
            return f"The wait for {result.subject} met an error.{last}{goes_on}"
    return f"{result.subject[:1].upper()}{result.subject[1:]} was not found.{last}"


def exception_for(
    outcome: Outcome, task_result: TaskResult, message: str, result: WaitResult
) -> BaseException | None:
    """Make the exception that ends a task; ``None`` if it ends in success."""
    run = result.run
    if task_result in _AIRFLOWS_OWN:
        return _AIRFLOWS_OWN[task_result](message)
    if task_result not in ("failed", "failed, not retried"):
        return None
    error: exceptions.FlowServiceError
    if outcome == "error":
        error = result.error or exceptions.FlowServiceError(message)
    elif error_class := _ERRORS.get(outcome):
        error = error_class(message)
    else:
        failed = _FAILURES.get(outcome, exceptions.DataflowRunIncompleteError)
        error = failed(message, run.error_codes if run else ())
    return not_retried(error) if task_result == "failed, not retried" else error


def exception_for_error(error: BaseException, policy: OutcomePolicy) -> BaseException:
    """Return what ends a task that met an error: another one, or the error itself."""
    result = task_result(outcome_of_error(error), policy)
    if result == "skipped":
        return AirflowSkipException(str(error))
    if result == "failed, not retried" and isinstance(error, exceptions.FlowServiceError):
        return not_retried(error)
    return error


def _remark(outcome: Outcome, policy: OutcomePolicy, run: DataflowRun) -> str:
    match outcome:
        case "partial":
            return " It succeeded in part."
        case "empty":
            return f" No record arrived.{_why_skipped(run)}"
        case "too few":
            return f" That is less than min_records ({policy.min_records}) asks for."
        case "too many rejected":
            return " That is more than max_failed_records or max_failed_share allows."
        case "failed" | "non-retryable" | "source refused":
            return _sentence(advice.on_failure(run))
    return ""


def _sentence(text: str) -> str:
    return f" {text}" if text else ""


def _why_skipped(run: DataflowRun) -> str:
    if not run.skip_reasons:
        return ""
    return f" The first reason for skipping: {run.skip_reasons[0]}."
