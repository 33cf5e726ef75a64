"""A server that says what it is told to, byte for byte, whatever it is asked."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

from airflow_provider_flowservice.emulator.server import ACCEPT_SECONDS


def http_answer(
    status: int | str = 200, body: Any = b"", headers: Mapping[str, str] | None = None
) -> bytes:
    """Write an HTTP answer: bytes go out as they are, all else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = {"Content-Length": str(len(content)), "Connection": "close", **(headers or {})}
    lines = [f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in head.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content


class CannedServer(ThreadingTCPServer):
    """
    Answers each request on a connection of its own.

    :param answer: Returns the bytes to answer a request with, from its first line.
    :param tls: Speaks TLS with this context.
    """

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, answer: Callable[[str], bytes], tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.heads: list[str] = []
        self._tls = tls
        super().__init__(("127.0.0.1", 0), _Handler)
        self.socket.settimeout(ACCEPT_SECONDS)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.server_address[1]}"

    @property
    def seen(self) -> list[str]:
        """The requests received, such as ``GET /runs``."""
        return [head.split(" HTTP/")[0] for head in self.heads]

    @property
    def connection(self) -> dict[str, Any]:
        """An Airflow connection to it, with a ready token, so that nobody asks for one."""
        return {
            "conn_type": "flowservice",
            "host": self.url,
            "extra": {
                "org_id": "ORG@AdobeOrg",
                "sandbox_name": "staging",
                "access_token": "ready-token-of-the-canned-server",
                "api_key": "key",
            },
        }

    def __enter__(self) -> CannedServer:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; the handshake is left to the thread that serves it."""
        connection, address = super().get_request()
        if self._tls:
            connection = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: clients hang up on purpose here."""


class _Handler(StreamRequestHandler):
    server: CannedServer

    def handle(self) -> None:
        head = b""
        while line := self.rfile.readline():
            head += line
            if line == b"\r\n":
                break
        text = head.decode("latin-1")
        for name, _, value in (entry.partition(":") for entry in text.split("\r\n")):
            if name.lower() == "content-length":
                self.rfile.read(int(value))
        self.server.heads.append(text)
        self.wfile.write(self.server.answer(text.partition(" HTTP/")[0]))


@contextlib.contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """Hand each connection to a function, in a thread of its own, and yield the address."""

    def handle(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            serve(connection)

    def accept() -> None:
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = listener.accept()
                threading.Thread(target=handle, args=(connection,), daemon=True).start()

    stopping = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # A thread that is left in `accept` could take connections of the next server.
        listener.settimeout(0.02)
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            stopping.set()
            accepting.join()
