"""
What the package does not read of a recorded service as the package expects it.

Pure: a recording in, short texts out, such as ``GET /runs: unknown status '(word-1)'``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from requests.structures import CaseInsensitiveDict

from airflow_provider_flowservice._client.errors import error_of
from airflow_provider_flowservice._client.http import HttpResponse
from airflow_provider_flowservice._client.responses import items_of, next_query, only_item
from airflow_provider_flowservice._client.run_requests import read_started
from airflow_provider_flowservice._json import identifier
from airflow_provider_flowservice.emulator.messages import Request
from airflow_provider_flowservice.emulator.playback import request_of
from airflow_provider_flowservice.emulator.recorder import route_of
from airflow_provider_flowservice.emulator.recording import Exchange, Recording
from airflow_provider_flowservice.exceptions import FlowServiceError
from airflow_provider_flowservice.flows import Dataflow, SourceConnection, TargetConnection
from airflow_provider_flowservice.runs import DataflowRun

Read = Callable[[Request, Any, str], Iterable[str]]

_CODE = re.compile(r"(?<![\w-])(?:[A-Z][A-Z_]*-)?\d{4}-\d{3}(?![\w-])")


def differences(recording: Recording) -> set[str]:
    """Return what the package cannot read in a recording, or would warn about."""
    return {text for exchange in recording.exchanges for text in _differences_in(exchange)}


def _differences_in(exchange: Exchange) -> Iterator[str]:
    request = request_of(exchange)
    route = route_of(request).rstrip("/")
    read = _READERS.get(route)
    if read is None or exchange.status is None:
        return
    try:
        for text in _read_response(exchange, request, route, read):
            yield f"{route}: {text}"
    except (FlowServiceError, ValueError) as error:  # what the package raises of unreadable JSON
        yield str(error) if str(error).startswith(f"{route}: ") else f"{route}: {error!r}"


def _read_response(exchange: Exchange, request: Request, route: str, read: Read) -> Iterable[str]:
    if exchange.status >= 400:
        return _error(exchange, route)
    if not 200 <= exchange.status < 300:
        return [f"HTTP {exchange.status}"]
    return [exchange.refused] if exchange.refused else read(request, exchange.body, route)


def _error(exchange: Exchange, route: str) -> Iterator[str]:
    status, body = exchange.status, exchange.body
    error = error_of(HttpResponse(status, CaseInsensitiveDict(exchange.headers), body), route)
    if error.code is None:
        for place in _codes_in(body, status):
            yield f"HTTP {status} has a code in {place!r} that is not read"
    text_follows = f"{route} returned HTTP {status}{f', {error.code}' if error.code else ''}: "
    if body and not str(error).startswith(text_follows):
        yield f"HTTP {status} has no text that is read"


def _codes_in(value: object, status: int, place: str = "") -> Iterator[str]:
    """List the places of what looks like an error's code; the HTTP status is none."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _codes_in(inner, status, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from _codes_in(inner, status, place)
    elif _is_code(value, place) and str(value) != str(status):
        yield place


def _is_code(value: object, place: str) -> bool:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return False
    return place.lower().endswith("code") or bool(_CODE.search(str(value)))


# Successful responses


def _runs(request: Request, body: Any, route: str) -> Iterable[str]:
    return chain.from_iterable(map(_in_run, _list(request, body, route)))


def _run(request: Request, body: Any, route: str) -> Iterable[str]:
    return _in_run(_one(request, body, route))


def _in_run(item: Mapping[str, Any]) -> Iterator[str]:
    run = DataflowRun.from_api(item)
    if not run.is_status_known:
        yield f"unknown status {run.status!r}"
    if not run.flow_id:
        yield "a run without a flow"


def _flows(request: Request, body: Any, route: str) -> Iterable[str]:
    return chain.from_iterable(map(_in_flow, _list(request, body, route)))


def _flow(request: Request, body: Any, route: str) -> Iterable[str]:
    return _in_flow(_one(request, body, route))


def _in_flow(item: Mapping[str, Any]) -> Iterator[str]:
    if not Dataflow.from_api(item).state:
        yield "a flow without a state"


def _source_connection(request: Request, body: Any, route: str) -> Iterable[str]:
    SourceConnection.from_api(_one(request, body, route))
    return ()


def _target_connection(request: Request, body: Any, route: str) -> Iterable[str]:
    TargetConnection.from_api(_one(request, body, route))
    return ()


def _test(request: Request, body: Any, route: str) -> Iterable[str]:
    is_told = isinstance(body, Mapping) and isinstance(body.get("result"), bool)
    return () if is_told else ["the response does not say whether the account works"]


def _retrigger(request: Request, body: Any, route: str) -> Iterable[str]:
    read_started(body, route, _id_in(request))
    return ()


def _start(request: Request, body: Any, route: str) -> Iterable[str]:
    read_started(body, route)
    return ()


def _not_read(request: Request, body: Any, route: str) -> Iterable[str]:
    return ()


def _list(request: Request, body: Any, route: str) -> list[Mapping[str, Any]]:
    next_query(body, request.query, route)
    return items_of(body, route)


def _one(request: Request, body: Any, route: str) -> Mapping[str, Any]:
    item = only_item(body, route)
    if item is None:
        raise ValueError("the response is empty")
    if identifier(item.get("id")).lower() != _id_in(request).lower():
        raise ValueError("the response is another resource, or has no ID")
    return item


def _id_in(request: Request) -> str:
    return request.segments[1]


_READERS: Mapping[str, Read] = {
    "GET /connections/{id}/test": _test,
    "GET /flows": _flows,
    "GET /flows/{id}": _flow,
    "GET /runs": _runs,
    "GET /runs/{id}": _run,
    "GET /sourceConnections/{id}": _source_connection,
    "GET /targetConnections/{id}": _target_connection,
    "POST /flows/{id}/action": _not_read,
    "POST /runs": _start,
    "POST /runs/{id}/action": _retrigger,
}
