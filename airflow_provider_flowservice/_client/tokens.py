"""Access tokens: one per credential and process, shared by all threads."""

from __future__ import annotations

import copy
import hashlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone

from requests import PreparedRequest
from requests.auth import AuthBase

from airflow_provider_flowservice._compat import mask_secret
from airflow_provider_flowservice._connection.claims import expires_at, read_claims
from airflow_provider_flowservice._connection.settings import Settings
from airflow_provider_flowservice.exceptions import FlowServiceAuthError, FlowServiceError

log = logging.getLogger(__name__)

# Seconds before its expiry at which a token becomes stale, see TokenCache.
_MARGIN = 300.0
# Seconds between attempts to renew a stale token.
_RENEWAL_PAUSE = 30.0
# Age in seconds from which a token may lack permissions that its credential has got since.
_OLD = 300.0
# Largest expected error of this machine's clock, in seconds.
_CLOCK_ERROR = 300.0


@dataclass(frozen=True)
class Token(AuthBase):
    """
    An access token that signs requests.

    :param text: The token; no representation shows it.
    :param lifetime: Seconds from issue to expiry.
    """

    text: str = field(repr=False)
    lifetime: float

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign a request."""
        request.headers["Authorization"] = f"Bearer {self.text}"
        return request


class TokenCache:
    """
    The token of one credential.

    A token is *fresh*, then *stale*, then *expired*. It becomes stale 300 s before its expiry, or
    after half of its lifetime if it lives less than 600 s. The cache renews a stale token, and goes
    on with it while IMS is unavailable; it then tries again every 30 s until the token expires.

    :param clock: Current monotonic seconds; tests pass their own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._issued_mono = self._stale_mono = 0.0
        self._failures = 0
        self._failure: FlowServiceError | None = None

    def get(self, fetch: Callable[[], Token]) -> Token:
        """Return the token, or fetch one while other threads wait for the result."""
        failures = self._failures
        with self._lock:
            if self._token and self._clock() < self._stale_mono:
                return self._token
            if self._failure and self._failures != failures:
                raise copy.copy(self._failure)  # of another thread, which fetched meanwhile
            try:
                return self._renewed(fetch)
            except FlowServiceError as error:
                self._failures += 1
                self._failure = copy.copy(error)  # without the traceback and its frames
                raise

    def renew(self, refused: Token, http_status: int) -> bool:
        """
        Forget a token that the service rejected (401), or that may lack new permissions (403).

        Permissions are fixed in a token when it is issued. So the cache replaces an old token after
        a 403, but not a young one: if the permission is missing, every request would cost a token.

        :return: Whether the token is forgotten, so that a retry with a new one may succeed.
        """
        with self._lock:
            if self._token is refused:
                if http_status == 403 and self._clock() - self._issued_mono < _OLD:
                    return False
                self._token = None
            return True

    def clear(self) -> None:
        """Forget the token."""
        with self._lock:
            self._token = None

    def _renewed(self, fetch: Callable[[], Token]) -> Token:
        issued_mono = self._clock()
        try:
            token = fetch()
        except FlowServiceError as error:
            old = self._token
            if not (
                old and error.is_transient and self._clock() < self._issued_mono + old.lifetime
            ):
                raise
            log.warning(
                "Cannot renew the access token; it stays in use until it expires: %s", error
            )
            self._stale_mono = min(self._clock() + _RENEWAL_PAUSE, self._issued_mono + old.lifetime)
            return old
        self._token, self._issued_mono = token, issued_mono
        self._stale_mono = issued_mono + token.lifetime - min(_MARGIN, token.lifetime / 2)
        return token


class ReadyToken:
    """
    A pre-issued access token from the connection, which cannot be refreshed.

    :param text: The token.
    :param clock: Current epoch seconds; tests pass their own.
    """

    def __init__(self, text: str, clock: Callable[[], float] = time.time) -> None:
        self._token = Token(text, lifetime=float("inf"))
        self._expires_at = expires_at(read_claims(text))
        self._clock = clock

    def get(self, fetch: object = None) -> Token:
        """
        Return the token.

        :param fetch: Not used, since there is no credential to request a token with.
        :raises FlowServiceAuthError: The token has expired.
        """
        if self._expires_at is not None and self._clock() > self._expires_at + _CLOCK_ERROR:
            expiry = datetime.fromtimestamp(self._expires_at, timezone.utc)
            raise FlowServiceAuthError(
                f"The access token of the connection expired at {expiry:%Y-%m-%d %H:%M} UTC. Put a "
                "new one into 'access_token', or use Client ID and secret, with which the package "
                "requests and renews tokens itself."
            )
        return self._token

    def renew(self, refused: Token, http_status: int) -> bool:
        """Keep the token, since no other one can be requested."""
        return False


_caches: dict[tuple[str, ...], TokenCache] = {}
_caches_lock = threading.Lock()


def token_source(settings: Settings) -> TokenCache | ReadyToken:
    """Return the source of tokens for ``settings``: a cache of this process, or the connection."""
    for secret in filter(None, (settings.access_token, settings.client_secret)):
        mask_secret(secret)
    if settings.access_token:
        return ReadyToken(settings.access_token)
    secret = hashlib.sha256(settings.client_secret.encode()).hexdigest()
    key = (settings.ims_url, settings.client_id, secret, settings.scopes)
    with _caches_lock:
        return _caches.setdefault(key, TokenCache())


def drop_tokens() -> None:
    """Forget all tokens of this process."""
    with _caches_lock:
        for cache in _caches.values():
            cache.clear()
