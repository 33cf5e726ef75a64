"""HTTP with verified servers, bounded time and size, and without redirects."""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.auth import AuthBase
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProxyError

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._client.total_timeout import TimedAdapter
from airflow_provider_flowservice._json import line

Params = Sequence[tuple[str, str]]
Store = Callable[[Iterator[bytes]], None]
"""Takes a body part by part. It need not read all: the connection is closed then."""

_CHUNK = 64 * 1024
# Values of Content-Encoding for a body as it is: the standard's, and what servers send by mistake.
_UNPACKED = frozenset({"identity", "", "none", "utf-8"})
_GZIP_START = b"\x1f"
# Connections kept per host; the threads of a triggerer share one session.
_POOL_SIZE = 32


@dataclass(frozen=True)
class HttpResponse:
    """
    An HTTP response that was read completely.

    :param body: The JSON in it; ``None`` if it is empty or no JSON.
    :param text: The beginning of a body that is no JSON.
    """

    http_status: int
    headers: Mapping[str, str]
    body: Any
    text: str = ""

    @property
    def is_success(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.http_status < 300

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait according to ``Retry-After``, which may hold a number or a date."""
        return parse_retry_after(self.headers.get("Retry-After"), time.time())


class HttpSession:
    """
    Sends requests, each once, and reads the whole response.

    :param ca_bundle: Path of the CA bundle to verify servers with; ``None`` for the default one.
    :param timeout: Seconds to wait for a connection, and for one whole response.
    :param largest_response: Largest accepted response, in bytes after unpacking.
    """

    def __init__(self, *, ca_bundle: str | None, timeout: float, largest_response: int) -> None:
        self._ca_bundle = ca_bundle
        self._timeout = timeout
        self._largest_response = largest_response
        self._session = _new_session()

    def send(
        self,
        method: str,
        url: str,
        *,
        auth: AuthBase,
        params: Params = (),
        headers: Mapping[str, str] | None = None,
        body: object = None,
        before_send: Callable[[], None] | None = None,
        store: Store | None = None,
    ) -> HttpResponse:
        """
        Send a request and read the response, whatever its status.

        :param auth: Signs the request. Without one, ``requests`` would read ``.netrc``.
        :param body: Sent as JSON; ``None`` for no body.
        :param before_send: Called right before a request other than GET is sent; if it raises, nothing
            is sent.
        :param store: Takes the body of a success, which is not in the response then.
        :raises FlowServiceConnectionError: No complete response came.
        :raises FlowServiceAnswerError: The response is too large.
        """
        request = requests.Request(
            method, url, params=params, headers=headers, json=body, auth=auth
        )
        prepared = self._session.prepare_request(request)
        shown = f"{method} {url.split('?')[0]}"
        try:
            if method == "GET":
                return self._exchange(self._session, prepared, shown, store)
            # A connection kept alive may be dead, and a request lost on it looks like one that
            # arrived. A new connection fails before anything is sent.
            with _new_session(before_send) as session:
                return self._exchange(session, prepared, shown, store)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise connection_error(shown, error) from None

    def _exchange(
        self,
        session: requests.Session,
        prepared: requests.PreparedRequest,
        shown: str,
        store: Store | None,
    ) -> HttpResponse:
        with session.send(
            prepared,
            timeout=self._timeout,
            allow_redirects=False,
            **self._environment(session, prepared.url or ""),
        ) as response:
            parts = _parts_of(response, self._largest_response, shown)
            without_body = HttpResponse(response.status_code, response.headers, None)
            if store is not None and without_body.is_success:
                store(parts)
                return without_body
            content = b"".join(parts)
            try:
                body, text = json.loads(content or b"null"), ""
            except (ValueError, RecursionError):
                body, text = None, content[:2000].decode("utf-8", errors="replace")
            return replace(without_body, body=body, text=text)

    def _environment(self, session: requests.Session, url: str) -> dict[str, Any]:
        """Take proxies and CA bundle from the standard variables, as ``requests`` does."""
        settings = session.merge_environment_settings(url, {}, True, None, None)
        if self._ca_bundle:
            settings["verify"] = self._ca_bundle
        if url.startswith("http://"):
            # Such URLs lead to loopback addresses only; a proxy would carry the token over the
            # network.
            settings["proxies"] = {}
        return dict(settings)


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Follow no redirect, and read no body to find its target."""


def _new_session(before_send: Callable[[], None] | None = None) -> requests.Session:
    session = _Session()
    session.headers["Accept-Encoding"] = "gzip"  # the one encoding that _unpacked supports
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = TimedAdapter(pool_maxsize=_POOL_SIZE, before_send=before_send)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _parts_of(response: requests.Response, largest: int, shown: str) -> Iterator[bytes]:
    """Read and unpack a response part by part, since urllib3 unpacks without a limit."""
    packed = response.raw.stream(_CHUNK, decode_content=False)
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    size = 0
    for part in packed if encoding in _UNPACKED else _unpacked(packed, encoding):
        size += len(part)
        if size > largest:
            raise exceptions.FlowServiceAnswerError(
                f"{shown}: the response is larger than {largest} bytes.",
                http_status=response.status_code,
            )
        yield part


def _unpacked(packed: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    if encoding not in ("gzip", "x-gzip"):
        raise requests.exceptions.ContentDecodingError(f"unknown encoding {line(encoding, 50)!r}")
    unpacker = zlib.decompressobj(wbits=31)  # gzip
    is_empty = True
    try:
        for chunk in packed:
            rest, part, is_empty = chunk, b"", False
            # After a full part, more output may be left even if the whole chunk is used up.
            while rest or (len(part) == _CHUNK and not unpacker.eof):
                if unpacker.eof:
                    if not rest.startswith(_GZIP_START):
                        break  # padding
                    unpacker = zlib.decompressobj(wbits=31)  # the next member of the gzip data
                yield (part := unpacker.decompress(rest, _CHUNK))
                rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
        if not unpacker.eof and not is_empty:
            raise requests.exceptions.ContentDecodingError("the gzip data is cut off")
    except zlib.error as error:
        raise requests.exceptions.ContentDecodingError(f"broken gzip data: {error}") from None


def parse_retry_after(value: str | None, now: float) -> float | None:
    """
    Read a ``Retry-After`` header, which holds seconds or a date.

    :param now: Current epoch seconds.
    :return: Seconds from now; ``None`` if the header is missing or invalid.
    """
    value = (value or "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
        return min(float(value[:20]), 1e9)
    with contextlib.suppress(ValueError, TypeError, OverflowError, IndexError):
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    return None


def connection_error(shown: str, error: Exception) -> exceptions.FlowServiceConnectionError:
    """
    Return the error of a request that got no response, with the innermost reason.

    :param shown: The request, or whom it was sent to.
    """
    chain = list(_causes(error))
    reason = re.sub(r"^(<[^>]*>|\w+\([^)]*\)): ", "", str(chain[-1]))
    # The URL of a proxy may hold a password.
    reason = line(re.sub(r"//\S*@", "//***@", reason), 300)
    if any(isinstance(cause, ProxyError) for cause in chain):
        reason = f"the proxy: {reason}"
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in chain):
        reason += "; behind a proxy that intercepts TLS, set 'ca_bundle' of the connection"
    return exceptions.FlowServiceConnectionError(
        f"{shown} got no response: {reason or type(error).__name__}.",
        sent="no" if any(map(_is_before_sending, chain)) else "maybe",
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """List an error of ``requests`` and its causes, the innermost last."""
    while error is not None:
        yield error
        inside = (getattr(error, "reason", None), *error.args)
        error = next((inner for inner in inside if isinstance(inner, BaseException)), None)


def _is_before_sending(error: BaseException) -> bool:
    """
    Whether an error occurred while connecting, before anything was sent.

    A ``ProxyError`` proves nothing: old releases of urllib3 raise it for a lost response, too.
    """
    unsent = (ConnectTimeoutError, NewConnectionError, ssl.SSLCertVerificationError)
    return isinstance(error, unsent) or str(error).startswith("Tunnel connection failed")
