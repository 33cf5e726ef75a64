"""
How to wait for a run: when to look again, and when to stop.

The rules are written once, as a pure function and a generator around it. A small driver follows
them in a worker, another one on an event loop.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict

from airflow_provider_flowservice._defaults import MISSING_GRACE, OUTAGE_TIMEOUT, POLL_INTERVAL
from airflow_provider_flowservice.exceptions import (
    FlowServiceAnswerError,
    FlowServiceAuthError,
    FlowServiceError,
    FlowServiceNotFoundError,
    FlowServiceThrottledError,
    FlowServiceUnavailableError,
)
from airflow_provider_flowservice.runs import DataflowRun, RunSummary

Seen = DataflowRun | FlowServiceError
"""What a look at a run brings: the run, or the error met instead."""

WaitFlow = Generator[float, Seen, "WaitResult"]

# Seconds before the second look; each further one waits twice as long, up to the poll interval.
_EARLY_LOOK = 5.0


@dataclass(frozen=True, slots=True)
class WaitRules:
    """
    How long to wait, and how patiently.

    :param poll_interval: Seconds between looks.
    :param deadline: Epoch seconds at which the wait is over, whatever the run does.
    :param outage_timeout: Seconds without any answer after which sight of the run is lost.
    :param missing_grace: Seconds during which a run the service does not show may still turn up.
    """

    poll_interval: float = POLL_INTERVAL
    deadline: float | None = None
    outage_timeout: float = OUTAGE_TIMEOUT
    missing_grace: float = MISSING_GRACE


@dataclass(frozen=True, slots=True)
class WaitState:
    """
    What a wait remembers from look to look.

    :param answered_at: Epoch seconds of the last answer, or of the beginning.
    :param missing_since: Epoch seconds since when the service does not show the run.
    :param run: The run as last seen.
    """

    answered_at: float
    missing_since: float | None = None
    run: DataflowRun | None = None


class WaitEvent(TypedDict):
    """The end of a wait, as a trigger event carries it."""

    kind: str
    run_id: str
    run: RunSummary | None
    detail: str


@dataclass(frozen=True)
class WaitResult:
    """
    How a wait ended.

    :param kind: ``ended``: the run did. ``late``: the deadline passed. ``overdue``: Airflow's own
        limit did, and ended the wait from outside. ``missing``: the service does not show the run.
        ``lost``: the service gave no answer for too long. ``refused``: the credential may not look
        any more.
    :param run_id: Run that was waited for.
    :param run: The run as last seen.
    :param detail: What was met instead of the run.
    """

    kind: Literal["ended", "late", "overdue", "missing", "lost", "refused"]
    run_id: str
    run: DataflowRun | None = None
    detail: str = ""

    def to_event(self) -> WaitEvent:
        """Write the result as JSON values."""
        return {
            "kind": self.kind,
            "run_id": self.run_id,
            "run": self.run.summary if self.run else None,
            "detail": self.detail,
        }

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> WaitResult:
        """Read a result back from a trigger event."""
        run = event.get("run")
        return cls(
            kind=event["kind"],
            run_id=event["run_id"],
            run=DataflowRun.from_summary(run) if run else None,
            detail=event.get("detail", ""),
        )


def judge(
    run_id: str, sight: WaitState, seen: Seen, now: float, rules: WaitRules
) -> tuple[WaitState, WaitResult | None]:
    """
    Decide whether a look ends the wait.

    :param run_id: Run that is waited for.
    :param sight: What earlier looks brought.
    :param seen: What this look brought.
    :param now: Epoch seconds.
    :return: What to remember, and the result if the wait is over.
    :raises FlowServiceError: The look met an error that waiting does not mend.
    """
    if isinstance(seen, DataflowRun):
        sight = WaitState(answered_at=now, run=seen)
        if seen.is_terminal:
            return sight, WaitResult("ended", run_id, seen)
    elif isinstance(seen, FlowServiceNotFoundError):
        since = now if sight.missing_since is None else sight.missing_since
        sight = replace(sight, answered_at=now, missing_since=since)
        if now - since >= rules.missing_grace:
            return sight, WaitResult("missing", run_id, sight.run, str(seen))
    elif isinstance(seen, FlowServiceAuthError):
        return sight, WaitResult("refused", run_id, sight.run, str(seen))
    elif not (seen.is_transient or isinstance(seen, FlowServiceAnswerError)):
        # A response that makes no sense is sat out like an outage. A request is not retried for it.
        raise seen
    elif now - sight.answered_at >= rules.outage_timeout:
        return sight, WaitResult("lost", run_id, sight.run, str(seen))
    if rules.deadline is not None and now >= rules.deadline:
        detail = "" if isinstance(seen, DataflowRun) else str(seen)
        return sight, WaitResult("late", run_id, sight.run, detail)
    return sight, None


def wait_flow(
    run_id: str,
    rules: WaitRules,
    first_poll: float = 0.0,
    clock: Callable[[], float] = time.time,
) -> WaitFlow:
    """
    Decide when to look at a run again, and when to stop.

    Yields the seconds until the next look; is sent what the look brought; returns how it ended.

    :param run_id: Run to wait for.
    :param first_poll: Seconds until the first look.
    :param clock: Current epoch seconds; tests bring their own.
    """
    sight = WaitState(answered_at=clock())
    delay, early = first_poll, _EARLY_LOOK
    while True:
        seen = yield delay
        now = clock()
        sight, result = judge(run_id, sight, seen, now, rules)
        if result:
            return result
        delay = min(early, rules.poll_interval)
        early *= 2
        if isinstance(seen, FlowServiceThrottledError | FlowServiceUnavailableError):
            delay = max(delay, min(seen.retry_after or 0.0, rules.outage_timeout / 2))
        if rules.deadline is not None:
            delay = max(0.0, min(delay, rules.deadline - now))


def wait_blocking(flow: WaitFlow, look: Callable[[float], Seen]) -> WaitResult:
    """
    Follow ``flow`` in this thread.

    :param look: RunLoader at the run after so many seconds, and returns what that brought.
    """
    try:
        delay = next(flow)
        while True:
            delay = flow.send(look(delay))
    except StopIteration as end:
        result: WaitResult = end.value
        return result


async def wait_async(flow: WaitFlow, look: Callable[[float], Awaitable[Seen]]) -> WaitResult:
    """
    Follow ``flow`` on an event loop.

    :param look: RunLoader at the run after so many seconds, and returns what that brought.
    """
    try:
        delay = next(flow)
        while True:
            delay = flow.send(await look(delay))
    except StopIteration as end:
        result: WaitResult = end.value
        return result
