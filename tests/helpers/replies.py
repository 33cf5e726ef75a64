"""What a request of the probe came to, made up."""

from __future__ import annotations

from airflow_provider_flowservice._client.errors import error_of
from airflow_provider_flowservice._client.http import HttpResponse
from airflow_provider_flowservice._probe.replies import Reply
from airflow_provider_flowservice.exceptions import FlowServiceConnectionError

NOTHING = Reply("GET /runs", None, FlowServiceConnectionError("GET /runs got no response: reset."))


def reply(body=None, status=200, headers=None, text="", at=0.0, tried="GET /runs"):
    """Make a reply with a response of any status."""
    response = HttpResponse(status, headers or {}, body, text)
    error = None if response.is_success else error_of(response, tried)
    return Reply(tried, response, error, at, at)


def listed(*items, href=None):
    """Make a reply with a list."""
    links = {"next": {"href": href}} if href else {}
    return reply({"items": list(items), "_links": links})


def refused(code="FLOW-1449-400", status=400):
    """Make a reply with an error of the service."""
    body = {"type": f"https://ns.adobe.com/aep/errors/{code}", "title": "Invalid request"}
    return reply(body, status)


def run(run_id="r", flow_id="f", created_at=None, status="failed", **fields):
    """Make the JSON of a run."""
    facts = {"id": run_id, "flowId": flow_id, "metrics": {"statusSummary": {"status": status}}}
    return {**facts, **({} if created_at is None else {"createdAt": created_at}), **fields}
