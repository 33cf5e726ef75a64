"""
Reads successful responses of the service: envelopes, and links to the next page.

Pure: values in, values out. Error texts begin with what was ``tried``, such as ``GET /runs/r1``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote

from airflow_provider_flowservice._json import line, mapping
from airflow_provider_flowservice.exceptions import FlowServiceAnswerError

# The largest page in the documentation, and so the most resources per request. It is defined here
# because the hook needs it without an HTTP client.
LARGEST_PAGE = 100


def items_of(body: object, tried: str) -> list[Mapping[str, Any]]:
    """
    Return the resources in a response: ``{"items": [...]}``, a list, or one bare resource.

    :raises FlowServiceAnswerError: The response is none of these.
    """
    items = body.get("items") if isinstance(body, Mapping) else body
    if not isinstance(items, list):
        items = [body] if isinstance(body, Mapping) and isinstance(body.get("id"), str) else None
    if items is None:
        raise FlowServiceAnswerError(f"{tried}: the response holds no 'items', {_shape(body)}.")
    if not all(isinstance(item, Mapping) for item in items):
        raise FlowServiceAnswerError(f"{tried}: 'items' holds entries that are no objects.")
    return items


def only_item(body: object, tried: str) -> Mapping[str, Any] | None:
    """
    Return the one resource in a response; ``None`` if it is empty.

    :raises FlowServiceAnswerError: The response holds several.
    """
    items = items_of(body, tried)
    if len(items) > 1:
        raise FlowServiceAnswerError(
            f"{tried}: the response holds {len(items)} items instead of one."
        )
    return items[0] if items else None


def next_href(body: object) -> object:
    """Return the link to the next page as the service wrote it; nothing on the last page."""
    following = mapping(body, "_links").get("next")
    return following.get("href") if isinstance(following, Mapping) else following


def next_query(body: object, params: Iterable[tuple[str, str]], tried: str) -> str | None:
    """
    Return the query of the next page; ``None`` on the last page.

    The link may be relative to the service, relative to the host, or absolute. It always leads to
    the same list, so only its query counts. The query is taken byte for byte, since page tokens
    hold ``=``, ``+`` and ``%``. Parameters of the first request are added if the link lacks them.

    :param params: Parameters of the first request.
    :raises FlowServiceAnswerError: The link cannot be read.
    """
    href = next_href(body)
    if not href:
        return None
    query = href.partition("#")[0].partition("?")[2] if isinstance(href, str) else ""
    if not query or not query.isascii() or not query.isprintable() or " " in query:
        raise FlowServiceAnswerError(f"{tried}: the link to the next page cannot be read.")
    present = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
    missing = [f"{name}={quote(value, safe='')}" for name, value in params if name not in present]
    return "&".join([query, *missing])


def _shape(body: object) -> str:
    if isinstance(body, Mapping):
        return f"but {', '.join(line(key, 50) for key in list(body)[:5]) or 'nothing'}"
    return "and is empty or no JSON" if body is None else f"but is a {type(body).__name__}"
