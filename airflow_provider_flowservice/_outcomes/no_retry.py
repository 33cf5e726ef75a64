"""
The same errors for when a retry of the task cannot help: Airflow does not retry after them.

They keep the name of the error they stand for, since that is what the log shows.
"""

from __future__ import annotations

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._compat import AirflowFailException


class DataflowRunFailedError(exceptions.DataflowRunFailedError, AirflowFailException):
    """The run ended, and not in success; a retry would not change that."""


class DataflowRunIncompleteError(exceptions.DataflowRunIncompleteError, AirflowFailException):
    """The run loaded less than the task asks for; a retry would load no more."""


class DataflowRunLostError(exceptions.DataflowRunLostError, AirflowFailException):
    """Contact was lost; a retry would start a second run beside the first."""


class DataflowRunNotRetriggerableError(
    exceptions.DataflowRunNotRetriggerableError, AirflowFailException
):
    """The run cannot be re-triggered, and a retry would be refused as well."""


class DataflowRunTimeoutError(exceptions.DataflowRunTimeoutError, AirflowFailException):
    """The run had not ended in time; a retry would not find out more."""


class FlowServiceAuthError(exceptions.FlowServiceAuthError, AirflowFailException):
    """The credentials were refused; they have to be corrected first."""


class FlowServiceNotFoundError(exceptions.FlowServiceNotFoundError, AirflowFailException):
    """There is no such resource; the ID or the sandbox has to be corrected first."""


_FINAL: dict[type[exceptions.FlowServiceError], type[exceptions.FlowServiceError]] = {
    exceptions.DataflowRunFailedError: DataflowRunFailedError,
    exceptions.DataflowRunIncompleteError: DataflowRunIncompleteError,
    exceptions.DataflowRunLostError: DataflowRunLostError,
    exceptions.DataflowRunNotRetriggerableError: DataflowRunNotRetriggerableError,
    exceptions.DataflowRunTimeoutError: DataflowRunTimeoutError,
    exceptions.FlowServiceAuthError: FlowServiceAuthError,
    exceptions.FlowServiceNotFoundError: FlowServiceNotFoundError,
}


def not_retried(error: exceptions.FlowServiceError) -> exceptions.FlowServiceError:
    """Return the error as one after which Airflow does not retry."""
    if isinstance(error, AirflowFailException):
        return error
    final = _FINAL[type(error)](*error.args)
    vars(final).update(vars(error))
    return final
