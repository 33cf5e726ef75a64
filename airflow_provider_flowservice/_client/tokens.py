"""Access tokens: one per credential and process, fetched once however many threads ask."""

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
from airflow_provider_flowservice._connection.claims import ends_at, read_claims
from airflow_provider_flowservice._connection.settings import Settings
from airflow_provider_flowservice.exceptions import FlowServiceAuthError, FlowServiceError

log = logging.getLogger(__name__)

# Seconds before its end at which a token is renewed, if it lives long enough.
_MARGIN = 300.0
# Seconds until the next attempt when a token could not be renewed in time.
_RENEWAL_PAUSE = 30.0
# Seconds after which a token may have fewer permissions than its credential.
_OLD = 300.0
# Seconds by which this machine's clock may be wrong.
_CLOCK_ERROR = 300.0


@dataclass(frozen=True)
class Token(AuthBase):
    """
    An access token, which signs requests; its text shows in no representation.

    :param lifetime: Seconds from its making to its end.
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

    :param clock: Seconds that only ever grow; tests bring their own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._asked_at = self._stale_at = 0.0
        self._failures = 0
        self._failure: FlowServiceError | None = None

    def get(self, fetch: Callable[[], Token]) -> Token:
        """
        Return the token, or fetch one; other threads wait for the same answer meanwhile.

        :param fetch: Asks for a token.
        """
        failures = self._failures
        with self._lock:
            if self._token and self._clock() < self._stale_at:
                return self._token
            if self._failure and self._failures != failures:
                raise copy.copy(self._failure)  # it happened while this thread waited
            try:
                return self._renewed(fetch)
            except FlowServiceError as error:
                self._failures += 1
                self._failure = copy.copy(error)  # without the traceback and what hangs on it
                raise

    def renew(self, refused: Token, http_status: int) -> bool:
        """
        Forget a token the service did not take (401), or that may lack new permissions (403).

        Permissions are fixed in a token when it is made. So an old one is exchanged after a 403,
        and a young one is not: without the permission that would be a token per request.

        :return: Whether it is forgotten, now or already, so that asking for one may help.
        """
        with self._lock:
            if self._token is refused:
                if http_status == 403 and self._clock() - self._asked_at < _OLD:
                    return False
                self._token = None
            return True

    def clear(self) -> None:
        """Forget the token."""
        with self._lock:
            self._token = None

    def _renewed(self, fetch: Callable[[], Token]) -> Token:
        asked_at = self._clock()
        try:
            token = fetch()
        except FlowServiceError as error:
            old = self._token
            if not old or self._clock() >= self._asked_at + old.lifetime or not error.is_transient:
                raise
            log.warning("The access token could not be renewed yet and stays in use: %s", error)
            self._stale_at = min(self._clock() + _RENEWAL_PAUSE, self._asked_at + old.lifetime)
            return old
        self._token, self._asked_at = token, asked_at
        self._stale_at = asked_at + token.lifetime - min(_MARGIN, token.lifetime / 2)
        return token


class ReadyToken:
    """
    An access token from the connection; nobody can renew it.

    :param clock: Current epoch seconds; tests bring their own.
    """

    def __init__(self, text: str, clock: Callable[[], float] = time.time) -> None:
        self._token = Token(text, lifetime=float("inf"))
        self._ends_at = ends_at(read_claims(text))
        self._clock = clock

    def get(self, fetch: object = None) -> Token:
        """
        Return the token.

        :param fetch: Not used: there is no credential to ask for a token with.
        :raises FlowServiceAuthError: It has expired.
        """
        if self._ends_at is not None and self._clock() > self._ends_at + _CLOCK_ERROR:
            end = datetime.fromtimestamp(self._ends_at, timezone.utc)
            raise FlowServiceAuthError(
                f"The access token of the connection expired at {end:%Y-%m-%d %H:%M} UTC. Put a new "
                "one into 'access_token', or use Client ID and secret, with which this package gets "
                "tokens by itself."
            )
        return self._token

    def renew(self, refused: Token, http_status: int) -> bool:
        """Keep the token: there is no other."""
        return False


_caches: dict[tuple[str, ...], TokenCache] = {}
_caches_lock = threading.Lock()


def token_source(settings: Settings) -> TokenCache | ReadyToken:
    """Return where the tokens for ``settings`` come from: the process's one cache, or the connection."""
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
