"""How to wait for a success of a flow, whichever run brings it: one look, and the end of the wait."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_flowservice._waiting.poll import count_poll
from airflow_provider_flowservice._waiting.rules import Seen, WaitResult
from airflow_provider_flowservice.exceptions import (
    DataflowRunLostError,
    FlowServiceAuthError,
    FlowServiceError,
    FlowServiceNotFoundError,
)
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.runs import DataflowRun

# Milliseconds a run takes at most between its creation and the success that is waited for.
_LONGEST_RUN = 24 * 60 * 60 * 1000

_ERRORS: dict[str, type[FlowServiceError]] = {
    "lost": DataflowRunLostError,
    "refused": FlowServiceAuthError,
    "missing": FlowServiceNotFoundError,
}


def label_of(flow_id: str) -> str:
    """Return what logs call the run that is waited for."""
    return f"(any success of flow {flow_id})"


def poll_for_success(hook: FlowServiceHook, flow_id: str, since: int) -> Seen:
    """
    Look whether a run of a flow has succeeded since a time.

    :param since: Epoch milliseconds.
    :return: The first run that did; one that has not ended if none did; or the error met instead.
    """
    try:
        # By creation, since a run that has just begun shows no other time.
        with count_poll(1):
            runs = list(hook.list_runs(flow_id=flow_id, created_after=since - _LONGEST_RUN))
            if not runs:
                hook.get_flow(flow_id)  # a flow that does not exist has no runs either
    except FlowServiceError as error:
        return error
    return first_success(runs, since) or DataflowRun(label_of(flow_id), flow_id, "waiting")


def first_success(runs: Iterable[DataflowRun], since: int) -> DataflowRun | None:
    """Return the run that was the first to succeed since a time."""
    successes = [
        run
        for run in runs
        if run.is_successful and (ended_at := _ended_at(run)) and ended_at >= since
    ]
    return min(successes, key=lambda run: _ended_at(run) or 0, default=None)


def conclude(
    result: WaitResult, flow_id: str, completed_after: str, late_error: type[BaseException]
) -> DataflowRun:
    """
    Return the run that succeeded; raise what tells the end of the wait otherwise.

    :param completed_after: The time, for people.
    :param late_error: What to raise when the deadline passed.
    """
    if result.kind == "ended" and result.run:
        return result.run
    error_class = _ERRORS.get(result.kind, late_error)
    reason = result.detail or "the deadline passed."
    raise error_class(
        f"No run of flow {flow_id} is known to have succeeded since {completed_after}: {reason}"
    )


def _ended_at(run: DataflowRun) -> int | None:
    # A run that does not show its end has ended after it began, which is enough where it began late.
    return run.completed_at or run.created_at
