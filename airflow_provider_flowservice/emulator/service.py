"""The emulated service on a port, as tests and demos use it."""

from __future__ import annotations

import ipaddress
import json
import threading
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType

from airflow_provider_flowservice.emulator import control
from airflow_provider_flowservice.emulator.connection import as_uri, connection_to
from airflow_provider_flowservice.emulator.in_memory import InMemoryService
from airflow_provider_flowservice.emulator.messages import JSON, Reply, Request
from airflow_provider_flowservice.emulator.seed import load
from airflow_provider_flowservice.emulator.server import Server


class FlowServiceEmulator(InMemoryService):
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
        super().__init__(lambda: self.url, step_seconds, clock)
        if not _is_loopback(host):
            raise ValueError(f"The emulator serves loopback addresses only, not {host!r}.")
        self._address = (host, port)
        self._server: Server | None = None
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
        self._server = Server(self._address, self._respond)
        self._address = (self._address[0], self._server.server_port)
        serve = partial(self._server.serve_forever, poll_interval=0.01)
        threading.Thread(target=serve, name="flowservice-emulator", daemon=True).start()

    def stop(self) -> None:
        """Stop listening, and hang up on everyone."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _respond(self, request: Request) -> Reply:
        if request.path.startswith(control.PREFIX):
            return Reply(control.answer(self, request))
        return self._backend.respond(request)

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


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False
