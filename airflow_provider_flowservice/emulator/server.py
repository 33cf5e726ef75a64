"""Sockets, threads and HTTP around whatever responds to requests."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Callable
from functools import partialmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from airflow_provider_flowservice.emulator.messages import Answer, Reply, Request

ACCEPT_SECONDS = 0.1
"""Longest wait for a connection that was announced."""


class Server(ThreadingHTTPServer):
    """
    Serves until it is closed, and then hangs up on everyone.

    :param address: Host and port to listen on.
    :param respond: Acts on a request, in the thread of its connection.
    """

    request_queue_size = 512
    daemon_threads = True

    def __init__(self, address: tuple[str, int], respond: Callable[[Request], Reply]) -> None:
        self.respond = respond
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(address, Handler)  # last: if it cannot bind, it closes

    def server_bind(self) -> None:
        """Bind, without the name look-up that the HTTP server of Python makes here."""
        TCPServer.server_bind(self)
        # A connection that is gone before it is accepted would block the loop, and the end, for ever.
        self.socket.settimeout(ACCEPT_SECONDS)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, so that it can be ended."""
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection when it ends."""
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Stop listening, and hang up on everyone still connected."""
        self.stopping.set()
        super().server_close()
        with self._connections_lock:
            for connection in self._connections:
                hang_up(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print the traceback, unless it is only a client that went away."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Reads the requests of one connection and writes the answers."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "FlowServiceEmulator"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet for headers and body

    def _handle(self) -> None:
        reply = self.server.respond(self._read())
        self.server.stopping.wait(reply.delay)
        if reply.answer:
            self._send(reply.answer, truncated=reply.is_truncated)
        else:
            self.close_connection = True
            hang_up(self.connection)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = partialmethod(_handle)

    def _read(self) -> Request:
        path, _, raw_query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        return Request(
            method=self.command,
            path=path,
            raw_query=raw_query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )

    def _send(self, answer: Answer, truncated: bool) -> None:
        body, content_type = answer.encoded()
        # What a proxy answers with has headers of its own.
        headers = {
            "Server": self.version_string(),
            "Date": self.date_time_string(),
            "Content-Type": content_type,
            **answer.headers,
        }
        self.send_response_only(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) + (1000 if truncated else 0)))
        self.end_headers()
        self.wfile.write(body)
        if truncated:
            self.wfile.flush()
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent; whoever responds keeps the record."""


def hang_up(connection: socket.socket) -> None:
    """End a connection from both sides."""
    with contextlib.suppress(OSError):  # the other side was faster
        connection.shutdown(socket.SHUT_RDWR)
