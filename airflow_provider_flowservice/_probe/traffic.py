"""
What all responses show together: headers that ask for patience, and the service's clock.

Pure: replies in, findings out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime

from airflow_provider_flowservice._exactly_once.clock import SKEW_MS
from airflow_provider_flowservice._json import line
from airflow_provider_flowservice._probe.findings import ISSUE, Finding, Question
from airflow_provider_flowservice._probe.replies import Reply

PATIENCE = Question(
    "rate_limits", "There are no rate-limit headers, and Retry-After comes with 429 or 503 only."
)
_CLOSE = 5.0
CLOCK = Question("clock", f"The clocks differ by less than {_CLOSE:.0f} s.")

_RATE_LIMIT = re.compile(r"(x-)?(rate-?limit|app-rate).*", re.IGNORECASE)
_MOST_SHOWN = 8


def patience(replies: Sequence[Reply]) -> Finding:
    """Return which headers say how many requests the service takes."""
    responses = [reply for reply in replies if reply.response is not None]
    waits = [reply for reply in responses if "retry-after" in _names(reply)]
    throttled = sum(reply.http_status == 429 for reply in responses)
    limits = {
        f"{line(name, 50)}: {line(value, 50)}": None
        for reply in responses
        for name, value in reply.headers.items()
        if _RATE_LIMIT.fullmatch(name)
    }
    parts = [f"HTTP 429: {throttled}"] if throttled else []
    for reply in waits[:1]:
        value = line(reply.headers.get("Retry-After"), 50)
        parts.append(f"Retry-After: {value}, with HTTP {reply.http_status}")
    parts += list(limits)[:_MOST_SHOWN]
    seen = f"in {len(responses)} responses: {'; '.join(parts) or 'none of them'}"
    if throttled:
        advice = "Set poll_interval higher, and run the probe while nothing else does."
        return PATIENCE.differs(seen, f"{advice} {ISSUE}")
    odd = any(reply.http_status != 503 for reply in waits)
    if odd or limits:
        advice = (
            "Nothing to set: the package obeys Retry-After of errors, and reads no other of them."
        )
        return PATIENCE.differs(seen, f"{advice} {ISSUE}")
    return PATIENCE.fits(seen)


def clock(replies: Iterable[Reply]) -> Finding:
    """Return how far the service's clock is ahead of this machine's, or behind it."""
    lowest, highest, count = float("-inf"), float("inf"), 0
    for reply in replies:
        with suppress(ValueError, TypeError, OverflowError, IndexError):
            shown = parsedate_to_datetime(reply.headers.get("Date", "")).timestamp()
            # The header leaves out fractions, and was written between request and response.
            lowest = max(lowest, shown - reply.came_at)
            highest = min(highest, shown + 1 - reply.asked_at)
            count += 1
    if not count:
        return CLOCK.not_seen("no response has a Date header")
    ahead = 0.0 if lowest <= 0 <= highest else min(lowest, highest, key=abs)
    if abs(ahead) < _CLOSE:
        return CLOCK.fits(f"by less than {max(1, round(abs(ahead) + 0.5))} s")
    which = "ahead of" if ahead > 0 else "behind"
    advice = (
        "Set the clock of this machine, such as with NTP. The waits of exactly once do not mind it. But a "
        f"retry overlooks a run created more than {SKEW_MS // 1000} s before it by the service's clock, "
        "and created_after and the times of runs are the service's."
    )
    return CLOCK.differs(f"the service is {abs(ahead):.0f} s {which} this machine", advice)


def _names(reply: Reply) -> set[str]:
    return {name.lower() for name in reply.headers}
