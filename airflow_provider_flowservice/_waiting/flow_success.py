"""One poll for a success of a flow, whichever run brings it."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_flowservice._waiting.poll import count_poll
from airflow_provider_flowservice._waiting.rules import NotYet, Seen
from airflow_provider_flowservice.exceptions import FlowServiceError
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.runs import DataflowRun

# Milliseconds a run takes at most between its creation and the success that is waited for.
_LONGEST_RUN_MS = 24 * 60 * 60 * 1000


def poll_for_success(hook: FlowServiceHook, flow_id: str, since_ms: int) -> Seen:
    """
    Poll for a run of a flow that has succeeded since a time.

    :param since_ms: Epoch milliseconds.
    :return: The first run that has, or the error met instead.
    """
    try:
        # By creation, since a run that has just begun shows no other time.
        with count_poll(1):
            runs = list(hook.list_runs(flow_id=flow_id, created_after=since_ms - _LONGEST_RUN_MS))
            if not runs:
                hook.get_flow(flow_id)  # a flow that does not exist has no runs either
    except FlowServiceError as error:
        return error
    return first_success(runs, since_ms) or NotYet()


def first_success(runs: Iterable[DataflowRun], since_ms: int) -> DataflowRun | None:
    """Return the run that was the first to succeed since a time."""
    successes = [
        run
        for run in runs
        if run.is_successful and (ended_ms := _ended_ms(run)) and ended_ms >= since_ms
    ]
    return min(successes, key=lambda run: _ended_ms(run) or 0, default=None)


def _ended_ms(run: DataflowRun) -> int | None:
    # A run that does not show its end has ended after it began, which is enough if it began late.
    return run.completed_at or run.created_at
