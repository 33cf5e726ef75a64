"""The emulated service on a port, as tests and demos use it."""

from __future__ import annotations

import time
from collections.abc import Callable

from airflow_provider_flowservice.emulator import control
from airflow_provider_flowservice.emulator.connection import connection_to
from airflow_provider_flowservice.emulator.in_memory import InMemoryService
from airflow_provider_flowservice.emulator.loopback import ConnectableService
from airflow_provider_flowservice.emulator.messages import JSON, Reply, Request
from airflow_provider_flowservice.emulator.seed import load


class FlowServiceEmulator(InMemoryService, ConnectableService):
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
        InMemoryService.__init__(self, lambda: self.url, step_seconds, clock)
        ConnectableService.__init__(self, host, port)
        if seed:
            load(self)

    def _respond(self, request: Request) -> Reply:
        if request.path.startswith(control.PREFIX):
            return Reply(control.answer(self, request))
        return self._backend.respond(request)

    @property
    def connection(self) -> JSON:
        """The Airflow connection to it."""
        return connection_to(
            self.url,
            client_id=self.client_id,
            client_secret=self.client_secret,
            org_id=self.org_id,
            sandbox_name="staging",
            api_key=self.api_key,
        )
