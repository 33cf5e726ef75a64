"""Retries requests after transient errors, if a retry is safe."""

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
    How often and how long to retry one request.

    :param retries: Largest number of retries.
    :param backoff: Seconds before the first retry; each further one waits twice as long.
    :param longest_sleep: Most seconds to sleep before a retry. If ``Retry-After`` asks for more,
        the client raises the error instead, with ``retry_after`` set.
    """

    retries: int = 3
    backoff: float = 1.0
    longest_sleep: float = 30.0

    def stop(self, state: RetryCallState) -> bool:
        """Stop after the last retry, or if ``Retry-After`` is longer than ``longest_sleep``."""
        return state.attempt_number > self.retries or retry_after_of(state) > self.longest_sleep

    def wait(self, state: RetryCallState) -> float:
        """Return the seconds before the next attempt."""
        pause = min(self.backoff * 2.0 ** min(state.attempt_number - 1, 60), self.longest_sleep)
        # Jitter keeps many workers from retrying at the same moment.
        return max(pause * (1 + random.random()) / 2, retry_after_of(state))


def is_transient(error: BaseException) -> bool:
    """Whether an error of this package is transient."""
    return isinstance(error, FlowServiceError) and error.is_transient


def call_with_retries(
    call: Callable[[], T],
    limits: RetryLimits,
    may_retry: Callable[[BaseException], bool] = is_transient,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """
    Call a function, and retry it after errors that allow it.

    :param may_retry: Whether a retry after an error is safe and may succeed.
    :param sleep: Sleeps a number of seconds; tests pass their own.
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
    """Log the error, and when the request is retried."""
    log.warning("%s Trying again in %.1f s.", error_of(state), state.upcoming_sleep)


def error_of(state: RetryCallState) -> BaseException | None:
    """Return the error of the last attempt; ``None`` if it succeeded."""
    return state.outcome.exception() if state.outcome else None


def retry_after_of(state: RetryCallState) -> float:
    """Return the seconds that the service asked to wait; 0 if it did not ask."""
    return getattr(error_of(state), "retry_after", None) or 0.0
