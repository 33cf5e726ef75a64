"""How the end of a wait ends a task, in all modes."""

from __future__ import annotations

from airflow_provider_flowservice._waiting import WaitResult
from airflow_provider_flowservice.exceptions import (
    DataflowRunFailedError,
    DataflowRunLostError,
    DataflowRunTimeoutError,
    FlowServiceAuthError,
    FlowServiceError,
    FlowServiceNotFoundError,
)
from airflow_provider_flowservice.runs import DataflowRun

_ERRORS: dict[str, type[FlowServiceError]] = {
    "ended": DataflowRunFailedError,
    "missing": FlowServiceNotFoundError,
    "lost": DataflowRunLostError,
    "refused": FlowServiceAuthError,
}
_GOES_ON = "The run itself goes on: runs cannot be cancelled."


def conclude(
    result: WaitResult,
    url: str | None,
    late_error: type[BaseException] = DataflowRunTimeoutError,
) -> DataflowRun:
    """
    Return the run if it succeeded; raise what tells the failure otherwise.

    :param url: Address of the run in the user interface.
    :param late_error: What to raise when the deadline passed.
    :raises DataflowRunFailedError: The run ended, and not in success.
    :raises DataflowRunTimeoutError: The deadline passed.
    :raises DataflowRunLostError: The service gave no answer for too long.
    :raises FlowServiceNotFoundError: The service does not show the run.
    :raises FlowServiceAuthError: The credential may not look at the run.
    """
    if result.kind == "ended" and result.run and result.run.is_successful:
        return result.run
    message = _message(result)
    error_class = late_error if result.kind == "late" else _ERRORS[result.kind]
    raise error_class(f"{message} See {url}" if url else message)


def _message(result: WaitResult) -> str:
    if result.kind == "ended" and result.run:
        return result.run.digest
    last = f"Last seen: {result.run.digest}" if result.run else "It was never seen."
    said = f" {result.detail}" if result.detail else ""
    return {
        "late": f"Dataflow run {result.run_id} had not ended when its deadline passed.{said} {last} {_GOES_ON}",
        "missing": f"Dataflow run {result.run_id} does not turn up.{said} {last}",
        "lost": f"Lost sight of dataflow run {result.run_id}; this says nothing about the run.{said} {last}",
        "refused": f"The credential may not look at dataflow run {result.run_id}.{said} {last} {_GOES_ON}",
    }[result.kind]
