"""
What to do about an error of the service.

The two official catalogues use the same numbers for different things, so a number counts together
with its prefix or the HTTP status.
"""

from __future__ import annotations

import re

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
    if is_about_token(code):
        return _GATEWAY["401013"]
    if http_status >= 500:
        return _TROUBLE if http_status == 500 else None
    if is_about_sandbox(code):
        return _SANDBOX
    if 2000 <= number <= 2002:
        return _ORGANIZATION
    if number == 2120:
        return f"{_LABELS}. {_ROLE}"
    if number in {1423, 1424, 1432, 1433} or 1440 <= number <= 1454:
        return _QUERY
    return _status_hint(http_status, is_foreign)


def is_about_sandbox(code: str | None) -> bool:
    """Whether an error says that the sandbox is wrong, and so nothing about what was asked for."""
    return 2100 <= _flow_number(code) <= 2113


def is_about_token(code: str | None) -> bool:
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
