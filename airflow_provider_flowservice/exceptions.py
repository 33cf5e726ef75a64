"""
Errors raised by this package.

* ``FlowServiceError``

  * ``FlowServiceConnectionError``: no answer came
  * ``FlowServiceApiError``: the answer was an error

    * ``FlowServiceAuthError``: credentials refused, or a permission missing
    * ``FlowServiceNotFoundError``: no such resource in the sandbox
    * ``FlowServiceThrottledError``: too many requests
    * ``FlowServiceUnavailableError``: the service is in trouble
    * ``FlowServiceAnswerError``: the answer makes no sense

  * ``DataflowRunNotRetriggerableError``: the run cannot be re-triggered
  * ``RetriggerAmbiguousError``: it cannot be told whether the re-trigger took effect
  * ``DataflowRunFailedError``: the run ended, and not in success

    * ``DataflowRunIncompleteError``: the run loaded less than the task asks for

  * ``DataflowRunTimeoutError``: the run had not ended when its deadline passed
  * ``DataflowRunLostError``: the service could not be asked for too long

Where another try of the task cannot help, operator and sensor raise the error as one that is an
``AirflowFailException`` as well, so that Airflow does not retry.

A wrong argument or connection field is a ``ValueError``, raised before any request.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from airflow_provider_flowservice._compat import AirflowException

Sent = Literal["no", "maybe", "yes"]
"""
Whether a request reached the service: ``no`` where no connection was made or no token granted,
``maybe`` where the response was lost, ``yes`` where one came.
"""


class FlowServiceError(AirflowException):
    """
    Base of all errors raised by this package on purpose.

    :param message: What went wrong.
    :param sent: Whether the request reached the service.
    """

    is_transient: ClassVar[bool] = False
    """Whether the cause may pass by itself, so that a later request may succeed."""

    def __init__(self, message: str, *, sent: Sent = "no") -> None:
        super().__init__(message)
        self.sent: Sent = sent


class FlowServiceConnectionError(FlowServiceError):
    """
    No response came from the service.

    :param message: What was tried and how it ended.
    :param sent: Whether the request may have reached the service all the same.
    """

    is_transient = True

    def __init__(self, message: str, *, sent: Sent = "maybe") -> None:
        super().__init__(message, sent=sent)


class FlowServiceApiError(FlowServiceError):
    """
    The service answered with an error.

    :param message: What was tried, and what went wrong as the service put it.
    :param http_status: HTTP status of the answer.
    :param code: The service's own error code, such as ``FLOW-1439-404``.
    :param request_id: The answer's ``x-request-id``, which Adobe support asks for.
    :param retry_after: Seconds the service asked to wait before the next request.
    :param codes: All numbers of Adobe's error catalogues that the answer names, such as
        ``1439-404``; an error of the source comes wrapped in one of the service.
    :param sent: Whether the request reached the service; ``no`` if the response is that of the token
        service.
    """

    def __init__(
        self,
        message: str,
        http_status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        codes: tuple[str, ...] = (),
        *,
        sent: Sent = "yes",
    ) -> None:
        super().__init__(message, sent=sent)
        self.http_status = http_status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.codes = codes


class FlowServiceAuthError(FlowServiceApiError):
    """The credentials were refused, or they lack a permission."""


class FlowServiceNotFoundError(FlowServiceApiError):
    """
    The sandbox has no such resource, or the credentials may not see it.

    Not raised where the answer says nothing about the resource: the sandbox is unknown, or a gateway
    has answered in the service's place.
    """


class FlowServiceThrottledError(FlowServiceApiError):
    """The service asks for fewer requests."""

    is_transient = True


class FlowServiceUnavailableError(FlowServiceApiError):
    """The service, or a gateway before it, is in trouble; later it may answer."""

    is_transient = True


class FlowServiceAnswerError(FlowServiceApiError):
    """The service answered with success, and with something that makes no sense."""


class DataflowRunNotRetriggerableError(FlowServiceError):
    """The run cannot be re-triggered; nothing was started."""


class RetriggerAmbiguousError(FlowServiceError):
    """
    It cannot be told whether the re-trigger took effect, so none was sent again.

    :param message: What is known, and how to go on.
    :param candidates: IDs of the runs that may be the re-triggered one.
    """

    def __init__(self, message: str, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.candidates = candidates


class DataflowRunFailedError(FlowServiceError):
    """
    The run ended, and not in success.

    :param message: Which run, how it ended, and why.
    :param codes: Codes of the errors the run shows, such as ``CONNECTOR-1001-500``.
    """

    def __init__(self, message: str, codes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.codes = codes


class DataflowRunIncompleteError(DataflowRunFailedError):
    """The run succeeded, perhaps in part, and loaded less than the task asks for."""


class DataflowRunTimeoutError(FlowServiceError):
    """The run had not ended when its deadline passed. It goes on: runs cannot be cancelled."""


class DataflowRunLostError(FlowServiceError):
    """The service could not be asked about the run for too long. It says nothing about the run."""
