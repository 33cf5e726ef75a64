"""The token service."""

from __future__ import annotations

import base64
import json
import uuid
from urllib.parse import parse_qsl

from airflow_provider_flowservice.emulator import errors
from airflow_provider_flowservice.emulator.messages import JSON, Answer, Request
from airflow_provider_flowservice.emulator.settings import EmulatorSettings

SCOPES = frozenset(
    {
        "openid",
        "AdobeID",
        "read_organizations",
        "additional_info",
        "additional_info.projectedProductContext",
        "additional_info.roles",
        "adobeio_api",
        "session",
    }
)


class Ims:
    """Issues tokens, and knows those that are good. Not thread-safe by itself."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self._settings = settings
        self._expiries: dict[str, float] = {}

    def answer(self, request: Request) -> Answer:
        """Answer a request for a token; the form may be in the body or in the query."""
        form = dict(parse_qsl(request.body.decode()) + request.query)
        if form.get("grant_type") != "client_credentials":
            raise errors.ims("unsupported_grant_type", "grant_type must be client_credentials")
        if form.get("client_id") != self._settings.client_id:
            raise errors.ims("invalid_client", "invalid client_id parameter")
        if form.get("client_secret") != self._settings.client_secret:
            raise errors.ims("invalid_client", "invalid client_secret parameter")
        scope = form.get("scope", "")
        if unknown := [name for name in scope.split(",") if name not in SCOPES]:
            raise errors.ims("invalid_scope", f"scope not granted: {unknown[0] or '(none)'}")
        if "AdobeID" not in scope.split(","):
            raise errors.ims("invalid_scope", "scope AdobeID is missing")
        body = {
            "access_token": self.issue(scope),
            "token_type": "bearer",
            "expires_in": int(self._settings.token_lifetime),
        }
        return Answer(200, body)

    def issue(self, scope: str) -> str:
        """Return a new token; only its form is that of a signed one."""
        now = self._settings.clock()
        token = ".".join(
            (
                _encoded({"alg": "RS256", "kid": "ims-na1-key-emulator"}),
                _encoded(self._claims(scope)),
                uuid.uuid4().hex,
            )
        )
        self._expiries = {old: end for old, end in self._expiries.items() if end > now}
        self._expiries[token] = now + self._settings.token_lifetime
        return token

    def accepts(self, token: str) -> bool:
        """Tell whether a token was issued here and is still good."""
        return self._expiries.get(token, 0) > self._settings.clock()

    def revoke_all(self) -> None:
        """Make all tokens issued so far invalid."""
        self._expiries.clear()

    def _claims(self, scope: str) -> JSON:
        # Both times are milliseconds and text, unlike ``expires_in`` of the answer.
        return {
            "id": str(uuid.uuid4()),
            "type": "access_token",
            "as": "ims-na1",
            "client_id": self._settings.client_id,
            "user_id": "EMULATOR@techacct.adobe.com",
            "org": self._settings.org_id,
            "scope": scope,
            "created_at": str(self._settings.now_ms()),
            "expires_in": str(int(self._settings.token_lifetime * 1000)),
        }


def _encoded(part: JSON) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
