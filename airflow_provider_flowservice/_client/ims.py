"""Asks IMS, Adobe's identity service, for an access token."""

from __future__ import annotations

from collections.abc import Mapping

from requests import PreparedRequest
from requests.auth import AuthBase

from airflow_provider_flowservice._client.errors import error_of
from airflow_provider_flowservice._client.http import Answer, HttpSession
from airflow_provider_flowservice._client.tokens import Token
from airflow_provider_flowservice._compat import mask_secret
from airflow_provider_flowservice._connection.settings import Settings
from airflow_provider_flowservice.exceptions import (
    FlowServiceAnswerError,
    FlowServiceApiError,
    FlowServiceAuthError,
    FlowServiceNotFoundError,
    FlowServiceThrottledError,
)

TOKEN_PATH = "/ims/token/v3"

# Tokens live about a day; a larger number is milliseconds, as IMS writes elsewhere.
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
    """Put the credential into a request's body; query strings would end up in logs."""

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
    Ask for a token, once.

    :raises FlowServiceAuthError: IMS refuses the credential.
    """
    answer = http.send(
        "POST",
        settings.ims_url + TOKEN_PATH,
        headers={"Accept": "application/json"},
        auth=_Credential(settings),
    )
    if not answer.is_success:
        raise _refusal(answer, settings)
    token = _read_token(answer)
    mask_secret(token.text)
    return token


def _read_token(answer: Answer) -> Token:
    body = answer.body if isinstance(answer.body, Mapping) else {}
    text = body.get("access_token")
    # It is going to be an HTTP header.
    if not isinstance(text, str) or not text or not text.isascii() or not text.isprintable():
        raise FlowServiceAnswerError(
            "IMS answered without an access token: check 'ims_url' of the connection.",
            http_status=answer.http_status,
        )
    return Token(text, _lifetime(body.get("expires_in")))


def _lifetime(value: object) -> float:
    try:
        seconds = float(value) if isinstance(value, (int, float, str)) else 0.0
    except (ValueError, OverflowError):
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        return _FALLBACK_LIFETIME
    return seconds / 1000 if seconds > _LONGEST_LIFETIME else seconds


def _refusal(answer: Answer, settings: Settings) -> FlowServiceApiError:
    """Say which part of the credential IMS refuses; that is for good, other trouble is not."""
    error = error_of(
        answer,
        f"POST {TOKEN_PATH} of IMS",
        [settings.client_secret],
        hint_for=lambda *_: _hint(answer),
    )
    if isinstance(error, FlowServiceNotFoundError):
        # Nobody who waits for a run must take this for a missing run.
        return FlowServiceApiError(*error.args, **vars(error))
    if answer.http_status in (400, 401, 403) and not isinstance(error, FlowServiceThrottledError):
        return FlowServiceAuthError(*error.args, **vars(error))
    return error


def _hint(answer: Answer) -> str | None:
    status = answer.http_status
    if status in (400, 401, 403):
        body = answer.body if isinstance(answer.body, Mapping) else {}
        words = f"{body.get('error')} {body.get('error_description')}".lower()
        return next((hint for word, hint in _REFUSALS.items() if word in words), _ANY_REFUSAL)
    if status == 429:
        return "IMS throttles a credential with which too many tokens are asked for"
    return "Check 'ims_url' of the connection" if 300 <= status < 500 else None
