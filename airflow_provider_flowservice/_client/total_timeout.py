"""
Transport adapter for ``requests`` that limits the time of a whole response, and skips interim ones.

The timeout of ``requests`` limits each wait for the next bytes, so a server that sends a byte now
and then could block a worker for hours. The adapter can also ask its caller once more, on a connection
that is made, whether to send the request.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class TimedAdapter(HTTPAdapter):
    """
    Adapter whose read timeout limits a response from its first byte to its last.

    :param before_send: Called once the connection is made, right before the request is sent; if it
        raises, nothing is sent.
    """

    def __init__(self, *, pool_maxsize: int, before_send: Callable[[], None] | None = None) -> None:
        self._pools = {
            "http": partial(_Pool, before_send=before_send),
            "https": partial(_TlsPool, before_send=before_send),
        }
        super().__init__(pool_maxsize=pool_maxsize)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make connections that limit the time of a response."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Make connections through a proxy that limit the time of a response."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


class _TimedResponse(http.client.HTTPResponse):
    """A response that is read until its deadline."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        seconds = sock.gettimeout()
        if seconds is not None:
            raw = self.fp.detach()
            self.fp = io.BufferedReader(_TimedReader(raw, sock, time.monotonic() + seconds))

    def begin(self) -> None:
        """Read the head, after interim responses, of which ``http.client`` skips only 100."""
        super().begin()
        while 101 < self.status < 200:  # after 101, Switching Protocols, no response would follow
            self.headers = None  # type: ignore[assignment]  # otherwise the head counts as read
            super().begin()


class _TimedReader(io.RawIOBase):
    """The bytes of a socket; reading raises an error after the deadline."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline_mono: float) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._deadline_mono = deadline_mono

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline_mono - time.monotonic()
        if left <= 0:
            raise TimeoutError("the response took too long")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedConnection(HTTPConnection):
    response_class = _TimedResponse
    # With a debug level, http.client prints requests, and so the token and the secret.
    debuglevel = 0

    def __init__(
        self, *args: Any, before_send: Callable[[], None] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._before_send = before_send

    def endheaders(self, *args: Any, **kwargs: Any) -> None:
        """Send the request, of which nothing has been sent so far."""
        if self._before_send is not None:
            if self.sock is None:
                self.connect()
            self._before_send()
        super().endheaders(*args, **kwargs)


class _TimedTlsConnection(_TimedConnection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _TimedConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TimedTlsConnection
