"""A request and its answer, free of sockets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote

JSON = dict[str, Any]

FLOW_SERVICE = "/data/foundation/flowservice"


@dataclass(frozen=True)
class Request:
    """
    An HTTP request.

    :param path: Path as sent, still percent-encoded.
    :param raw_query: Query as sent, still percent-encoded.
    :param headers: Headers, names in lower case.
    """

    method: str
    path: str
    raw_query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def api_path(self) -> str:
        """Path below the base of the Flow Service; any other path as it is."""
        return self.path.removeprefix(FLOW_SERVICE)

    @property
    def segments(self) -> list[str]:
        """Decoded parts of the path below the base of the Flow Service."""
        # Split first: an encoded slash belongs to its segment.
        return [unquote(part) for part in self.api_path.strip("/").split("/")]

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        """Decoded parameters in the order sent. A raw ``+`` is a blank here, as in any form."""
        return parse_qsl(self.raw_query, keep_blank_values=True)

    @property
    def asks_for_token(self) -> bool:
        """Whether it is for the token service."""
        return self.method == "POST" and self.path.startswith("/ims/token")

    def parameter(self, name: str) -> str | None:
        """Return the first value of a query parameter."""
        return next((value for key, value in self.query if key == name), None)


@dataclass(frozen=True)
class Answer:
    """
    An HTTP answer.

    :param body: Text and bytes are sent as they are, ``None`` as an empty body, all else as JSON.
    """

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> tuple[bytes, str]:
        """Return the body as bytes, and its content type."""
        if self.body is None:
            return b"", "text/plain"
        if isinstance(self.body, bytes):
            return self.body, "text/html"
        if isinstance(self.body, str):
            return self.body.encode(), "text/html"
        return json.dumps(self.body, separators=(",", ":")).encode(), "application/json"


@dataclass(frozen=True)
class Reply:
    """
    What a server does about a request.

    :param answer: ``None`` hangs up instead.
    :param delay: Seconds to wait first.
    :param is_truncated: Whether the connection ends before the body of the answer does.
    """

    answer: Answer | None
    delay: float = 0
    is_truncated: bool = False
