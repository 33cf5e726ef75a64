"""
Errors raised by this package.

* ``FlowServiceError``

  * ``FlowServiceConnectionError``: no response came
  * ``FlowServiceApiError``: the response was an error

    * ``FlowServiceAuthError``: the credential was refused, or lacks a permission
    * ``FlowServiceNotFoundError``: no such resource in the sandbox
    * ``FlowServiceThrottledError``: too many requests
    * ``FlowServiceUnavailableError``: the service is temporarily unavailable
    * ``FlowServiceAnswerError``: the response makes no sense

  * ``DataflowRunNotRetriggerableError``: the run cannot be re-triggered
  * ``DataflowNotStartableError``: no run of the flow can be started on demand
  * ``RetriggerAmbiguousError``: the request may have taken effect or not
  * ``DataflowRunFailedError``: the run ended without success

    * ``DataflowRunIncompleteError``: the run loaded less than the task requires
    * ``SourceCredentialError``: the source refused the credential of its account

  * ``DataflowRunTimeoutError``: the run had not ended when its deadline passed
  * ``DataflowRunLostError``: the service was unreachable for too long

If a retry of the task cannot help, operators and sensors raise an error that is also an
``AirflowFailException``, so that Airflow does not retry.

A wrong argument or connection field is a ``ValueError``, raised before any request; a ``flow_name``
that matches no flow, after the flows were read.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from airflow_provider_flowservice._compat import AirflowException

Sent = Literal["no", "maybe", "yes"]
"""
Whether a request reached the service: ``no`` without a connection or a token, ``maybe`` if the
response was lost, ``yes`` if a response came.
"""


class FlowServiceError(AirflowException):
    """
    Base of all errors of this package.

    :param message: What went wrong.
    :param sent: Whether the request reached the service.
    """

    is_transient: ClassVar[bool] = False
    """Whether the cause is temporary, so that a retry of the request may succeed."""

    def __init__(self, message: str, *, sent: Sent = "no") -> None:
        super().__init__(message)
        self.sent: Sent = sent


class FlowServiceConnectionError(FlowServiceError):
    """
    No response came from the service.

    :param message: The request, and why no response came.
    :param sent: Whether the request may have reached the service.
    """

    is_transient = True

    def __init__(self, message: str, *, sent: Sent = "maybe") -> None:
        super().__init__(message, sent=sent)


class FlowServiceApiError(FlowServiceError):
    """
    The service returned an error.

    :param message: The request, and the error in the words of the service.
    :param http_status: HTTP status of the response.
    :param code: The service's own error code, such as ``FLOW-1439-404``.
    :param request_id: The response's ``x-request-id``, which Adobe support asks for.
    :param retry_after: Seconds to wait before the next request, from ``Retry-After``.
    :param codes: All numbers of Adobe's error catalogues in the response, such as ``1439-404``; the
        service wraps errors of the source in its own.
    :param sent: Whether the request reached the service; ``no`` if the response is that of the
        token service.
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
    """The service refused the credential, or the credential lacks a permission."""


class FlowServiceNotFoundError(FlowServiceApiError):
    """
    The sandbox has no such resource, or hides it from the credential.

    Not raised if the response says nothing about the resource, because the sandbox is unknown or
    the response comes from a gateway.
    """


class FlowServiceThrottledError(FlowServiceApiError):
    """The service throttles requests."""

    is_transient = True


class FlowServiceUnavailableError(FlowServiceApiError):
    """The service, or a gateway in front of it, is temporarily unavailable."""

    is_transient = True


class FlowServiceAnswerError(FlowServiceApiError):
    """The service reported success, but the response makes no sense."""


class DataflowRunNotRetriggerableError(FlowServiceError):
    """The run cannot be re-triggered; nothing was started."""


class DataflowNotStartableError(FlowServiceError):
    """No run of the flow can be started on demand; nothing was started."""


class RetriggerAmbiguousError(FlowServiceError):
    """
    The re-trigger, or the start of a run, may have taken effect or not, so it was not sent again.

    :param message: What is known, and how to go on.
    :param candidates: IDs of the runs that it may have started.
    """

    def __init__(self, message: str, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.candidates = candidates


class DataflowRunFailedError(FlowServiceError):
    """
    The run ended without success.

    :param message: Which run, how it ended, and why.
    :param codes: Codes of the run's errors, such as ``CONNECTOR-1001-500``.
    """

    def __init__(self, message: str, codes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.codes = codes


class DataflowRunIncompleteError(DataflowRunFailedError):
    """The run succeeded, at least in part, but loaded less than the task requires."""


class SourceCredentialError(DataflowRunFailedError):
    """The run failed because its source refused the credential of its account in Experience Platform."""


class DataflowRunTimeoutError(FlowServiceError):
    """The run had not ended when its deadline passed; it goes on, as runs cannot be cancelled."""


class DataflowRunLostError(FlowServiceError):
    """The service was unreachable for too long, which says nothing about the run."""
