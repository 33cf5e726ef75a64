"""
Maps error responses to exceptions, their messages, and hints at what to do.

Pure: values in, values out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._json import line, mapping

if TYPE_CHECKING:
    from airflow_provider_flowservice._client.http import HttpResponse

_LONGEST_CODE = 100
# A number of the catalogues, such as FLOW-1439-404 or 1387-400.
_CODE = re.compile(r"(?<![\w-])(?:[A-Z][A-Z_]*-)?(\d{4}-\d{3})(?![\w-])")
# A signed token, or the beginning of one.
_TOKEN = re.compile(r"eyJ[\w-]+(\.[\w-]*){0,2}")

# Hints at what to do about an error. The two official catalogues use the same numbers for different
# errors, so a number only counts together with its prefix or the HTTP status.
_GATEWAY = {
    "400003": "Check 'org_id' of the connection",
    "401013": "The token is invalid: it has expired, was revoked, or is of another organization",
    "403000": "The API key is missing: check the Client ID or 'api_key' of the connection",
    "403003": (
        "The API key is wrong, or the Experience Platform API is not added to its project in the "
        "Developer Console: check the Client ID or 'api_key' of the connection"
    ),
    "403010": "No token arrived: a proxy on the way may have removed it",
    "403025": "The credential is not entitled in this organization: check 'org_id'",
    "403027": "Check 'org_id' of the connection, and that the credential has a product profile",
}
_SANDBOX = "Check 'sandbox_name' of the connection"
_ORGANIZATION = "Check 'org_id' of the connection: the token has no access to the organization"
_LABELS = (
    "An access label may keep this resource from the credential; an administrator can add the "
    "label to the credential's role"
)
_ROLE = (
    "An administrator adds the credential to a role with View Sources and Manage Sources for this "
    "sandbox (Permissions > Roles > API credentials). Permissions are fixed in a token when it is "
    "issued; FlowServiceHook.drop_tokens() makes this process get a new one"
)
_MISSING = (
    "IDs belong to one sandbox, so check 'sandbox_name' of the connection; a resource that an "
    "access label hides from the credential looks missing as well"
)
FOREIGN = (
    "The response is not from the Flow Service: check the Platform URL (host) of the connection, "
    "and any proxy in between"
)
_NO_DIAGNOSTICS = (
    "The service keeps rejected records for 30 days, and only of flows with error diagnostics "
    "switched on; the batch has to be in the sandbox of the connection"
)
_REDIRECT = "Redirects are not followed: check the Platform URL (host) of the connection"
_QUERY = "Check the filters and the order of the request"
_SERVER_ERROR = (
    "If the error persists, check 'sandbox_name' and the credential's role: the service has "
    "returned a plain 500 for wrong ones, too"
)

_FLOW_NUMBER = re.compile(r"(?:FLOW-)?(\d{4})-\d{3}")


def catalogue_hint(http_status: int, code: str | None, is_foreign: bool = False) -> str | None:
    """
    Return a hint at what to do about an error; ``None`` if nothing is known to help.

    :param code: The error's code, such as ``FLOW-1439-404`` or ``401013``.
    :param is_foreign: Whether the body was no JSON, so that another server may have sent it.
    """
    number = _flow_number(code)
    if code in _GATEWAY:
        return _GATEWAY[code]
    if _is_about_token(code):
        return _GATEWAY["401013"]
    if http_status >= 500:
        return _SERVER_ERROR if http_status == 500 else None
    if _is_about_sandbox(code):
        return _SANDBOX
    if 2000 <= number <= 2002:
        return _ORGANIZATION
    if number == 2120:
        return f"{_LABELS}. {_ROLE}"
    if number in {1423, 1424, 1432, 1433} or 1440 <= number <= 1454:
        return _QUERY
    if 300 <= http_status < 400:
        return _REDIRECT
    by_status = {401: _ROLE, 403: _ROLE, 404: FOREIGN if is_foreign else _MISSING}
    return by_status.get(http_status)


def diagnostics_hint(http_status: int, code: str | None, is_foreign: bool = False) -> str | None:
    """Return a hint at what to do about an error of a request for error diagnostics."""
    if http_status == 404 and not is_foreign and not _is_about_sandbox(code):
        return _NO_DIAGNOSTICS
    return catalogue_hint(http_status, code, is_foreign)


def error_of(
    response: HttpResponse,
    tried: str,
    secrets: Sequence[str] = (),
    hint_for: Callable[[int, str | None, bool], str | None] = catalogue_hint,
) -> exceptions.FlowServiceApiError:
    """
    Return the exception for an error response.

    :param tried: The request, such as ``GET /runs/r1``.
    :param secrets: Texts to black out, in case the response quotes the request.
    :param hint_for: Returns the hint for an HTTP status, a code, and whether another server may
        have sent the response.
    """
    code = line(without_secrets(_code(response.body), secrets), _LONGEST_CODE) or None
    text = line(without_secrets(_text(response), secrets)).rstrip(".")
    request_id = line(without_secrets(_request_id(response), secrets), _LONGEST_CODE) or None
    codes = tuple(dict.fromkeys(_CODE.findall(f"{code or ''} {text}")))
    parts = [f"{tried} returned HTTP {response.http_status}"]
    parts[0] += f", {code}" if code else ""
    parts[0] += f": {text}." if text else "."
    if (retry_after := response.retry_after) is not None:
        parts.append(f"The service asks to wait {retry_after:.0f} s.")
    if hint := hint_for(response.http_status, code, _is_foreign(response)):
        parts.append(f"{hint}.")
    if request_id:
        parts.append(f"(x-request-id {request_id})")
    error_class = _class_of(response, code)
    return error_class(" ".join(parts), response.http_status, code, request_id, retry_after, codes)


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Black out secrets, plain and URL-encoded, and every text that looks like a token."""
    for secret in filter(None, secrets):
        for written in (secret, quote(secret, safe=""), quote_plus(secret)):
            text = text.replace(written, "***")
    return _TOKEN.sub("***", text)


