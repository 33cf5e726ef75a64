"""
The same errors for when a retry of the task cannot help: Airflow does not retry after them.

They keep the name of the error they stand for, since that is what the log shows.
"""

from __future__ import annotations

from typing import TypeVar

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._compat import AirflowFailException

Error = TypeVar("Error", bound=exceptions.FlowServiceError)


def _without_retry(error_class: type[Error]) -> type[Error]:
    """Derive a class of the same name after which Airflow does not retry."""
    bases = (error_class, AirflowFailException)
    return type(
        error_class.__name__, bases, {"__module__": __name__, "__doc__": error_class.__doc__}
    )


# Under their own names here, so that they can be pickled.
DataflowRunFailedError = _without_retry(exceptions.DataflowRunFailedError)
DataflowRunIncompleteError = _without_retry(exceptions.DataflowRunIncompleteError)
DataflowRunLostError = _without_retry(exceptions.DataflowRunLostError)
DataflowRunNotRetriggerableError = _without_retry(exceptions.DataflowRunNotRetriggerableError)
DataflowRunTimeoutError = _without_retry(exceptions.DataflowRunTimeoutError)
FlowServiceAuthError = _without_retry(exceptions.FlowServiceAuthError)
FlowServiceNotFoundError = _without_retry(exceptions.FlowServiceNotFoundError)


def not_retried(error: exceptions.FlowServiceError) -> exceptions.FlowServiceError:
    """Return the error as one after which Airflow does not retry."""
    if isinstance(error, AirflowFailException):
        return error
    final: exceptions.FlowServiceError = globals()[type(error).__name__](*error.args)
    vars(final).update(vars(error))
    return final
