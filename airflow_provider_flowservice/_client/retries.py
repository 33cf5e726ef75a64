"""Repeats a request that met trouble, where repeating is safe."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

from airflow_provider_flowservice.exceptions import (
    FlowServiceApiError,
    FlowServiceConnectionError,
    FlowServiceError,
    FlowServiceThrottledError,
    FlowServiceUnavailableError,
)

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class RetryLimits:
    """
    How hard to try for one answer.

    :param retries: Times a request is repeated.
    :param backoff: Seconds before the first repetition; each further one waits twice as long.
    :param longest_sleep: Seconds a worker sleeps at most before a repetition. When the service
        asks for more with ``Retry-After``, the error is raised instead and carries the wish.
    """

    retries: int = 3
    backoff: float = 1.0
    longest_sleep: float = 30.0

    def pause(
        self, repetition: int, wish: float | None, spread: Callable[[], float] = random.random
    ) -> float | None:
        """
        Return the seconds to sleep before a repetition, or ``None`` to give up.

        :param repetition: Number of repetitions there were already.
        :param wish: Seconds the service asks to wait.
        :param spread: Returns a number from 0 to 1, which keeps many workers from coming together.
        """
        if repetition >= self.retries or (wish or 0.0) > self.longest_sleep:
            return None
        pause = min(self.backoff * 2.0 ** min(repetition, 60), self.longest_sleep)
        return max(pause * (1 + spread()) / 2, wish or 0.0)


def is_passing(error: FlowServiceError) -> bool:
    """Whether trouble may pass by itself, so that asking again makes sense."""
    passing = (FlowServiceConnectionError, FlowServiceThrottledError, FlowServiceUnavailableError)
    return isinstance(error, passing)


def repeat(
    call: Callable[[], T],
    limits: RetryLimits,
    may_repeat: Callable[[FlowServiceError], bool] = is_passing,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """
    Call, and call again after errors that allow it.

    :param may_repeat: Whether an error leaves nothing behind that a repetition would double.
    :param sleep: Sleeps some seconds; tests bring their own.
    """
    for repetition in count():
        try:
            return call()
        except FlowServiceError as error:
            wish = error.retry_after if isinstance(error, FlowServiceApiError) else None
            pause = limits.pause(repetition, wish) if may_repeat(error) else None
            if pause is None:
                raise
            log.warning("%s Trying again in %.1f s.", error, pause)
        sleep(pause)
    raise AssertionError("unreachable")
