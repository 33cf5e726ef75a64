"""The emulator without HTTP, for tests that send tens of thousands of requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from requests import PreparedRequest
from requests.structures import CaseInsensitiveDict

from airflow_provider_flowservice._client.http import HttpResponse
from airflow_provider_flowservice.emulator import FlowServiceEmulator
from airflow_provider_flowservice.emulator.messages import Request
from airflow_provider_flowservice.exceptions import FlowServiceConnectionError
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook


def connect(hook: FlowServiceHook, service: FlowServiceEmulator) -> FlowServiceHook:
    """Let a hook call the emulator's backend in place of its port."""
    hook.get_conn()._http = InProcessSession(service)  # type: ignore[assignment]
    return hook


class InProcessSession:
    """Does as ``HttpSession``; what takes the way over sockets takes a call."""

    def __init__(self, service: FlowServiceEmulator) -> None:
        self._backend = service._backend

    def send(
        self,
        method: str,
        url: str,
        *,
        auth: Any,
        params: Any = (),
        headers: Mapping[str, str] | None = None,
        body: object = None,
        before_send: Callable[[], None] | None = None,
        store: None = None,
    ) -> HttpResponse:
        """Send a request and read the response, whatever its status."""
        parts = urlsplit(url)
        signed = PreparedRequest()
        signed.headers = CaseInsensitiveDict(headers or {})
        auth(signed)
        request = Request(
            method=method,
            path=parts.path,
            raw_query="&".join(filter(None, [parts.query, urlencode(list(params))])),
            headers={name.lower(): value for name, value in signed.headers.items()},
            body=(signed.body or json.dumps(body)).encode(),
        )
        if before_send is not None:
            before_send()
        fault = self._backend.fault(request)
        answer = fault.answer if fault and not fault.acts else self._backend.answer(request, "-")
        if fault and (fault.hangs_up or fault.is_truncated):
            raise FlowServiceConnectionError(f"{method} {url} got no response: it was hung up.")
        content, _ = answer.encoded()
        sent_headers = CaseInsensitiveDict(answer.headers)
        try:
            return HttpResponse(answer.status, sent_headers, json.loads(content or b"null"))
        except ValueError:
            return HttpResponse(answer.status, sent_headers, None, content.decode())
