"""Serving on a port of this machine only."""

from __future__ import annotations

import ipaddress
import json
import threading
from abc import ABC, abstractmethod
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

from airflow_provider_flowservice.emulator.connection import as_uri
from airflow_provider_flowservice.emulator.messages import JSON, Reply, Request
from airflow_provider_flowservice.emulator.server import Server

if TYPE_CHECKING:
    from typing_extensions import Self


class LoopbackService(ABC):
    """
    A service on a loopback port.

    A context manager. Stopped and started again, it keeps its port.

    :param host: Loopback address to listen on.
    :param port: Port to listen on, 0 for a free one.
    :raises ValueError: The host is not a loopback address.
    """

    def __init__(self, host: str, port: int) -> None:
        if not _is_loopback(host):
            raise ValueError(f"The emulator serves loopback addresses only, not {host!r}.")
        self._address = (host, port)
        self._server: Server | None = None

    def __enter__(self) -> Self:
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

    @abstractmethod
    def _respond(self, request: Request) -> Reply:
        """Act on a request, in the thread of its connection."""

    @property
    def url(self) -> str:
        """Base URL."""
        host, port = self._address
        return f"http://{host}:{port}"


class ConnectableService(LoopbackService):
    """A service on a loopback port that an Airflow connection leads to."""

    @property
    @abstractmethod
    def connection(self) -> JSON:
        """The Airflow connection to it."""

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
