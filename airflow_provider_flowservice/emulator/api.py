"""The Flow Service's resources: flows, runs, and what they refer to."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from airflow_provider_flowservice.emulator import errors, flows, not_played
from airflow_provider_flowservice.emulator.filters import Filter, Query, ordered
from airflow_provider_flowservice.emulator.messages import FLOW_SERVICE, JSON, Answer, Request
from airflow_provider_flowservice.emulator.runs import Run
from airflow_provider_flowservice.emulator.settings import EmulatorSettings
from airflow_provider_flowservice.emulator.starts import Starts
from airflow_provider_flowservice.emulator.state import State

_COMMON_FIELDS = (
    "id createdAt updatedAt createdBy updatedBy createdClient updatedClient sandboxId sandboxName"
    " imsOrgId flowSpec etag state"
)
# A run has no ``state``; published examples filter by it all the same.
RUN_FIELDS = frozenset(
    f"{_COMMON_FIELDS} flowId providerRefId params predecessors metrics activities".split()
)
FLOW_FIELDS = frozenset(
    (
        f"{_COMMON_FIELDS} name description version sourceConnectionIds targetConnectionIds"
        " inheritedAttributes options scheduleParams transformations runs lastOperation"
        " lastRunDetails labels"
    ).split()
)
_SPECS = {"connectionSpecs": flows.CONNECTION_SPECS, "flowSpecs": flows.SPECS}
_SPEC_FIELDS = frozenset({"id", "name", "version", "type", "attributes", "permissionsInfo"})
_RETRIGGER_OPS = frozenset({"re-trigger", "RE_TRIGGER"})
_FLOW_STATES = {"enable": "enabled", "disable": "disabled"}
_CODES_OF_CHANGING_FLOWS = {"disabling": "FLOW-1420-400", "updating": "FLOW-1421-400"}


class Api:
    """
    Answers the calls that got through the gateway.

    :param base_url: Returns the emulator's own URL, for absolute links.
    """

    def __init__(
        self, settings: EmulatorSettings, state: State, base_url: Callable[[], str]
    ) -> None:
        self._settings = settings
        self._state = state
        self._base_url = base_url
        self._starts = Starts(settings, state)

    def answer(self, request: Request, sandbox: str) -> Answer:  # noqa: C901  # a table
        """Answer a call for a sandbox."""
        match request.method, request.segments:
            case "GET", ["runs"]:
                return self._list_runs(request, sandbox)
            case "GET", ["flows"]:
                return self._list_flows(request, sandbox)
            case "GET", ["runs", run_id]:
                return self._get_run(run_id, sandbox)
            case "GET", ["flows", flow_id]:
                flow = self._state.find_flow(flow_id, sandbox)
                return self._single(self._state.flow_document(flow))
            case "GET", [("connectionSpecs" | "flowSpecs") as collection]:
                return self._list_specs(request, collection)
            case "GET", ["connections", account_id, "test"]:
                return self._test_account(account_id, sandbox)
            case "GET", [_, _]:
                return self._single(self._get_other(request, sandbox))
            case "POST", ["runs"]:
                return self._start(request.body, sandbox)
            case "POST", ["runs", run_id, "action"]:
                return self._retrigger(run_id, request.parameter("op"), sandbox)
            case "POST", ["flows", flow_id, "action"]:
                return self._act_on_flow(flow_id, request.parameter("op"), sandbox)
        raise not_played.refusal(request)

    def _get_run(self, run_id: str, sandbox: str) -> Answer:
        run = self._state.find_run(run_id, sandbox)
        now = self._settings.now_ms()
        document = run.document(now)
        run.count_poll(now)
        return self._single(document)

    def _list_runs(self, request: Request, sandbox: str) -> Answer:
        query = Query.parse(request)
        filters = [Filter.parse(text, RUN_FIELDS) for text in query.properties]
        now = self._settings.now_ms()
        found: list[tuple[Run, JSON]] = []
        for run in self._candidates(filters):
            document = run.document(now)
            if run.flow.sandbox != sandbox or not all(f.matches(document) for f in filters):
                continue
            if run.is_hidden(now):
                run.count_missed_poll()
            elif run.is_unlisted(now):
                run.count_missed_listing()
            else:
                found.append((run, document))
        documents = [document for _, document in found]
        answer, shown = self._list(request, query, documents, RUN_FIELDS)
        # By identity: a test may have given a run an odd id, or none.
        on_page = {id(document) for document in shown}
        for run, document in found:
            if id(document) in on_page:
                run.count_poll(now)
        return answer

    def _candidates(self, filters: list[Filter]) -> list[Run]:
        """Return the runs that a filter on ids leaves, so that only those are searched."""
        for each in filters:
            if (each.field, each.operator) == ("id", "=="):
                ids = dict.fromkeys(self._honoured(each))
                return [self._state.runs[run_id] for run_id in ids if run_id in self._state.runs]
        for each in filters:
            if (each.field, each.operator) == ("flowId", "=="):
                return [
                    run
                    for flow_id in dict.fromkeys(each.values)
                    for run in self._state.runs_of(flow_id)
                ]
        return list(self._state.runs.values())

    def _honoured(self, id_filter: Filter) -> tuple[str, ...]:
        if not self._settings.honour_id_filter:
            raise errors.flow_service("FLOW-1449-400", "Invalid field id in filter.")
        values = id_filter.values
        return values[:1] if self._settings.honour_id_filter == "first" else values

    def _list_flows(self, request: Request, sandbox: str) -> Answer:
        query = Query.parse(request)
        filters = [Filter.parse(text, FLOW_FIELDS) for text in query.properties]
        here = [flow for flow in self._state.flows.values() if flow.sandbox == sandbox]
        documents = [self._state.flow_document(flow) for flow in here]
        found = [item for item in documents if all(f.matches(item) for f in filters)]
        answer, shown = self._list(request, query, found, FLOW_FIELDS)
        for document in shown:
            document.pop("transformations", None)
        return answer

    def _list_specs(self, request: Request, collection: str) -> Answer:
        query = Query.parse(request)
        filters = [Filter.parse(text, _SPEC_FIELDS) for text in query.properties]
        specs = _SPECS[collection].values()
        found = [spec for spec in specs if all(f.matches(spec) for f in filters)]
        answer, _ = self._list(request, query, found, _SPEC_FIELDS | {"createdAt"})
        return answer

    def _list(
        self, request: Request, query: Query, found: list[JSON], fields: frozenset[str]
    ) -> tuple[Answer, list[JSON]]:
        """Return the answer with the wanted page, and the items on it."""
        if request.parameter("count") == "true":
            if request.parameter("limit"):
                detail = "limit and count cannot be used together."
                raise errors.flow_service("FLOW-1401-400", detail)
            return Answer(200, {"count": len(found)}), []
        end = query.offset + query.limit
        shown = ordered(found, query.orderby, fields)[query.offset : end]
        links = {"next": {"href": self._next_href(request, query)}} if end < len(found) else {}
        return Answer(200, {"items": shown, "_links": links}), shown

    def _next_href(self, request: Request, query: Query) -> str:
        prefix = {
            "relative": "",
            "data": FLOW_SERVICE,
            "absolute": self._base_url() + FLOW_SERVICE,
        }[self._settings.paging]
        return f"{prefix}{request.api_path}?continuationToken={query.next_token()}"

    def _test_account(self, account_id: str, sandbox: str) -> Answer:
        for flow in self._state.flows.values():
            if flow.source_account_id == account_id and flow.sandbox == sandbox:
                return Answer(200, {"result": flow.source_account_works})
        raise errors.not_found("connections", account_id)

    def _get_other(self, request: Request, sandbox: str) -> JSON:
        collection, resource_id = request.segments
        here = [flow for flow in self._state.flows.values() if flow.sandbox == sandbox]
        if collection in _SPECS:
            found = _SPECS[collection]
        elif collection == "connections":
            found = {flow.source_account_id: flow.source_account() for flow in here if flow.source}
        elif collection == "sourceConnections":
            found = {flow.source_connection_id: flow.source_connection() for flow in here}
        elif collection == "targetConnections":
            found = {flow.target_connection_id: flow.target_connection() for flow in here}
        else:
            raise not_played.refusal(request)
        if resource_id not in found:
            raise errors.not_found(collection, resource_id)
        return found[resource_id]

    def _retrigger(self, run_id: str, op: str | None, sandbox: str) -> Answer:
        source = self._state.find_run(run_id, sandbox)
        if op not in _RETRIGGER_OPS:
            detail = f"The provided operation {op} is unsupported."
            raise errors.connector("1398-400", detail, wrapped=self._settings.wrap_errors)
        new = self._state.retrigger(source)
        form = self._settings.retrigger_answer
        if form == "same_id":
            return Answer(200, {"id": run_id, "etag": source.etag})
        return Answer(201 if form == "201" else 200, self._new_run(new, form))

    def _start(self, body: bytes, sandbox: str) -> Answer:
        new = self._starts.start(body, sandbox)
        form = self._settings.start_answer
        return Answer(200 if form == "200" else 201, self._new_run(new, form))

    def _new_run(self, run: Run, form: str) -> JSON | None:
        short = {"id": run.run_id, "etag": run.etag}
        match form:
            case "items":
                return {"items": [short]}
            case "full_run":
                return run.document(self._settings.now_ms())
            case "no_id":
                return {"etag": run.etag}
            case "empty":
                return None
        return short

    def _act_on_flow(self, flow_id: str, op: str | None, sandbox: str) -> Answer:
        flow = self._state.find_flow(flow_id, sandbox)
        state = _FLOW_STATES.get((op or "").lower())
        if state is None:
            raise errors.flow_service("FLOW-1434-400", f"Unsupported operation {op}.")
        code = _CODES_OF_CHANGING_FLOWS.get(flow.state)
        if flow.state == state and self._settings.refuse_same_state:
            code = "FLOW-1422-400"
        if code:
            raise errors.flow_service(code, f"A flow in {flow.state} state cannot be {state}.")
        flow.state = state
        flow.etag = f'"{uuid.uuid4()}"'
        return Answer(200, {"id": flow_id, "etag": flow.etag})

    def _single(self, document: JSON) -> Answer:
        bare = self._settings.envelope == "bare"
        return Answer(200, document if bare else {"items": [document]})
