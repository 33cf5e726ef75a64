"""When a wait is over at the latest."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_flowservice._compat import TIMES_DEFERRED_TASKS

if TYPE_CHECKING:
    from airflow_provider_flowservice._compat import Context


def deadline_of(
    context: Context,
    timeout: float | None,
    execution_timeout: timedelta | None,
    *,
    deferred: bool = False,
) -> float | None:
    """
    Return the epoch seconds at which a wait that begins now is over.

    :param timeout: Seconds the task itself allows for the wait.
    :param execution_timeout: What Airflow allows for the whole try.
    """
    limits = [time.time() + timeout] if timeout is not None else []
    if execution_timeout is not None:
        room = room_to_resume(execution_timeout) if deferred and TIMES_DEFERRED_TASKS else 0.0
        began = context["ti"].start_date.timestamp()
        limits.append(began + execution_timeout.total_seconds() - room)
    return min(limits, default=None)


def room_to_resume(execution_timeout: timedelta) -> float:
    """
    Return the seconds before Airflow's limit at which a deferred wait ends, so that it can report how.

    Where Airflow ends a deferred task itself, all it says is that time is up.
    """
    return min(30.0, execution_timeout.total_seconds() / 10)


def defer_timeout(deadline: float | None, poll_interval: float) -> timedelta | None:
    """Leave the trigger room to end the wait itself, which says more than Airflow's own timeout."""
    if deadline is None:
        return None
    return timedelta(seconds=max(0.0, deadline - time.time()) + defer_margin(poll_interval))


def defer_margin(poll_interval: float) -> float:
    """Return the seconds by which Airflow's timeout of a deferral comes after our deadline."""
    return max(60.0, 2 * poll_interval)


def is_airflows_limit(timeout: float | None, execution_timeout: timedelta | None) -> bool:
    """Return whether a passed deadline is the one that Airflow sets the task."""
    if execution_timeout is None:
        return False
    return timeout is None or execution_timeout.total_seconds() <= timeout
