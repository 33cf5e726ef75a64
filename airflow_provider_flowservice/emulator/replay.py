"""A recording on a port: requests get the answers that were recorded."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from airflow_provider_flowservice.emulator import errors, recording
from airflow_provider_flowservice.emulator.connection import connection_to
from airflow_provider_flowservice.emulator.loopback import ConnectableService
from airflow_provider_flowservice.emulator.messages import JSON, Answer, Reply, Request
from airflow_provider_flowservice.emulator.playback import Playback, answer_of, request_of
from airflow_provider_flowservice.emulator.recorder import Recorder, Seen, route_of
from airflow_provider_flowservice.emulator.settings import EmulatorSettings

_TOKEN = {"access_token": "token-of-a-replay", "token_type": "bearer", "expires_in": 86399}


class Replay(ConnectableService):
    """
    A recording on a loopback port, which answers as the recorded service did.

    A context manager. A request is known by its method, path, query and JSON body; times in filters and
    bodies, headers and the token do not count. Several answers to the same request come in their
    order, and the last one again and again. A request that the recording does not hold gets HTTP 501.

    :param path: File of the recording.
    :param host: Loopback address to listen on.
    :param port: Port to listen on, 0 for a free one.
    :raises OSError: The file cannot be read.
    :raises ValueError: The file is no recording, or the host is not a loopback address.
    """

    def __init__(self, path: str | Path, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host, port)
        self.recording = recording.read(Path(path))
        self._playback = Playback(self.recording.exchanges)
        self._unanswered = Recorder()
        self._listener: Callable[[Seen], None] | None = None

    @property
    def routes(self) -> Counter[str]:
        """How many exchanges the recording holds of each route, such as ``GET /runs/{id}``."""
        return Counter(route_of(request_of(exchange)) for exchange in self.recording.exchanges)

    @property
    def unanswered(self) -> list[Seen]:
        """The last requests that the recording does not hold, oldest first."""
        return self._unanswered.requests()

    def on_request(self, listener: Callable[[Seen], None]) -> None:
        """Call a function with each request from now on, in the thread that serves it."""
        self._listener = listener

    @property
    def connection(self) -> JSON:
        """The Airflow connection to it, with the client that the recording names."""
        secret = EmulatorSettings.client_secret  # any would do
        return connection_to(self.url, client_secret=secret, **self.recording.client)

    def _respond(self, request: Request) -> Reply:
        exchange = self._playback.next(request)
        if exchange:
            answer = answer_of(exchange)
        elif request.asks_for_token:
            answer = Answer(200, _TOKEN)
        else:
            answer = self._refuse(request)
        if self._listener:
            self._listener(Seen.of(request, answer.status if answer else 0, time.time()))
        return Reply(answer)

    def _refuse(self, request: Request) -> Answer:
        refusal = errors.not_recorded(Seen.of(request, 0, 0).line)
        self._unanswered.record(request, refusal.status, time.time())
        return Answer(refusal.status, refusal.body)
