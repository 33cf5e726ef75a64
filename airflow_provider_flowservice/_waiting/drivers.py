"""A wait from its first poll to its end: in a worker, on a triggerer's event loop, or poke by poke."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from airflow_provider_flowservice._compat import AirflowTaskTimeout
from airflow_provider_flowservice._waiting.poll import timed_wait
from airflow_provider_flowservice._waiting.progress import ProgressLogger
from airflow_provider_flowservice._waiting.rules import (
    Seen,
    WaitFlow,
    WaitResult,
    WaitRules,
    WaitState,
    judge,
    wait_flow,
)
from airflow_provider_flowservice.runs import DataflowRun

# Seconds until a trigger polls first, whatever its interval. Airflow's scheduler fails a deferred task
# whose trigger fires before the scheduler has read the executor's event that the worker has ended: it
# then takes that event for the end of the task, which "finished with state success" while queued.
FIRST_POLL = 5.0


def wait_blocking(flow: WaitFlow, poll: Callable[[float], Seen]) -> WaitResult:
    """Follow ``flow`` in this thread; ``poll`` polls after so many seconds."""
    try:
        delay = next(flow)
        while True:
            delay = flow.send(poll(delay))
    except StopIteration as end:
        result: WaitResult = end.value
        return result


async def wait_async(flow: WaitFlow, poll: Callable[[float], Awaitable[Seen]]) -> WaitResult:
    """Follow ``flow`` on an event loop; ``poll`` polls after so many seconds."""
    try:
        delay = next(flow)
        while True:
            delay = flow.send(await poll(delay))
    except StopIteration as end:
        result: WaitResult = end.value
        return result


def wait_in_worker(
    subject: str,
    poll: Callable[[], Seen],
    rules: WaitRules,
    log: Any,
    first_poll: float = 0.0,
) -> WaitResult:
    """Wait in this process, until Airflow's own limit at the latest; ``poll`` polls once."""
    progress = ProgressLogger(log, subject)

    def poll_after(delay: float) -> Seen:
        time.sleep(delay)
        return progress.log(poll())

    with timed_wait():
        try:
            return wait_blocking(wait_flow(subject, rules, first_poll), poll_after)
        except AirflowTaskTimeout:
            # The task ends by this result, which says more than Airflow does.
            return WaitResult("overdue", subject, progress.last_run)


async def wait_in_triggerer(
    subject: str,
    poll: Callable[[float], Awaitable[Seen]],
    rules: WaitRules,
    log: Any,
    first_poll: float = 0.0,
) -> WaitResult:
    """Wait on the event loop, but for ``FIRST_POLL`` at least; ``poll`` polls after so many seconds."""
    progress = ProgressLogger(log, subject)

    async def poll_after(delay: float) -> Seen:
        return progress.log(await poll(delay))

    with timed_wait():
        # Not as part of the delay, which the slots of a loader may shorten.
        await asyncio.sleep(FIRST_POLL)
        flow = wait_flow(subject, rules, max(0.0, first_poll - FIRST_POLL))
        return await wait_async(flow, poll_after)


class PokedWait:
    """A wait in a worker whose polls are the pokes of Airflow's own loop; ``poll`` polls once."""

    def __init__(self, subject: str, poll: Callable[[], Seen], rules: WaitRules, log: Any) -> None:
        self.result: WaitResult | None = None
        self._subject = subject
        self._poll = poll
        self._rules = rules
        self._progress = ProgressLogger(log, subject)
        self._state = WaitState(contact_at=time.time())

    @property
    def last_run(self) -> DataflowRun | None:
        """The run as last seen."""
        return self._state.run

    @property
    def is_missing(self) -> bool:
        """Whether the service did not show the run at the last poll."""
        return self._state.missing_at is not None

    def poll(self) -> WaitResult | None:
        """Poll; return how the wait ended if it did."""
        seen = self._progress.log(self._poll())
        self._state, self.result = judge(self._subject, self._state, seen, time.time(), self._rules)
        return self.result
