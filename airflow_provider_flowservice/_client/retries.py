"""Retries a request that met a transient error, where that is safe."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception

from airflow_provider_flowservice.exceptions import FlowServiceError

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class RetryLimits:
    """
    How hard to try for one response.

    :param retries: Times a request is retried.
    :param backoff: Seconds before the first retry; each further one waits twice as long.
    :param longest_sleep: Seconds a worker sleeps at most before a retry. When the service asks for
        more with ``Retry-After``, the error is raised instead and carries ``retry_after``.
    """

    retries: int = 3
    backoff: float = 1.0
    longest_sleep: float = 30.0

    def stop(self, state: RetryCallState) -> bool:
        """Tell tenacity to give up after the last retry, or when the service asks for a long pause."""
        return state.attempt_number > self.retries or _retry_after(state) > self.longest_sleep

    def wait(self, state: RetryCallState) -> float:
        """Tell tenacity the seconds before the next attempt."""
        pause = min(self.backoff * 2.0 ** min(state.attempt_number - 1, 60), self.longest_sleep)
        # Jitter keeps many workers from coming together.
        return max(pause * (1 + random.random()) / 2, _retry_after(state))


def is_transient(error: BaseException) -> bool:
    """Whether an error is one of ours that may pass by itself."""
    return isinstance(error, FlowServiceError) and error.is_transient


def call_with_retries(
    call: Callable[[], T],
    limits: RetryLimits,
    may_retry: Callable[[BaseException], bool] = is_transient,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """
    Call, and call again after errors that allow it.

    :param may_retry: Whether an error leaves nothing behind that a retry would double.
    :param sleep: Sleeps some seconds; tests bring their own.
    """
    retrying = Retrying(
        stop=limits.stop,
        wait=limits.wait,
        retry=retry_if_exception(may_retry),
        sleep=sleep,
        before_sleep=log_retry,
        reraise=True,
    )
    return retrying(call)


def log_retry(state: RetryCallState) -> None:
    """Log the error that is retried, and when."""
    log.warning("%s Trying again in %.1f s.", error_of(state), state.upcoming_sleep)


def error_of(state: RetryCallState) -> BaseException | None:
    """Return the error that an attempt met."""
    return state.outcome.exception() if state.outcome else None


def _retry_after(state: RetryCallState) -> float:
    return getattr(error_of(state), "retry_after", None) or 0.0
