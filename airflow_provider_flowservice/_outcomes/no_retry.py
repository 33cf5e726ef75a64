"""
The same errors for when a retry of the task cannot help: Airflow does not retry after them.

They bear the full name of the error they stand for, since that is what logs show.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from airflow_provider_flowservice._compat import AirflowFailException
from airflow_provider_flowservice.exceptions import FlowServiceError


def not_retried(error: FlowServiceError) -> FlowServiceError:
    """Return the error as one after which Airflow does not retry."""
    if isinstance(error, AirflowFailException):
        return error
    final = _without_retry(type(error))  # type: ignore[arg-type]  # mypy takes no class for hashable
    return _as_class(final, error)


@cache
def _without_retry(error_class: type[FlowServiceError]) -> type[FlowServiceError]:
    """Derive a class of the same name after which Airflow does not retry."""

    def reduce(self: FlowServiceError) -> tuple[Any, ...]:
        # By its name, pickle would find the other class.
        return not_retried, (_as_class(error_class, self),)

    body = {
        "__module__": error_class.__module__,
        "__doc__": error_class.__doc__,
        "__reduce__": reduce,
    }
    derived = type(error_class.__name__, (error_class, AirflowFailException), body)
    return cast("type[FlowServiceError]", derived)


def _as_class(error_class: type[FlowServiceError], error: FlowServiceError) -> FlowServiceError:
    other = error_class(*error.args)
    vars(other).update(vars(error))
    return other
