"""Writes exchanges into a recording, each as soon as it is over, and scrubbed before it is written."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from airflow_provider_flowservice._client.client import API_PATH, SANDBOXES_PATH
from airflow_provider_flowservice._connection.settings import Settings
from airflow_provider_flowservice._recording.scrub import Scrubber, UnreadableError
from airflow_provider_flowservice.emulator.messages import Request
from airflow_provider_flowservice.emulator.recording import Exchange, end_line, head_line

ABOUT = """\
Requests of an Airflow provider to the Flow Service of Adobe Experience Platform, and its responses.
Replaced, by the same word or ID wherever the same one stood: IDs, page tokens, and names of organizations, \
sandboxes, clients, flows, files, tables and hosts.
Removed: tokens and other credentials, most headers, and each key, word and value that is not known to be \
harmless. In texts of errors, \N{HORIZONTAL ELLIPSIS} stands for what was removed.
Kept: times, counts of records, files and bytes, statuses, error codes, the words of Adobe's own messages, and \
which of the known keys there are.
Not recorded: rejected rows, and bodies that are no JSON.
Read it before you send it to anybody.""".splitlines()

_READABLE = (f"{API_PATH}/", SANDBOXES_PATH, "/ims/token")
_MEASURED = 3  # digits after the point of seconds


class Response(NamedTuple):
    """A response as it was received."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Recorder:
    """
    Writes a recording; a context manager.

    :param path: File to make. It must not exist, and only its owner may read it.
    :param settings: The connection whose client, organization and sandbox get other names first.
    :param keep: Further keys and words that are harmless, as the user says.
    :param clock: Current monotonic seconds; tests pass their own.
    :raises OSError: The file exists, or cannot be made.
    """

    def __init__(
        self,
        path: Path,
        settings: Settings,
        keep: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.scrubber = Scrubber(keep)
        self.exchanges = 0
        self.refused: list[str] = []
        self._clock = clock
        self._lock = threading.Lock()
        mode = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        self._file = os.fdopen(os.open(path, mode, 0o600), "w", encoding="utf-8")
        self._began = clock()
        client = {
            "client_id": self.scrubber.name(settings.api_key),
            "org_id": self.scrubber.name(settings.org_id),
            "sandbox_name": self.scrubber.name(settings.sandbox_name),
        }
        self._write(head_line(ABOUT, client))

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock, self._named_if_it_fails("the last line"), self._file:
            self._write(end_line(dict(self.scrubber.removed)))

    def now(self) -> float:
        """Return the seconds since the recording began."""
        return self._clock() - self._began

    def record(self, request: Request, response: Response | None, at: float) -> None:
        """
        Write an exchange.

        :param response: ``None`` if none came.
        :param at: When the request came, see :meth:`now`.
        """
        seconds = self.now() - at
        with self._lock:
            try:
                exchange = self._exchange(request, response, at, seconds)
            except Exception as error:  # noqa: BLE001  # who sent the request gets the response all the same
                exchange = Exchange(
                    "", "", refused=f"It cannot be searched: {type(error).__name__}."
                )
            self.exchanges += 1
            what = f"{exchange.method} {exchange.path}".strip() or "A request"
            if exchange.refused:
                self.refused.append(f"{what}: {exchange.refused}")
            with self._named_if_it_fails(what):
                self._write(exchange.as_line())

    def _exchange(
        self, request: Request, response: Response | None, at: float, seconds: float
    ) -> Exchange:
        scrubber = self.scrubber
        before = scrubber.removed.copy()
        is_ims = request.path.startswith("/ims/")
        path, query = scrubber.path(request.path), scrubber.query(request.raw_query)
        headers = scrubber.request_headers(request.headers)
        refused, sent, received = "", None, None
        try:
            sent = None if is_ims else scrubber.json(request.body)
        except UnreadableError as error:
            refused = f"The request has {error}."
        try:
            if response is not None:
                received = self._body(request, response)
        except UnreadableError as error:
            refused = f"{refused} The response has {error}.".strip()
        return Exchange(
            method=request.method,
            path=path,
            query=query,
            request_headers=headers,
            request_body=sent,
            status=response.status if response else None,
            headers=scrubber.response_headers(response.headers) if response else {},
            body=received,
            refused=refused,
            at=round(at, _MEASURED),
            seconds=round(seconds, _MEASURED),
            removed=dict(scrubber.removed - before),
        )

    def _body(self, request: Request, response: Response) -> object:
        path = unquote(request.path)
        if not path.startswith(_READABLE) or ".." in path:
            raise UnreadableError(f"{len(response.body)} bytes that are not of the Flow Service")
        return self.scrubber.json(response.body)

    @contextmanager
    def _named_if_it_fails(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:  # such as a full disk
            self.refused.append(f"{what}: {error.strerror}.")

    def _write(self, line: str) -> None:
        self._file.write(f"{line}\n")
        self._file.flush()
