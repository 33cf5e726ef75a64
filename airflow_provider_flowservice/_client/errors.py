"""
How error answers of the service are told: which exception, in which words, and what to do.

Pure: values in, values out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from airflow_provider_flowservice._client.hints import (
    catalogue_hint,
    is_about_sandbox,
    is_about_token,
)
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
    if status in (401, 403) or (status == 400 and is_about_token(code)):
        return FlowServiceAuthError
    if status == 404 and not is_about_sandbox(code):
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
