"""All parts of an emulator behind one door."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace

from airflow_provider_flowservice.emulator.api import Api
from airflow_provider_flowservice.emulator.data_access import DataAccess
from airflow_provider_flowservice.emulator.faults import Fault, Faults
from airflow_provider_flowservice.emulator.gateway import Gateway
from airflow_provider_flowservice.emulator.ims import Ims
from airflow_provider_flowservice.emulator.messages import Answer, Reply, Request
from airflow_provider_flowservice.emulator.recorder import Recorder, Seen
from airflow_provider_flowservice.emulator.settings import EmulatorSettings
from airflow_provider_flowservice.emulator.state import State


class Backend:
    """
    What a server serves. It outlives the server.

    :param base_url: Returns the emulator's own URL, for absolute links.
    """

    def __init__(
        self, settings: EmulatorSettings, state: State, base_url: Callable[[], str]
    ) -> None:
        self.state = state
        self.ims = Ims(settings)
        self.faults = Faults()
        self.recorder = Recorder()
        self.on_request: Callable[[Seen], None] | None = None
        self._settings = settings
        api = Api(settings, self.state, base_url)
        data_access = DataAccess(settings, self.state, base_url)
        self._gateway = Gateway(settings, self.ims, api, data_access)

    def respond(self, request: Request) -> Reply:
        """Act on a request, unless a fault forbids it, and take note of it."""
        request_id = str(uuid.uuid4())
        fault = self.fault(request)
        answer = fault.answer if fault and not fault.acts else self.answer(request, request_id)
        hangs_up = fault is not None and fault.hangs_up
        # Before the answer is out, so that whoever got it finds the record.
        self.record(request, 0 if hangs_up else answer.status)
        sent = replace(answer, headers={"x-request-id": request_id, **answer.headers})
        return Reply(
            None if hangs_up else sent,
            delay=fault.delay if fault else 0,
            is_truncated=fault is not None and fault.is_truncated,
        )

    def fault(self, request: Request) -> Fault | None:
        """Return what goes wrong with this request."""
        return self.faults.take(request.method, request.api_path)

    def answer(self, request: Request, request_id: str) -> Answer:
        """Act on a request."""
        with self.state.lock:
            return self._gateway.answer(request, request_id)

    def record(self, request: Request, status: int) -> None:
        """Take note of a request and the status it is answered with, 0 for no answer."""
        seen = self.recorder.record(request, status, self._settings.clock())
        if self.on_request:
            self.on_request(seen)
