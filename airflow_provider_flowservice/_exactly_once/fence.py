"""
A fence in time: a decision to send a request holds for a bounded time only.

A process may be stopped for minutes between its decision and its request, such as on a machine that is
suspended. Airflow then gives it up, and a retry of the task goes on.
"""

from __future__ import annotations

from typing import NamedTuple

from airflow_provider_flowservice._exactly_once.clock import Clock

SEND_WITHIN = 15.0
"""Seconds from what a decision rests on until the request is sent."""

LONGEST_STOP = 50.0
"""
Seconds for which a try may show no progress, such as during a slow listing, without having been given up.

Airflow gives a task up that has shown no sign of life for 300 s by default.
"""


class OverdueError(Exception):
    """A decision has become too old to act on; nothing was sent."""


class Moment(NamedTuple):
    """
    A moment on both clocks.

    A wall clock may be set back, and a monotonic one may stand still while the machine is suspended.
    """

    at: float
    mono: float

    @classmethod
    def now(cls, clock: Clock) -> Moment:
        """Return the moment that it is."""
        return cls(clock.now(), clock.mono())

    def age(self, clock: Clock) -> float:
        """Return the seconds since, on the clock that shows more."""
        now = Moment.now(clock)
        return max(now.at - self.at, now.mono - self.mono)


class Fence:
    """The last moment at which it was certain that no other try of the task has sent a request."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._moment = Moment.now(clock)

    def move(self, moment: Moment) -> None:
        """Take note that it was certain at a later moment, too."""
        self._moment = moment

    @property
    def is_whole(self) -> bool:
        """Whether the try was never stopped for so long that another one may have begun."""
        return self._moment.age(self._clock) <= LONGEST_STOP

    def extend(self) -> None:
        """Take note that the try goes on, if it was not stopped for too long."""
        if self.is_whole:
            self._moment = Moment.now(self._clock)

    def check(self) -> None:
        """
        Let a request pass.

        :raises OverdueError: It comes too late.
        """
        age = self._moment.age(self._clock)
        if age > SEND_WITHIN:
            raise OverdueError(
                f"The request was held up for {age:.0f} s, which is more than {SEND_WITHIN:.0f} s, so it "
                "was not sent: another try of the task may have sent it meanwhile."
            )
