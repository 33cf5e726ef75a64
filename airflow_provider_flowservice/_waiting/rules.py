"""
How to wait for a run: when to poll, and when to stop.

The rules are written once, as a pure function and a generator around it. A small driver follows
them in a worker, another one on an event loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from airflow_provider_flowservice._defaults import MISSING_GRACE, OUTAGE_TIMEOUT, POLL_INTERVAL
from airflow_provider_flowservice.exceptions import (
    FlowServiceAnswerError,
    FlowServiceApiError,
    FlowServiceAuthError,
    FlowServiceError,
    FlowServiceNotFoundError,
)
from airflow_provider_flowservice.runs import DataflowRun


@dataclass(frozen=True, slots=True)
class NotYet:
    """Nothing that could end the wait has happened, and there is no run to show."""


Seen = DataflowRun | NotYet | FlowServiceError
"""What a poll brings: the run, nothing yet, or the error met instead."""

Unended = Literal["late", "overdue", "missing", "lost", "refused", "error"]
"""
How a wait ends before what it waits for: ``late``, the deadline passed; ``overdue``, Airflow's own limit
did, and ended the wait from outside; ``missing``, the service does not show the run; ``lost``, contact
with the service was lost for too long; ``refused``, the credential is refused; ``error``, the poll met
another error that waiting cannot fix.
"""

WaitFlow = Generator[float, Seen, "WaitResult"]

# What an event carries of an error: all that the constructor of `FlowServiceApiError` takes.
_ERROR_FACTS = ("http_status", "code", "request_id", "retry_after", "codes", "sent")
# Seconds before the second poll; each further one waits twice as long, up to the poll interval.
_EARLY_POLL = 5.0


@dataclass(frozen=True, slots=True)
class WaitRules:
    """
    How long to wait, and how often to poll.

    :param poll_interval: Seconds between polls.
    :param deadline: Epoch seconds at which the wait is over, whatever the run does.
    :param outage_timeout: Seconds without any response after which contact counts as lost.
    :param missing_grace: Seconds during which a run that the service does not show may still appear.
    """

    poll_interval: float = POLL_INTERVAL
    deadline: float | None = None
    outage_timeout: float = OUTAGE_TIMEOUT
    missing_grace: float = MISSING_GRACE


@dataclass(frozen=True, slots=True)
class WaitState:
    """
    What a wait remembers from poll to poll.

    :param contact_at: Epoch seconds of the last response, or of the beginning.
    :param missing_at: Epoch seconds since when the service does not show the run.
    :param run: The run as last seen.
    """

    contact_at: float
    missing_at: float | None = None
    run: DataflowRun | None = None


@dataclass(frozen=True)
class WaitResult:
    """
    How a wait ended.

    :param kind: ``ended`` if the run did, otherwise what ended the wait before.
    :param subject: What was waited for, such as ``dataflow run r1``.
    :param run: The run as last seen.
    :param detail: The error met instead of the run.
    :param error: That error itself, if waiting cannot fix it.
    """

    kind: Literal["ended"] | Unended
    subject: str
    run: DataflowRun | None = None
    detail: str = ""
    error: FlowServiceError | None = field(default=None, compare=False)  # errors have no equality

    def to_event(self) -> dict[str, Any]:
        """Write the result as JSON values, for a trigger event."""
        return {
            "kind": self.kind,
            "subject": self.subject,
            "run": self.run.summary if self.run else None,
            "detail": self.detail,
            "error": _to_json(self.error) if self.error else None,
        }

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> WaitResult:
        """Read a result back from a trigger event."""
        run, error = event.get("run"), event.get("error")
        return cls(
            kind=event["kind"],
            subject=event["subject"],
            run=DataflowRun.from_summary(run) if run else None,
            detail=event.get("detail", ""),
            error=_from_json(error) if error else None,
        )


def _to_json(error: FlowServiceError) -> dict[str, Any]:
    facts = {name: getattr(error, name) for name in _ERROR_FACTS if hasattr(error, name)}
    return {"message": str(error), **facts}


def _from_json(found: Mapping[str, Any]) -> FlowServiceError:
    facts = {name: found[name] for name in _ERROR_FACTS if name in found}
    error_class = FlowServiceApiError if "http_status" in facts else FlowServiceError
    if "codes" in facts:
        facts["codes"] = tuple(facts["codes"])
    return error_class(found["message"], **facts)


def is_outage(error: FlowServiceError) -> bool:
    """Return whether waiting may outlast an error."""
    # A response that makes no sense as well, though no request is retried for it.
    return error.is_transient or isinstance(error, FlowServiceAnswerError)


def judge(
    subject: str, state: WaitState, seen: Seen, now: float, rules: WaitRules
) -> tuple[WaitState, WaitResult | None]:
    """
    Decide whether a poll ends the wait.

    :param now: Epoch seconds.
    :return: What to remember, and the result if the wait is over.
    """
    if isinstance(seen, DataflowRun):
        state = WaitState(contact_at=now, run=seen)
        if seen.is_terminal:
            return state, WaitResult("ended", subject, seen)
    elif isinstance(seen, NotYet):
        state = WaitState(contact_at=now)
    elif isinstance(seen, FlowServiceNotFoundError):
        since = now if state.missing_at is None else state.missing_at
        state = replace(state, contact_at=now, missing_at=since)
        if now - since >= rules.missing_grace:
            return state, WaitResult("missing", subject, state.run, str(seen))
    elif isinstance(seen, FlowServiceAuthError):
        return state, WaitResult("refused", subject, state.run, str(seen))
    elif not is_outage(seen):
        return state, WaitResult("error", subject, state.run, str(seen), seen)
    elif now - state.contact_at >= rules.outage_timeout:
        return state, WaitResult("lost", subject, state.run, str(seen))
    if rules.deadline is not None and now >= rules.deadline:
        detail = str(seen) if isinstance(seen, FlowServiceError) else ""
        return state, WaitResult("late", subject, state.run, detail)
    return state, None


def wait_flow(
    subject: str,
    rules: WaitRules,
    first_poll: float = 0.0,
    clock: Callable[[], float] = time.time,
) -> WaitFlow:
    """
    Decide when to poll, and when to stop.

    Yields the seconds until the next poll; is sent what the poll brought; returns how the wait ended.
    """
    state = WaitState(contact_at=clock())
    delay, early = first_poll, _EARLY_POLL
    while True:
        seen = yield delay
        now = clock()
        state, result = judge(subject, state, seen, now, rules)
        if result:
            return result
        delay = min(early, rules.poll_interval)
        early *= 2
        if isinstance(seen, FlowServiceApiError) and seen.is_transient:
            delay = max(delay, min(seen.retry_after or 0.0, rules.outage_timeout / 2))
        if rules.deadline is not None:
            delay = max(0.0, min(delay, rules.deadline - now))
