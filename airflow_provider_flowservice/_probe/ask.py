"""Asks the service what the package assumes: reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_flowservice._arguments.kinds import ID, WrongArgumentError
from airflow_provider_flowservice._client.errors import without_secrets
from airflow_provider_flowservice._client.http import HttpResponse, Params
from airflow_provider_flowservice._client.responses import (
    LARGEST_PAGE,
    items_of,
    next_href,
    next_query,
)
from airflow_provider_flowservice._exactly_once.clock import Clock
from airflow_provider_flowservice._json import identifier
from airflow_provider_flowservice._probe import paging, reading, traffic
from airflow_provider_flowservice._probe.findings import Finding
from airflow_provider_flowservice._probe.replies import Reply
from airflow_provider_flowservice.exceptions import (
    FlowServiceAnswerError,
    FlowServiceError,
)
from airflow_provider_flowservice.runs import DataflowRun

if TYPE_CHECKING:
    from airflow_provider_flowservice._client.client import FlowServiceClient

NEWEST = [("orderby", "-createdAt"), ("limit", str(LARGEST_PAGE))]

# The same each time, so that a recording can be played to the probe.
_NO_RUN = "00000000-0000-4000-8000-000000000000"
_LARGER_PAGE = 1000
_MONTH_MS = 30 * 24 * 60 * 60 * 1000
_MOST_PAGES = 10


class Asker:
    """
    Sends requests, each once, and keeps what each came to.

    :param client: Has a token already.
    """

    def __init__(self, client: FlowServiceClient, clock: Clock) -> None:
        self.replies: list[Reply] = []
        self.clock = clock
        self._client = client

    def get(self, path: str, params: Params = ()) -> Reply:
        """Send a GET request."""
        return self._ask("GET", path, params)

    def post(self, path: str, params: Params) -> Reply:
        """Send a POST request, once."""
        return self._ask("POST", path, params)

    def get_run(self, run_id: str) -> Reply:
        """Read a run."""
        return self.get(f"/runs/{quote(run_id, safe='')}")

    def get_flow(self, flow_id: str) -> Reply:
        """Read a flow."""
        return self.get(f"/flows/{quote(flow_id, safe='')}")

    def list_runs(self, *filters: str, params: Params = NEWEST) -> Reply:
        """Read a page of runs that match all filters."""
        return self.get("/runs", [*(("property", each) for each in filters), *params])

    def first_list(self) -> Reply:
        """
        Read the newest runs of the sandbox.

        :raises FlowServiceError: They cannot be read.
        """
        reply = self.list_runs()
        if reply.error is not None:
            raise reply.error
        items_of(reply.body, reply.tried)
        return reply

    def clean(self, text: str) -> str:
        """Black out secrets that the service may have quoted."""
        secrets = [self._client.settings.client_secret]
        with suppress(FlowServiceError):  # there is no token any more
            secrets.append(self._client.get_token().text)
        return without_secrets(text, secrets)

    def _ask(self, method: str, path: str, params: Params) -> Reply:
        tried = f"{method} {path.partition('?')[0]}"
        asked_at = self.clock.now()
        response: HttpResponse | None = None
        error: FlowServiceError | None = None
        try:
            response, error = self._client.exchange(method, path, params)
        except FlowServiceError as caught:
            error = caught
        reply = Reply(tried, response, error, asked_at, self.clock.now())
        self.replies.append(reply)
        return reply


def findings(asker: Asker, first: Reply, own_clients: Collection[str]) -> Iterator[Finding]:
    """
    Yield what the service does, by reading only.

    :param first: The newest runs of the sandbox.
    :param own_clients: What the service may call the connection's own client.
    """
    newest = list(first.items or ())
    runs = readable(newest)
    yield from _envelopes(asker, runs)
    yield _missing_run(asker)
    yield _id_filter(asker, runs)
    larger = asker.list_runs(params=[("orderby", "-createdAt"), ("limit", str(_LARGER_PAGE))])
    yield reading.page_size(first, larger, _LARGER_PAGE)
    yield from _paging(asker, runs)
    yield from _created(asker, runs)
    oldest = asker.list_runs(params=[("orderby", "+createdAt"), ("limit", "10")])
    yield reading.order(newest, oldest)
    month, scope = _month(asker, newest)
    found = readable(month)
    yield _status_case(asker, found)
    yield reading.fields(newest)
    yield reading.statuses(found, scope)
    yield reading.keys([item for item in month if readable([item])])
    yield reading.own_client(found, own_clients)


def traffic_findings(asker: Asker) -> Iterator[Finding]:
    """Yield what all responses so far show together."""
    yield traffic.patience(asker.replies)
    yield traffic.clock(asker.replies)


def readable(items: Sequence[Mapping[str, Any]]) -> list[DataflowRun]:
    """Return the runs that have an ID which can be asked for."""
    runs = []
    for item in items:
        with suppress(ValueError, WrongArgumentError):
            run = DataflowRun.from_api(item)
            ID.read(run.run_id)
            runs.append(run)
    return runs


def _envelopes(asker: Asker, runs: Sequence[DataflowRun]) -> Iterator[Finding]:
    run = asker.get_run(runs[0].run_id) if runs else None
    yield reading.envelope(reading.RUN_ENVELOPE, run, "the sandbox shows no run")
    flow_ids = [run.flow_id for run in runs if run.flow_id]
    if not flow_ids:
        flows = asker.get("/flows", [("limit", "1")]).items or ()
        flow_ids = [identifier(flow.get("id")) for flow in flows if identifier(flow.get("id"))]
    flow = asker.get_flow(flow_ids[0]) if flow_ids else None
    yield reading.envelope(reading.FLOW_ENVELOPE, flow, "the sandbox shows no flow")


def _missing_run(asker: Asker) -> Finding:
    return reading.missing_run(asker.get_run(_NO_RUN))


def _id_filter(asker: Asker, runs: Sequence[DataflowRun]) -> Finding:
    # The oldest of those at hand: without the filter, the newest would come.
    if len(runs) < 3:
        return reading.id_filter((), None, "it takes three runs to tell a filter from none")
    asked = [run.run_id for run in runs[-2:]]
    params = [("limit", str(len(asked)))]
    return reading.id_filter(asked, asker.list_runs(f"id=={','.join(asked)}", params=params))


def _paging(asker: Asker, runs: Sequence[DataflowRun]) -> Iterator[Finding]:
    choice = paging.choose_flow(runs)
    if choice is None:
        why = "no flow shows two runs"
        nothing = paging.Choice("", "", False)
        yield paging.next_link(None, why)
        yield paging.next_page(nothing, None, why)
        yield paging.token_alone(nothing, None, why)
        return
    flow_filter = f"flowId=={choice.flow_id}"
    params = [("orderby", "-createdAt"), ("limit", "1")]
    page = asker.list_runs(flow_filter, params=params)
    yield paging.next_link(page)
    if page.items:  # which may have changed since
        choice = choice._replace(first=identifier(page.items[0].get("id")))
    query, alone, why = None, "", "there is no link that could be followed"
    with suppress(FlowServiceAnswerError):
        query = next_query(page.body, [("property", flow_filter), *params], page.tried)
        alone = paging.token_query(str(next_href(page.body)).partition("?")[2])
    whole = asker.get(f"/runs?{query}") if query else None
    yield paging.next_page(choice, whole, why)
    yield paging.token_alone(choice, asker.get(f"/runs?{alone}") if query and alone else None, why)


def _created(asker: Asker, runs: Sequence[DataflowRun]) -> Iterator[Finding]:
    times = [run.created_at for run in runs if run.created_at is not None]
    if len(set(times)) < 2:
        why = "it takes two runs with different times of creation"
        for question in (reading.CREATED_FILTER, reading.TWO_FILTERS):
            yield reading.created_filter(question, 0, (), None, why)
        return
    bound_ms = min(sorted(times)[len(times) // 2], max(times) - 1)
    newer = [run for run in runs if (run.created_at or 0) > bound_ms]
    since = f"createdAt>{bound_ms}"
    expected = [run.run_id for run in newer]
    reply = asker.list_runs(since)
    yield reading.created_filter(reading.CREATED_FILTER, bound_ms, expected, reply)
    flow_id = newer[0].flow_id
    if not flow_id:
        yield reading.created_filter(reading.TWO_FILTERS, 0, (), None, "runs show no flow")
        return
    expected = [run.run_id for run in newer if run.flow_id == flow_id]
    reply = asker.list_runs(f"flowId=={flow_id}", since)
    yield reading.created_filter(reading.TWO_FILTERS, bound_ms, expected, reply, flow_id=flow_id)


def _month(
    asker: Asker, newest: Sequence[Mapping[str, Any]]
) -> tuple[list[Mapping[str, Any]], str]:
    """Read the runs of thirty days, and say which came; the newest if they cannot be read."""
    since = f"createdAt>{asker.clock.now_ms() - _MONTH_MS}"
    page = asker.list_runs(since)
    if page.items is None:
        return list(newest), "of the newest runs"
    items = list(page.items)
    params = [("property", since), *NEWEST]
    for _ in range(_MOST_PAGES - 1):
        try:
            query = next_query(page.body, params, page.tried)
        except FlowServiceAnswerError:
            break
        if query is None:
            return items, "in the last 30 days"
        page = asker.get(f"/runs?{query}")
        if not page.items:
            break
        items += page.items
    return items, f"of the newest {len(items)} in the last 30 days"


def _status_case(asker: Asker, runs: Sequence[DataflowRun]) -> Finding:
    # Of runs that have ended, since others may change meanwhile.
    found = Counter(run.status for run in runs if run.is_terminal)
    status = max(found, key=lambda each: found[each], default="")
    if not status:
        why = "no run has ended"
        return reading.status_case("", "", None, None, why)
    other = f"{status[0].swapcase()}{status[1:]}"
    params = [("orderby", "-createdAt"), ("limit", "1")]
    same, changed = (
        asker.list_runs(f"metrics.statusSummary.status=={each}", params=params)
        for each in (status, other)
    )
    return reading.status_case(status, other, same, changed)
