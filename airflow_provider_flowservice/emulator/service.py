"""The emulator as tests and demos use it."""

from __future__ import annotations

import ipaddress
import json
import threading
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType

from airflow_provider_flowservice.emulator import control
from airflow_provider_flowservice.emulator.backend import Backend
from airflow_provider_flowservice.emulator.connection import as_uri, connection_to
from airflow_provider_flowservice.emulator.faults import Fault
from airflow_provider_flowservice.emulator.messages import JSON
from airflow_provider_flowservice.emulator.recorder import Seen
from airflow_provider_flowservice.emulator.scenario import Scenario
from airflow_provider_flowservice.emulator.seed import load
from airflow_provider_flowservice.emulator.server import Server


class FlowServiceEmulator(Scenario):
    """
    A Flow Service with its token service on a loopback port, as stateful as the real one.

    A context manager. Stopped and started again, it keeps its memory and its port.

    :param host: Loopback address to listen on.
    :param port: Port to listen on, 0 for a free one.
    :param seed: Whether to begin with the flows and runs of ``seed``.
    :param step_seconds: Seconds each status of a run lasts; ``None`` moves a run on by one status
        each time an answer shows it.
    :param clock: Returns the current time in seconds since the epoch.
    :raises ValueError: The host is not a loopback address.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        seed: bool = False,
        step_seconds: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(step_seconds, clock)
        if not _is_loopback(host):
            raise ValueError(f"The emulator serves loopback addresses only, not {host!r}.")
        self._address = (host, port)
        self._server: Server | None = None
        self._backend = Backend(self, self._state, base_url=lambda: self.url)
        if seed:
            load(self)

    def __enter__(self) -> FlowServiceEmulator:
        self.start()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, and serve from a thread of its own."""
        self._server = Server(self._address, self._backend, partial(control.answer, self))
        self._address = (self._address[0], self._server.server_port)
        serve = partial(self._server.serve_forever, poll_interval=0.01)
        threading.Thread(target=serve, name="flowservice-emulator", daemon=True).start()

    def stop(self) -> None:
        """Stop listening, and hang up on everyone."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    # How to reach it

    @property
    def url(self) -> str:
        """Base URL, of the Flow Service and of the token service alike."""
        host, port = self._address
        return f"http://{host}:{port}"

    @property
    def connection(self) -> JSON:
        """The Airflow connection to it."""
        return connection_to(self.url, self)

    @property
    def connection_json(self) -> str:
        """The Airflow connection as JSON."""
        return json.dumps(self.connection)

    @property
    def connection_uri(self) -> str:
        """The Airflow connection as a URI."""
        return as_uri(self.connection)

    def issue_token(self) -> str:
        """Return a token that is good now, without asking the token service over HTTP."""
        with self._state.lock:
            return self._backend.ims.issue("openid,AdobeID")

    def revoke_tokens(self) -> None:
        """Make all tokens issued so far invalid."""
        with self._state.lock:
            self._backend.ims.revoke_all()

    # What happened to it

    @property
    def retriggers(self) -> list[tuple[str, str]]:
        """Source run and new run of each re-trigger that took effect, in order."""
        with self._state.lock:
            return list(self._state.retriggers)

    @property
    def requests(self) -> list[Seen]:
        """The last requests, oldest first."""
        return self._backend.recorder.requests()

    def count(
        self, route: str | None = None, *, method: str | None = None, path_regex: str | None = None
    ) -> int:
        """
        Count all requests of a route, or those with a method and a path that matches.

        :param route: Such as ``POST /runs/{id}/action``.
        :param path_regex: Searched in the full path, without the query.
        """
        if route:
            return self._backend.recorder.routes()[route]
        return self._backend.recorder.count(method, path_regex)

    def summary(self) -> JSON:
        """Return the counts of requests by route, of token requests and of re-triggers."""
        routes = self._backend.recorder.routes()
        return {
            "requests": dict(sorted(routes.items())),
            "token_requests": self.count(method="POST", path_regex="^/ims/token"),
            "retriggers": len(self.retriggers),
        }

    def on_request(self, listener: Callable[[Seen], None]) -> None:
        """Call a function with each request from now on, in the thread that serves it."""
        self._backend.on_request = listener

    def clear_requests(self) -> None:
        """Forget the requests seen, and their counts."""
        self._backend.recorder.clear()

    # What goes wrong

    def fail(self, fault: Fault) -> None:
        """Switch a fault on."""
        self._backend.faults.add(fault)

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self._backend.faults.clear()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False
