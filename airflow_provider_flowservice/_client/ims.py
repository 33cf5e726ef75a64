"""Gets access tokens from IMS, Adobe's identity service."""

from __future__ import annotations

from collections.abc import Mapping

from requests import PreparedRequest
from requests.auth import AuthBase

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._client.errors import error_of
from airflow_provider_flowservice._client.http import HttpResponse, HttpSession
from airflow_provider_flowservice._client.tokens import Token
from airflow_provider_flowservice._compat import mask_secret
from airflow_provider_flowservice._connection.settings import Settings

TOKEN_PATH = "/ims/token/v3"

# Tokens live about a day. A larger number is in milliseconds, which IMS uses elsewhere.
_LONGEST_LIFETIME = 10**7
_FALLBACK_LIFETIME = 600.0

_REFUSALS = {
    "scope": (
        "IMS does not grant the scope: check 'scopes' of the connection against the list shown for "
        "the credential in the Developer Console"
    ),
    "client_secret": "The client secret (password) of the connection is wrong, or was deleted",
    "client_id": "The Client ID (login) of the connection is wrong",
}
_ANY_REFUSAL = "IMS refuses the credential: check Client ID, client secret and 'scopes'"


class _Credential(AuthBase):
    """Puts the credential into the request body, since query strings end up in logs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret,
            "scope": self._settings.scopes,
        }
        request.prepare_body(form, None)
        return request


def fetch_token(settings: Settings, http: HttpSession) -> Token:
    """
    Request a token, without retries.

    :raises FlowServiceAuthError: IMS refused the credential.
    """
    response = http.send(
        "POST",
        settings.ims_url + TOKEN_PATH,
        headers={"Accept": "application/json"},
        auth=_Credential(settings),
    )
    if not response.is_success:
        raise _refusal(response, settings)
    body = response.body if isinstance(response.body, Mapping) else {}
    text = body.get("access_token")
    # The token becomes part of an HTTP header.
    if not isinstance(text, str) or not text or not text.isascii() or not text.isprintable():
        raise exceptions.FlowServiceAnswerError(
            "The response of IMS is without an access token: check 'ims_url' of the connection.",
            http_status=response.http_status,
        )
    mask_secret(text)
    return Token(text, _lifetime(body.get("expires_in")))


def _lifetime(value: object) -> float:
    try:
        seconds = float(value) if isinstance(value, (int, float, str)) else 0.0
    except (ValueError, OverflowError):
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        return _FALLBACK_LIFETIME
    return seconds / 1000 if seconds > _LONGEST_LIFETIME else seconds


def _refusal(response: HttpResponse, settings: Settings) -> exceptions.FlowServiceApiError:
    """Return the error for a refusal; it names the part of the credential that IMS refused."""
    error = error_of(
        response,
        f"POST {TOKEN_PATH} of IMS",
        [settings.client_secret],
        hint_for=lambda *_: _hint(response),
    )
    if isinstance(error, exceptions.FlowServiceNotFoundError):
        # The caller would take this class for a missing run.
        return exceptions.FlowServiceApiError(*error.args, **vars(error))
    is_throttled = isinstance(error, exceptions.FlowServiceThrottledError)
    if response.http_status in (400, 401, 403) and not is_throttled:
        return exceptions.FlowServiceAuthError(*error.args, **vars(error))
    return error


def _hint(response: HttpResponse) -> str | None:
    status = response.http_status
    if status in (400, 401, 403):
        body = response.body if isinstance(response.body, Mapping) else {}
        words = f"{body.get('error')} {body.get('error_description')}".lower()
        return next((hint for word, hint in _REFUSALS.items() if word in words), _ANY_REFUSAL)
    if status == 429:
        return "IMS throttles a credential that requests too many tokens"
    return "Check 'ims_url' of the connection" if 300 <= status < 500 else None
