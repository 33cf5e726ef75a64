"""Retry policy for tasks of this package: retry where another try can help, and when the service asks."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._compat.retries import RetryDecision, RetryPolicy
from airflow_provider_flowservice.runs import NON_RETRYABLE_CODES, are_non_retryable

if TYPE_CHECKING:
    from airflow_provider_flowservice._compat import Context

if RetryPolicy is None:
    raise ImportError(
        "FlowServiceRetryPolicy needs Airflow 3.3, the first one with retry policies."
    )

__all__ = ["NON_RETRYABLE_CODES", "FlowServiceRetryPolicy"]

FAIL_AT_ONCE: tuple[type[exceptions.FlowServiceError], ...] = (
    exceptions.FlowServiceAuthError,
    exceptions.FlowServiceNotFoundError,
    exceptions.DataflowRunNotRetriggerableError,
    exceptions.RetriggerAmbiguousError,
    exceptions.DataflowRunIncompleteError,
)
"""Errors that somebody has to look at."""


class FlowServiceRetryPolicy(RetryPolicy):
    """
    Decide what a task is retried for, and when.

    What the policy has no opinion on is retried as the task's other arguments say.

    :param fail_at_once: Errors after which the task fails without a retry.
    :param non_retryable_codes: How error codes begin that no re-trigger mends. A run all of whose codes
        do fails the task without a retry.
    :param longest_delay: Seconds to wait at most where the service asks to be left alone for longer.
    """

    def __init__(
        self,
        *,
        fail_at_once: Collection[type[exceptions.FlowServiceError]] = FAIL_AT_ONCE,
        non_retryable_codes: Collection[str] = NON_RETRYABLE_CODES,
        longest_delay: float = 60 * 60,
    ) -> None:
        self.fail_at_once = tuple(fail_at_once)
        self.non_retryable_codes = tuple(non_retryable_codes)
        self.longest_delay = longest_delay

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Decide what follows a failed try."""
        name = type(exception).__name__
        if isinstance(exception, self.fail_at_once):
            return RetryDecision.fail(f"{name}: another try would meet the same.")
        if isinstance(exception, exceptions.DataflowRunFailedError):
            if are_non_retryable(exception.codes, self.non_retryable_codes):
                codes = ", ".join(exception.codes)
                return RetryDecision.fail(f"{name}: no re-trigger mends {codes}.")
        elif (
            isinstance(exception, exceptions.FlowServiceApiError)
            and exception.is_transient
            and exception.retry_after is not None
        ):
            delay = min(exception.retry_after, self.longest_delay)
            return RetryDecision.retry(
                timedelta(seconds=delay), f"{name}: the service asks to wait {delay:.0f} s."
            )
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """Write the policy as JSON values."""
        return {
            "fail_at_once": [error.__name__ for error in self.fail_at_once],
            "non_retryable_codes": list(self.non_retryable_codes),
            "longest_delay": self.longest_delay,
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> FlowServiceRetryPolicy:
        """Read a policy back."""
        errors = [getattr(exceptions, name) for name in data["fail_at_once"]]
        return cls(**{**data, "fail_at_once": errors})
