"""
How error answers of the service are told: which exception, in which words, and what to do.

Pure: values in, values out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from airflow_provider_flowservice._json import line
from airflow_provider_flowservice.exceptions import (
    FlowServiceApiError,
    FlowServiceAuthError,
    FlowServiceNotFoundError,
    FlowServiceThrottledError,
    FlowServiceUnavailableError,
)

if TYPE_CHECKING:
    from airflow_provider_flowservice._client.http import Answer

_LONGEST_CODE = 100
# A number of the catalogues, such as FLOW-1439-404 or 1387-400.
_CODE = re.compile(r"(?<![\w-])(?:[A-Z][A-Z_]*-)?(\d{4}-\d{3})(?![\w-])")
# A signed token, whole or begun.
_TOKEN = re.compile(r"eyJ[\w-]+(\.[\w-]*){0,2}")

# What to do about an error. The two official catalogues use the same numbers for different things, so a
# number counts together with its prefix or the HTTP status.
_GATEWAY = {
    "400003": "Check 'org_id' of the connection",
    "401013": "The token is not valid: it has expired, was withdrawn, or is of another organization",
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
    "made; FlowServiceHook.drop_tokens() makes this process ask for a new one"
)
_MISSING = (
    "IDs belong to one sandbox, so check 'sandbox_name' of the connection; a resource that an "
    "access label hides from the credential looks missing as well"
)
_FOREIGN = (
    "This is not the Flow Service speaking: check the Platform URL (host) of the connection, and "
    "what a proxy on the way does"
)
_REDIRECT = "Redirects are not followed: check the Platform URL (host) of the connection"
_QUERY = "Check the filters and the order that were asked for"
_TROUBLE = (
    "If it stays so, check 'sandbox_name' and the credential's role: wrong ones have been answered "
    "with a plain 500, too"
)

_FLOW_NUMBER = re.compile(r"(?:FLOW-)?(\d{4})-\d{3}")


def catalogue_hint(http_status: int, code: str | None, is_foreign: bool = False) -> str | None:
    """
    Say what to do about an error, if anything is known to help.

    :param code: The error's code, such as ``FLOW-1439-404`` or ``401013``.
    :param is_foreign: Whether the answer was no JSON, so that another server may have sent it.
    """
    number = _flow_number(code)
    if code in _GATEWAY:
        return _GATEWAY[code]
    if _is_about_token(code):
        return _GATEWAY["401013"]
    if http_status >= 500:
        return _TROUBLE if http_status == 500 else None
    if _is_about_sandbox(code):
        return _SANDBOX
    if 2000 <= number <= 2002:
        return _ORGANIZATION
    if number == 2120:
        return f"{_LABELS}. {_ROLE}"
    if number in {1423, 1424, 1432, 1433} or 1440 <= number <= 1454:
        return _QUERY
    return _status_hint(http_status, is_foreign)


def error_of(
    answer: Answer,
    tried: str,
    secrets: Iterable[str] = (),
    hint_for: Callable[[int, str | None, bool], str | None] = catalogue_hint,
) -> FlowServiceApiError:
    """
    Make the exception for an error answer.

    :param tried: What was tried, such as ``GET /runs/r1``.
    :param secrets: What must not be repeated, should the answer quote the request.
    :param hint_for: Says what to do, from the HTTP status, the code, and whether another server may
        have answered.
    """
    secrets = [*secrets]
    code = line(without_secrets(_code(answer.body), secrets), _LONGEST_CODE) or None
    text = line(without_secrets(_text(answer), secrets)).rstrip(".")
    request_id = line(without_secrets(_request_id(answer), secrets), _LONGEST_CODE) or None
    codes = tuple(dict.fromkeys(_CODE.findall(f"{code or ''} {text}")))
    parts = [f"{tried} was answered with HTTP {answer.http_status}"]
    parts[0] += f", {code}" if code else ""
    parts[0] += f": {text}." if text else "."
    if (wish := answer.retry_after) is not None:
        parts.append(f"The service asks to wait {wish:.0f} s.")
    if hint := hint_for(answer.http_status, code, _is_foreign(answer)):
        parts.append(f"{hint}.")
    if request_id:
        parts.append(f"(x-request-id {request_id})")
    error_class = _class_of(answer, code)
    return error_class(" ".join(parts), answer.http_status, code, request_id, wish, codes)


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Black out secrets, as they are and as a URL writes them, and all that looks like a token."""
    for secret in filter(None, secrets):
        for written in (secret, quote(secret, safe=""), quote_plus(secret)):
            text = text.replace(written, "***")
    return _TOKEN.sub("***", text)


def _class_of(answer: Answer, code: str | None) -> type[FlowServiceApiError]:
    status = answer.http_status
    if status == 429 or code == "429050":  # one gateway has sent this code with HTTP 400
        return FlowServiceThrottledError
    if status in (401, 403) or (status == 400 and _is_about_token(code)):
        return FlowServiceAuthError
    if status == 404 and not _is_about_sandbox(code):
        # A page of a gateway says nothing about the resource.
        return FlowServiceUnavailableError if _is_foreign(answer) else FlowServiceNotFoundError
    if status == 408 or status >= 500:
        return FlowServiceUnavailableError
    return FlowServiceApiError


def _is_foreign(answer: Answer) -> bool:
    """Whether somebody else than the service has answered, such as a proxy."""
    return bool(answer.text.strip())


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


def _text(answer: Answer) -> str:
    """Find the best words, in the order in which the documented shapes are telling."""
    body = answer.body
    if not isinstance(body, Mapping):
        title = re.search(r"<title[^>]*>(.*?)</title>", answer.text, re.DOTALL | re.IGNORECASE)
        return title.group(1) if title else re.sub(r"<[^>]*>", " ", answer.text)
    report = body.get("report")
    found = [report.get("detailed-message")] if isinstance(report, Mapping) else []
    names = ("errorMessage", "errorDetails", "detail", "message", "error_description", "title")
    found += [body.get(name) for name in names]
    return next((text for text in found if isinstance(text, str) and text.strip()), "")


def _request_id(answer: Answer) -> str:
    report = answer.body.get("report") if isinstance(answer.body, Mapping) else None
    reported = report.get("request-id") if isinstance(report, Mapping) else None
    found = answer.headers.get("x-request-id") or reported
    return found if isinstance(found, str) else ""


def _is_about_sandbox(code: str | None) -> bool:
    """Whether an error says that the sandbox is wrong, and so nothing about what was asked for."""
    return 2100 <= _flow_number(code) <= 2113


def _is_about_token(code: str | None) -> bool:
    """Whether an error says that the token is empty or invalid, with an HTTP status that does not."""
    return 2114 <= _flow_number(code) <= 2115


def _flow_number(code: str | None) -> int:
    match = _FLOW_NUMBER.fullmatch(code or "")
    return int(match[1]) if match else 0


def _status_hint(http_status: int, is_foreign: bool) -> str | None:
    if 300 <= http_status < 400:
        return _REDIRECT
    if http_status in (401, 403):
        return _ROLE
    if http_status == 404:
        return _FOREIGN if is_foreign else _MISSING
    return None
