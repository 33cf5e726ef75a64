"""A clock that stands still until told."""

from __future__ import annotations


class FakeClock:
    """
    Time that passes only when somebody sleeps, or sets it.

    :param now: Epoch seconds it shows at first.
    """

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the epoch seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class OwnTime:
    """
    The time of one of several processes that sleep at the same time.

    :param common: Shows the time of the one that is ahead.
    """

    def __init__(self, common: FakeClock | OwnTime) -> None:
        self._common = common
        self.now = common.now

    def __call__(self) -> float:
        """Return the epoch seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass for this process."""
        self.now += seconds
        self._common.now = max(self._common.now, self.now)