def _class_of(response: HttpResponse, code: str | None) -> type[exceptions.FlowServiceApiError]:
    status = response.http_status
    if status == 429 or code == "429050":  # one gateway has sent this code with HTTP 400
        return exceptions.FlowServiceThrottledError
    if status in (401, 403) or (status == 400 and _is_about_token(code)):
        return exceptions.FlowServiceAuthError
    if status == 404 and not _is_about_sandbox(code):
        if not _is_foreign(response):
            return exceptions.FlowServiceNotFoundError
        return exceptions.FlowServiceUnavailableError  # a gateway's page says nothing about it
    if status == 408 or status >= 500:
        return exceptions.FlowServiceUnavailableError
    return exceptions.FlowServiceApiError


def _is_foreign(response: HttpResponse) -> bool:
    """Whether another server than the service, such as a proxy, may have sent the response."""
    return bool(response.text.strip())


def _code(body: object) -> str:
    if not isinstance(body, Mapping):
        return ""
    kind = body.get("type")
    if isinstance(kind, str) and _CODE.search(segment := kind.rstrip("/").rsplit("/", 1)[-1]):
        return segment
    for key in ("error_code", "errorCode", "error"):
        value = body.get(key)
        if value and isinstance(value, (str, int)) and not isinstance(value, bool):
            return str(value)
    return ""


def _text(response: HttpResponse) -> str:
    """Return the most specific error text; the documented fields are tried in that order."""
    body = response.body
    if not isinstance(body, Mapping):
        title = re.search(r"<title[^>]*>(.*?)</title>", response.text, re.DOTALL | re.IGNORECASE)
        return title.group(1) if title else re.sub(r"<[^>]*>", " ", response.text)
    names = ("errorMessage", "errorDetails", "detail", "message", "error_description", "title")
    found = [mapping(body, "report").get("detailed-message"), *map(body.get, names)]
    return next((text for text in found if isinstance(text, str) and text.strip()), "")


def _request_id(response: HttpResponse) -> str:
    reported = mapping(response.body, "report").get("request-id")
    found = response.headers.get("x-request-id") or reported
    return found if isinstance(found, str) else ""


def _is_about_sandbox(code: str | None) -> bool:
    """Whether an error is about the sandbox, and so says nothing about the requested resource."""
    return 2100 <= _flow_number(code) <= 2113


def _is_about_token(code: str | None) -> bool:
    """Whether an error is about an empty or invalid token, whatever its HTTP status."""
    return 2114 <= _flow_number(code) <= 2115


def _flow_number(code: str | None) -> int:
    match = _FLOW_NUMBER.fullmatch(code or "")
    return int(match[1]) if match else 0
