"""HTTP with this package's rules: verified, bounded in time and size, and never redirected."""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.auth import AuthBase
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProxyError

from airflow_provider_flowservice._client.total_timeout import TimedAdapter
from airflow_provider_flowservice._json import line
from airflow_provider_flowservice.exceptions import (
    FlowServiceAnswerError,
    FlowServiceConnectionError,
)

Params = Sequence[tuple[str, str]]

_CHUNK = 64 * 1024
# Connections kept per host; trigger threads share one session.
_POOL_SIZE = 32


@dataclass(frozen=True)
class Answer:
    """
    An HTTP answer.

    :param body: The JSON in it, or ``None`` where there is none.
    :param text: The beginning of an answer that is no JSON.
    """

    http_status: int
    headers: Mapping[str, str]
    body: Any
    text: str = ""

    @property
    def is_success(self) -> bool:
        """Whether the request was granted."""
        return 200 <= self.http_status < 300

    @property
    def retry_after(self) -> float | None:
        """Seconds the service asks to wait, given as a number or as a date."""
        return parse_retry_after(self.headers.get("Retry-After"), time.time())


class HttpSession:
    """
    Sends requests, each once, and reads the whole answer.

    :param ca_bundle: Path of the CA bundle to verify servers with, instead of the usual one.
    :param timeout: Seconds to wait for a connection, and for one whole answer.
    :param largest_answer: Bytes of the largest answer taken, unpacked.
    """

    def __init__(self, *, ca_bundle: str | None, timeout: float, largest_answer: int) -> None:
        self._ca_bundle = ca_bundle
        self._timeout = timeout
        self._largest_answer = largest_answer
        self._session = _new_session()

    def send(
        self,
        method: str,
        url: str,
        *,
        auth: AuthBase,
        params: Params = (),
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """
        Send a request and read the answer, whatever its status.

        :param auth: Signs the request. Without one, requests would look into ``.netrc``.
        :raises FlowServiceConnectionError: No whole answer came.
        :raises FlowServiceAnswerError: The answer is too large.
        """
        request = requests.Request(
            method, url, params=list(params), headers=dict(headers or {}), auth=auth
        )
        prepared = self._session.prepare_request(request)
        shown = f"{method} {url.split('?')[0]}"
        try:
            if method == "GET":
                return self._exchange(self._session, prepared, shown)
            # A connection kept alive may be dead, and a request lost on it cannot be told from one
            # that arrived. A new connection fails before anything is sent.
            with _new_session() as session:
                return self._exchange(session, prepared, shown)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise _connection_error(shown, error) from None

    def _exchange(
        self, session: requests.Session, prepared: requests.PreparedRequest, shown: str
    ) -> Answer:
        with session.send(
            prepared,
            timeout=self._timeout,
            allow_redirects=False,
            **self._environment(session, prepared.url or ""),
        ) as response:
            try:
                content = _read(response, self._largest_answer)
            except _TooLargeError:
                raise FlowServiceAnswerError(
                    f"{shown}: the answer is larger than {self._largest_answer} bytes.",
                    http_status=response.status_code,
                ) from None
            return _answer(response, content)

    def _environment(self, session: requests.Session, url: str) -> dict[str, Any]:
        """Take proxies and CA bundle from the standard variables, as requests does."""
        settings = session.merge_environment_settings(url, {}, True, None, None)
        if self._ca_bundle:
            settings["verify"] = self._ca_bundle
        if url.startswith("http://"):
            # Allowed to loopback addresses only. A proxy would carry the token over the network.
            settings["proxies"] = {}
        return dict(settings)


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Follow no redirect, and do not read its body to find out where it leads."""


class _TooLargeError(Exception):
    pass


def _new_session() -> requests.Session:
    session = _Session()
    session.headers["Accept-Encoding"] = "gzip"  # what _unpacked knows
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = TimedAdapter(pool_maxsize=_POOL_SIZE)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _read(response: requests.Response, largest: int) -> bytes:
    """Read and unpack an answer; urllib3 would unpack what it reads without a bound."""
    packed = response.raw.stream(_CHUNK, decode_content=False)
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    content = bytearray()
    for chunk in packed if encoding == "identity" else _unpacked(packed, encoding):
        content += chunk
        if len(content) > largest:
            raise _TooLargeError
    return bytes(content)


def _unpacked(packed: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    if encoding not in ("gzip", "x-gzip"):
        raise requests.exceptions.ContentDecodingError(f"unknown encoding {line(encoding, 50)!r}")
    unpacker = zlib.decompressobj(wbits=31)  # gzip
    try:
        for chunk in packed:
            rest, part = chunk, b""
            # A full part may leave more behind, even when all of the chunk is used up.
            while not unpacker.eof and (rest or len(part) == _CHUNK):
                yield (part := unpacker.decompress(rest, _CHUNK))
                rest = unpacker.unconsumed_tail
        if not unpacker.eof:
            raise requests.exceptions.ContentDecodingError("the gzip data breaks off")
    except zlib.error as error:
        raise requests.exceptions.ContentDecodingError(f"broken gzip data: {error}") from None


def _answer(response: requests.Response, content: bytes) -> Answer:
    try:
        return Answer(response.status_code, response.headers, json.loads(content or b"null"))
    except (ValueError, RecursionError):
        text = content[:2000].decode("utf-8", errors="replace")
        return Answer(response.status_code, response.headers, None, text)


def parse_retry_after(value: str | None, now: float) -> float | None:
    """
    Read a ``Retry-After`` header as seconds from now; ``None`` where it makes no sense.

    :param now: Epoch seconds, to which a date is compared.
    """
    value = (value or "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
        return min(float(value[:20]), 1e9)
    with contextlib.suppress(ValueError, TypeError, OverflowError, IndexError):
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    return None


def _connection_error(shown: str, error: Exception) -> FlowServiceConnectionError:
    chain = list(_causes(error))
    reason = re.sub(r"^(<[^>]*>|\w+\([^)]*\)): ", "", str(chain[-1]))
    # The URL of a proxy may hold a password.
    reason = line(re.sub(r"//\S*@", "//***@", reason), 300)
    if any(isinstance(cause, ProxyError) for cause in chain):
        reason = f"the proxy: {reason}"
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in chain):
        reason += "; behind a proxy that opens TLS, set 'ca_bundle' of the connection"
    return FlowServiceConnectionError(
        f"{shown} got no answer: {reason or type(error).__name__}.",
        sent="no" if any(map(_is_before_sending, chain)) else "maybe",
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Go from an error of requests to what happened, through all that is wrapped around it."""
    while error is not None:
        yield error
        inside = (getattr(error, "reason", None), *error.args)
        error = next((inner for inner in inside if isinstance(inner, BaseException)), None)


def _is_before_sending(error: BaseException) -> bool:
    """
    Whether an error belongs to making a connection: nothing was sent on it yet.

    A ``ProxyError`` proves nothing: old releases of urllib3 raise it for a lost answer, too.
    """
    unsent = (ConnectTimeoutError, NewConnectionError, ssl.SSLCertVerificationError)
    return isinstance(error, unsent) or str(error).startswith("Tunnel connection failed")
