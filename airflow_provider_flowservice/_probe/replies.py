"""
What a request of the probe came to: a response of any shape, or none.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from airflow_provider_flowservice._client.http import HttpResponse
from airflow_provider_flowservice._client.responses import items_of, next_href
from airflow_provider_flowservice._json import line
from airflow_provider_flowservice.exceptions import (
    FlowServiceAnswerError,
    FlowServiceApiError,
    FlowServiceError,
)

_LONGEST_REASON = 200
_NO_RESPONSE = "got no response: "


@dataclass(frozen=True)
class Reply:
    """
    What a request came to.

    :param tried: The request, such as ``GET /runs``.
    :param response: The response; ``None`` if none came.
    :param error: What the client makes of it, if it is no success.
    :param asked_at: Epoch seconds before the request.
    :param came_at: Epoch seconds after the response.
    """

    tried: str
    response: HttpResponse | None = None
    error: FlowServiceError | None = None
    asked_at: float = 0.0
    came_at: float = 0.0

    @property
    def body(self) -> Any:
        """The JSON in the response, if there is any."""
        return self.response.body if self.response else None

    @property
    def http_status(self) -> int:
        """HTTP status of the response; 0 if none came."""
        return self.response.http_status if self.response else 0

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the response."""
        return self.response.headers if self.response else {}

    @cached_property
    def items(self) -> Sequence[Mapping[str, Any]] | None:
        """The resources in a success, in any envelope; ``None`` if there is no such thing."""
        if self.response is None or self.error is not None:
            return None
        try:
            return items_of(self.body, self.tried)
        except FlowServiceAnswerError:
            return None

    @property
    def has_next(self) -> bool:
        """Whether the response links to a next page."""
        return bool(next_href(self.body))

    @property
    def is_refused(self) -> bool:
        """Whether the service refused the request as such: not its credential, and not for now."""
        status = self.http_status
        return 400 <= status < 500 and status not in (401, 403, 408, 429)

    @property
    def status_and_code(self) -> str:
        """The status and code of an error, or why no response came."""
        if isinstance(self.error, FlowServiceApiError):
            status = self.error.http_status or self.http_status
            return f"HTTP {status}" + (f", {self.error.code}" if self.error.code else "")
        if self.error is not None:
            # Without the address, which holds IDs.
            reason = str(self.error).rpartition(_NO_RESPONSE)[2].rstrip(".")
            return f"no response: {line(reason, _LONGEST_REASON)}"
        return f"HTTP {self.http_status}"

    @property
    def problem(self) -> str:
        """Why the response holds no resources; empty if it does."""
        if self.error is not None:
            return self.status_and_code
        return f"HTTP {self.http_status} {shape_of(self.response)}" if self.items is None else ""


def shape_of(response: HttpResponse | None) -> str:
    """Say what a body is: the keys of an object, and of all else only the type."""
    if response is None:
        return "with no body"
    body = response.body
    if isinstance(body, Mapping):
        return f"with the keys {', '.join(sorted(line(key, 50) for key in body)[:8]) or '(none)'}"
    if body is None:
        return "with a body that is no JSON" if response.text.strip() else "with no body"
    return f"with a {type(body).__name__}"
