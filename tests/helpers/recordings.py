"""Recordings that tests make up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_provider_flowservice.emulator.messages import FLOW_SERVICE
from airflow_provider_flowservice.emulator.recording import Exchange, end_line, head_line

CLIENT = {
    "client_id": "client-of-a-recording",
    "org_id": "0123456789ABCDEF01234567@AdobeOrg",
    "sandbox_name": "sandbox-1",
}
ABOUT = ["Names were replaced by others."]


def write_recording(path: Path, *exchanges: Exchange) -> Path:
    """Write a recording, and return its path."""
    lines = [head_line(ABOUT, CLIENT), *(each.as_line() for each in exchanges), end_line({})]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def exchange(request: str, body: Any = None, status: int | None = 200, **facts: Any) -> Exchange:
    """
    Return an exchange.

    :param request: Method, path below the base of the Flow Service or of the host, and query.
    :param body: Body of the answer.
    """
    method, _, target = request.partition(" ")
    path, _, query = target.partition("?")
    base = "" if path.startswith(("/ims/", "/data/")) else FLOW_SERVICE
    return Exchange(method, base + path, query, status=status, body=body, **facts)


def run_json(run_id: str, status: str, **facts: Any) -> dict[str, Any]:
    """Return the JSON of a run."""
    metrics = {"statusSummary": {"status": status}}
    return {
        "id": run_id,
        "flowId": "flow-1",
        "createdAt": 1_700_000_000_000,
        "metrics": metrics,
        **facts,
    }


def run_answer(run_id: str, status: str) -> dict[str, Any]:
    """Return the JSON that answers a request for a run."""
    return {"items": [run_json(run_id, status)]}
