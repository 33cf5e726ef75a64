"""The answers of a recording, and which of them is due to a request."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Hashable, Iterable
from urllib.parse import unquote

from airflow_provider_flowservice.emulator.messages import JSON, Answer, Request
from airflow_provider_flowservice.emulator.recording import Exchange

# They say how the recorded bytes came over the wire, or when: the server says that of its own.
_NOT_PLAYED = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "date",
        "keep-alive",
        "proxy-connection",
        "server",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Times are others in each playback.
_TIMES = frozenset({"startTime", "windowStartTime", "windowEndTime"})
_TIME_FILTER = re.compile(r"([^<>=!~]+[<>]=?)\s*-?\d+(\.\d+)?\s*")


class Playback:
    """
    Hands out the answers of a recording. Thread-safe.

    Several answers to the same request come in their order, and the last one again and again, so
    that polls go on.
    """

    def __init__(self, exchanges: Iterable[Exchange]) -> None:
        self._lock = threading.Lock()
        self._due: defaultdict[Hashable, deque[Exchange]] = defaultdict(deque)
        for exchange in exchanges:
            self._due[_key(request_of(exchange))].append(exchange)

    def next(self, request: Request) -> Exchange | None:
        """Return the exchange whose answer is due to a request; ``None`` if it was never recorded."""
        key = _key(request)
        with self._lock:
            due = self._due.get(key)
            if not due:
                return None
            return due.popleft() if len(due) > 1 else due[0]


def request_of(exchange: Exchange) -> Request:
    """Return a request as it was recorded."""
    body = b"" if exchange.request_body is None else json.dumps(exchange.request_body).encode()
    return Request(exchange.method, exchange.path, exchange.query, exchange.request_headers, body)


def answer_of(exchange: Exchange) -> Answer | None:
    """Return an answer as it was recorded; ``None`` if none came."""
    if exchange.status is None:
        return None
    headers = {
        name: value
        for name, value in exchange.headers.items()
        if name.lower() not in _NOT_PLAYED | {"content-type"}
    }
    types = [value for name, value in exchange.headers.items() if name.lower() == "content-type"]
    headers["Content-Type"] = types[0] if types else "application/json"
    # Encoded here: a text would go out as it is, and not as the JSON that it was.
    body = None if exchange.body is None else _encoded(exchange.body)
    return Answer(exchange.status, body, headers)


def _encoded(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def _key(request: Request) -> Hashable:
    """Return what requests with the same answers have in common."""
    # Split first: an encoded slash belongs to its segment.
    path = tuple(unquote(part) for part in request.path.strip("/").split("/"))
    if request.asks_for_token:
        return request.method, path  # the form with the credential is never recorded
    query = Counter((name, _without_time(name, value)) for name, value in request.query)
    return request.method, path, frozenset(query.items()), _comparable(request.body)


def _without_time(name: str, value: str) -> str:
    match = _TIME_FILTER.fullmatch(value) if name == "property" else None
    return f"{match[1]}..." if match else value


def _comparable(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body or b"null", object_hook=_without_times), sort_keys=True)
    except (ValueError, RecursionError):
        return "null"  # a recording holds JSON only


def _without_times(document: JSON) -> JSON:
    return {key: None if key in _TIMES else value for key, value in document.items()}
