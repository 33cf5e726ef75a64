"""One poll of the service, which Airflow's metrics count, as they count a wait."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_flowservice._compat import AirflowRescheduleException, Stats
from airflow_provider_flowservice._waiting.rules import Seen
from airflow_provider_flowservice.exceptions import (
    FlowServiceConnectionError,
    FlowServiceError,
    FlowServiceThrottledError,
)

if TYPE_CHECKING:
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
    from airflow_provider_flowservice.runs import DataflowRun


def poll_runs(hook: FlowServiceHook, run_ids: Sequence[str]) -> Mapping[str, DataflowRun]:
    """
    Poll runs with one request; among several, those the service does not show are missing.

    :raises FlowServiceError: No response, or no such run where it is only one.
    """
    with count_poll(len(run_ids)):
        if len(run_ids) == 1:
            return {run_ids[0]: hook.get_run(run_ids[0])}
        return hook.get_runs(run_ids)


def poll_once(hook: FlowServiceHook, run_id: str) -> Seen:
    """Poll a run; an error is something seen, too."""
    try:
        return poll_runs(hook, [run_id])[run_id]
    except FlowServiceError as error:
        return error


def read_connection(hook: FlowServiceHook) -> None:
    """
    Read the connection of a hook in a trigger, which waits until Airflow returns it.

    :raises FlowServiceConnectionError: Airflow does not return the connection.
    :raises FlowServiceError: Fields of the connection are missing or wrong.
    """
    try:
        hook.get_conn()
    except ValueError as error:
        raise FlowServiceError(str(error)) from error
    except Exception as error:
        # Even if Airflow says that there is no such connection: it says so, too, while it cannot reach
        # its database or a secrets backend. The worker has read the connection before the deferral.
        raise FlowServiceConnectionError(
            f"Airflow connection {hook.flowservice_conn_id!r} cannot be read: {error}", sent="no"
        ) from error


@contextmanager
def count_poll(runs: int) -> Iterator[None]:
    """Count a poll of so many runs, and the error it may meet."""
    Stats.incr("flowservice.polls")
    Stats.incr("flowservice.polled_runs", runs)
    try:
        yield
    except FlowServiceError as error:
        is_throttle = isinstance(error, FlowServiceThrottledError)
        Stats.incr("flowservice.throttles" if is_throttle else "flowservice.poll_errors")
        raise


@contextmanager
def timed_wait(began_at: float | None = None) -> Iterator[None]:
    """
    Count a wait that ends, with a result or an error; a cancelled or rescheduled one goes on elsewhere.

    :param began_at: Epoch seconds; by default now.
    """
    began_at = time.time() if began_at is None else began_at
    try:
        yield
    except AirflowRescheduleException:
        raise
    except Exception:
        _count_wait(began_at)
        raise
    _count_wait(began_at)


def _count_wait(began_at: float) -> None:
    Stats.timing("flowservice.wait", timedelta(seconds=time.time() - began_at))
