"""Time as the engine knows it; tests bring their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

SKEW_MS = 2 * 60_000
"""Milliseconds by which the service's clock may be behind ours."""


@dataclass(frozen=True)
class Clock:
    """Epoch seconds, how to let some pass, and monotonic seconds, by which searches settle."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    mono: Callable[[], float] = time.monotonic

    def now_ms(self) -> int:
        """Return the epoch milliseconds."""
        return round(self.now() * 1000)


WALL_CLOCK = Clock()
