"""What the emulator was asked."""

from __future__ import annotations

import re
import sys
import threading
from collections import Counter, deque
from dataclasses import dataclass

from airflow_provider_flowservice.emulator.messages import Request

# Details are kept of this many requests; counts are kept of all.
KEPT = 100_000

_WITH_ID = re.compile(
    r"^/(runs|flows|flowSpecs|connections|sourceConnections|targetConnections"
    r"|data/foundation/export/batches)/[^/]+"
)


@dataclass(frozen=True, slots=True)
class Seen:
    """
    A request as it was received.

    :param path: Full path as sent, without the query.
    :param query: Decoded parameters, in order.
    :param headers: Headers, names in lower case, the token blacked out.
    :param status: HTTP status of the answer, 0 if none was given.
    :param at: When it came, in seconds since the epoch.
    """

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    status: int
    at: float

    @classmethod
    def of(cls, request: Request, status: int, at: float) -> Seen:
        """Return what may be kept of a request."""
        return cls(
            request.method,
            # Interned, because a benchmark sends the same few words a hundred thousand times.
            sys.intern(request.path),
            [(key, _masked(key, value)) for key, value in request.query],
            {sys.intern(k): sys.intern(_masked(k, v)) for k, v in request.headers.items()},
            status,
            at,
        )

    @property
    def line(self) -> str:
        """Method, path and decoded query, for people."""
        query = "&".join(f"{name}={value}" for name, value in self.query)
        return f"{self.method} {self.path}{query and '?'}{query}"


def route_of(request: Request) -> str:
    """Return what kind of request it is, such as ``GET /runs/{id}``."""
    path = _WITH_ID.sub(r"/\1/{id}", request.api_path)
    return f"{request.method} {path}"


class Recorder:
    """Keeps the last requests, and exact counts of all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: deque[Seen] = deque(maxlen=KEPT)
        self._by_path: Counter[tuple[str, str]] = Counter()

    def record(self, request: Request, status: int, at: float) -> Seen:
        """Remember a request and how it was answered."""
        seen = Seen.of(request, status, at)
        with self._lock:
            self._seen.append(seen)
            self._by_path[seen.method, seen.path] += 1
        return seen

    def requests(self) -> list[Seen]:
        """Return the last requests, oldest first."""
        with self._lock:
            return list(self._seen)

    def clear(self) -> None:
        """Forget all requests and counts."""
        with self._lock:
            self._seen.clear()
            self._by_path.clear()

    def count(self, method: str | None, path_regex: str | None) -> int:
        """Return how many requests had this method and a path that matches."""
        matches = re.compile(path_regex or "").search
        with self._lock:
            return sum(
                times
                for (seen_method, path), times in self._by_path.items()
                if method in {None, seen_method} and matches(path)
            )

    def routes(self) -> Counter[str]:
        """Return the counts by route, such as ``GET /runs/{id}``."""
        routes: Counter[str] = Counter()
        with self._lock:
            for (method, path), times in self._by_path.items():
                routes[route_of(Request(method, path))] += times
        return routes


def _masked(name: str, value: str) -> str:
    if name == "authorization":
        return "Bearer ***"
    return "***" if name == "client_secret" else value
