"""Retry policy for tasks: retries if a retry can help, and respects ``Retry-After``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._arguments import kinds
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
    exceptions.DataflowNotStartableError,
    exceptions.RetriggerAmbiguousError,
    exceptions.DataflowRunIncompleteError,
    exceptions.SourceCredentialError,
)
"""Errors that need a person, so that a retry cannot help."""


class FlowServiceRetryPolicy(RetryPolicy):
    """
    Decides whether a failed task is retried, and when. Needs Airflow 3.3.

    For all other errors, ``retries`` and ``retry_delay`` of the task apply.

    :param fail_at_once: Errors after which the task fails without a retry.
    :param non_retryable_codes: Beginnings of error codes that a re-trigger cannot fix. If all error
        codes of a failed run that name a cause begin with one of them, the task fails without a retry.
        So it does after a run of a destination.
    :param longest_delay: Most seconds, or a ``timedelta``, to wait if ``Retry-After`` asks for more.
    :raises ValueError: An argument is wrong.
    """

    argument_kinds: ClassVar[Mapping[str, kinds.Kind]] = {
        "fail_at_once": kinds.ERRORS,
        # A text would be taken for a list of letters, and hardly any code begins with none of them.
        "non_retryable_codes": kinds.TEXTS,
        "longest_delay": kinds.DURATION,
    }

    def __init__(
        self,
        *,
        fail_at_once: Collection[type[exceptions.FlowServiceError]] = FAIL_AT_ONCE,
        non_retryable_codes: Collection[str] = NON_RETRYABLE_CODES,
        longest_delay: float | timedelta = 60 * 60,
    ) -> None:
        given = {
            "fail_at_once": fail_at_once,
            "non_retryable_codes": non_retryable_codes,
            "longest_delay": longest_delay,
        }
        kinds.check(**{name: (given[name], kind) for name, kind in self.argument_kinds.items()})
        self.fail_at_once = tuple(fail_at_once)
        self.non_retryable_codes = tuple(non_retryable_codes)
        self.longest_delay: float = kinds.DURATION.read(longest_delay)

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Decide whether a task is retried after a failed try."""
        name = type(exception).__name__
        if isinstance(exception, self.fail_at_once):
            return RetryDecision.fail(f"{name}: a retry would fail in the same way.")
        if isinstance(exception, exceptions.DataflowRunFailedError):
            if are_non_retryable(exception.codes, self.non_retryable_codes):
                codes = ", ".join(exception.codes)
                return RetryDecision.fail(f"{name}: a re-trigger cannot fix {codes}.")
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
        """Return the policy as JSON values."""
        return {
            "fail_at_once": [error.__name__ for error in self.fail_at_once],
            "non_retryable_codes": list(self.non_retryable_codes),
            "longest_delay": self.longest_delay,
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> FlowServiceRetryPolicy:
        """Return the policy from its JSON values."""
        errors = [getattr(exceptions, name) for name in data["fail_at_once"]]
        return cls(**{**data, "fail_at_once": errors})
