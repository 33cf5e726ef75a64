"""FlowServiceHook against the emulator: what each verb asks, and what it makes of the answers."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.exceptions import (
    FlowServiceAnswerError,
    FlowServiceApiError,
    FlowServiceAuthError,
    FlowServiceNotFoundError,
)
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from helpers.canned_server import CannedServer, http_answer

RUNS = "/data/foundation/flowservice/runs"

not_an_id = pytest.mark.parametrize(
    "run_id", ["", " ", ".", "..", "None", "a b", "a\nb", "a\x00", "\ud800", None, 7]
)


@pytest.fixture
def hook(flowservice):
    return FlowServiceHook(backoff=0)


@pytest.fixture
def flow_id(flowservice):
    return flowservice.add_flow()


@pytest.fixture
def connect_to(monkeypatch):
    """Return a function that makes a hook for a server's connection."""

    def connect(server, **kwargs):
        monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", json.dumps(server.connection))
        return FlowServiceHook(**{"backoff": 0, **kwargs})

    return connect


# One run


@pytest.mark.parametrize("envelope", ["items", "bare"])
def test_reads_a_run_in_either_envelope(flowservice, hook, flow_id, envelope):
    flowservice.envelope = envelope
    run_id = flowservice.add_run(flow_id, "success", records=7)

    run = hook.get_run(run_id)

    assert (run.run_id, run.flow_id, run.status, run.input_records) == (
        run_id,
        flow_id,
        "success",
        7,
    )
    assert hook.get_flow(flow_id).name == "Orders nightly"


@pytest.mark.parametrize("body", [{"items": []}, []])
def test_an_empty_answer_is_a_missing_run(flowservice, hook, body):
    flowservice.fail(Fault("GET /runs", status=200, body=body))

    with pytest.raises(FlowServiceNotFoundError, match="GET /runs/r1.*empty"):
        hook.get_run("r1")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"results": []}, "no 'items', but results"),
        ({}, "no 'items', but nothing"),
        (b"", "empty or no JSON"),
        (b"<html>Welcome</html>", "empty or no JSON"),
        ({"items": {}}, "no 'items'"),
        ({"items": ["r1"]}, "no objects"),
        ({"items": [{"id": "r1"}, {"id": "r2"}]}, "2 items instead of one"),
        ({"items": [{"id": "r2"}]}, "another resource"),
        ({"items": [{}]}, "no ID"),
        (7, "is a int"),
    ],
)
def test_an_answer_without_the_run_is_not_taken_for_one(flowservice, hook, body, words):
    flowservice.fail(Fault("GET /runs", status=200, body=body))

    with pytest.raises(FlowServiceAnswerError, match=words):
        hook.get_run("r1")


def test_any_success_status_will_do(flowservice, hook):
    flowservice.fail(Fault("GET /runs", status=202, body={"id": "r1"}))

    assert hook.get_run("r1").run_id == "r1"


@pytest.mark.parametrize("lacking", [{"metrics": ...}, {"metrics": None}, {"metrics": {}}])
def test_a_run_that_shows_no_metrics_yet_is_running(flowservice, hook, flow_id, lacking):
    run = hook.get_run(flowservice.add_run(flow_id, "inProgress", activities=None, **lacking))

    assert run.status == ""
    assert not run.is_terminal
    assert run.is_status_known


@not_an_id
def test_what_cannot_be_an_id_is_refused_before_any_request(flowservice, hook, run_id):
    for verb in (hook.get_run, hook.get_flow, hook.retrigger_run):
        with pytest.raises(ValueError, match="(run|flow)_id is .*, and must be an ID"):
            verb(run_id)
    with pytest.raises(ValueError, match="run_id is .*, and must be an ID"):
        hook.get_runs(["r1", run_id])

    assert flowservice.requests == []


@pytest.mark.parametrize(
    "run_id", ["../flows/{}/action?op=disable", "x/../../flows/{}/action?op=disable&z=", "r#{}"]
)
def test_an_id_cannot_become_another_call(flowservice, hook, flow_id, run_id):
    for verb in (hook.get_run, hook.retrigger_run):
        with pytest.raises(FlowServiceNotFoundError):
            verb(run_id.format(flow_id))

    assert flowservice.flow(flow_id)["state"] == "enabled"
    for seen in flowservice.requests[1:]:
        assert seen.path.startswith(f"{RUNS}/")
        assert "/" not in seen.path.removeprefix(f"{RUNS}/").removesuffix("/action")
        assert seen.query in ([], [("op", "re-trigger")])


def test_every_call_names_credential_organization_and_sandbox(flowservice, hook, flow_id):
    hook.get_flow(flow_id)

    headers = flowservice.requests[-1].headers
    assert headers["authorization"].startswith("Bearer ")
    assert headers["x-api-key"] == flowservice.client_id
    assert headers["x-gw-ims-org-id"] == flowservice.org_id
    assert headers["x-sandbox-name"] == "staging"
    assert headers["accept"] == headers["content-type"] == "application/json"
    assert "x-sandbox-id" not in headers


# The account of a source


def test_a_flow_leads_to_the_account_of_its_source_and_to_its_test(flowservice, hook):
    for works in (True, False):
        flow = hook.get_flow(flowservice.add_flow(source_account_works=works))
        (source,) = map(hook.get_source_connection, flow.source_connection_ids)

        assert hook.test_source_account(source.account_id) is works


def test_an_account_that_the_sandbox_has_not_is_not_one_that_does_not_work(hook):
    with pytest.raises(FlowServiceNotFoundError, match="GET /connections/a1/test"):
        hook.test_source_account("a1")


@pytest.mark.parametrize("body", [{}, {"result": None}, {"result": "false"}, [], b""])
def test_a_test_without_a_result_is_not_taken_for_one(flowservice, hook, body):
    flowservice.fail(Fault("GET /connections", status=200, body=body))

    with pytest.raises(FlowServiceAnswerError, match="does not say whether the account works"):
        hook.test_source_account("a1")


@not_an_id
def test_what_cannot_be_an_account_is_refused_before_any_request(flowservice, hook, run_id):
    with pytest.raises(ValueError, match="account_id is .*, and must be an ID"):
        hook.test_source_account(run_id)

    assert flowservice.requests == []


# Several runs by their IDs


def test_reads_many_runs_with_one_request(flowservice, hook, flow_id):
    run_ids = [flowservice.add_run(flow_id) for _ in range(100)]
    flowservice.clear_requests()

    runs = hook.get_runs([*run_ids[:99], "gone"])

    assert runs.keys() == set(run_ids[:99])
    (listing,) = [seen for seen in flowservice.requests if seen.path == RUNS]
    assert dict(listing.query)["limit"] == "100"


def test_no_runs_take_no_request_and_too_many_none_either(flowservice, hook):
    assert hook.get_runs([]) == {}
    with pytest.raises(ValueError, match="101 runs are too many"):
        hook.get_runs([f"r{number}" for number in range(101)])
    with pytest.raises(ValueError, match="comma"):
        hook.get_runs(["a,b"])

    assert flowservice.requests == []


def test_runs_that_were_not_asked_for_are_left_out(flowservice, hook):
    flowservice.fail(Fault("GET /runs", status=200, body={"items": [{"id": "r1"}, {"id": "r2"}]}))

    assert hook.get_runs(["r1", "r3"]).keys() == {"r1"}


def test_a_service_that_does_not_know_the_filter_says_so(flowservice, hook):
    flowservice.honour_id_filter = False

    with pytest.raises(FlowServiceApiError, match="FLOW-1449-400.*Check the filters"):
        hook.get_runs(["r1"])


# Listings


def test_several_filters_are_several_parameters(flowservice, hook, flow_id):
    wanted = flowservice.add_run(flow_id, "failed", created_at=2000)
    flowservice.add_run(flow_id, "success", created_at=3000)
    flowservice.add_run(flow_id, "failed", created_at=1000)
    flowservice.add_run(flowservice.add_flow(), "failed", created_at=2000)

    runs = hook.list_runs(
        flow_id=flow_id, status="failed", created_after=1500, filters=[f"id=={wanted}"]
    )

    assert [run.run_id for run in runs] == [wanted]
    assert flowservice.requests[-1].query == [
        ("property", f"flowId=={flow_id}"),
        ("property", "metrics.statusSummary.status==failed"),
        ("property", "createdAt>1500"),
        ("property", f"id=={wanted}"),
        ("orderby", "-createdAt"),
        ("limit", "100"),
    ]


def test_a_flow_id_holds_no_further_filter(flowservice, hook):
    assert list(hook.list_runs(flow_id="x&property=id==1")) == []
    assert ("property", "flowId==x&property=id==1") in flowservice.requests[-1].query


@pytest.mark.parametrize("flow_id", ["", " "])
def test_an_empty_flow_id_does_not_ask_for_the_runs_of_all_flows(flowservice, hook, flow_id):
    with pytest.raises(ValueError, match="flow_id is ' ?'"):
        list(hook.list_runs(flow_id=flow_id))

    assert flowservice.requests == []


def test_limit_and_count_are_never_sent_together(flowservice, hook):
    list(hook.list_runs())

    assert "count" not in dict(flowservice.requests[-1].query)


@pytest.mark.parametrize("order_by", ["+createdAt", "createdAt"])
def test_the_order_may_be_turned_round(flowservice, hook, flow_id, order_by):
    old = flowservice.add_run(flow_id, created_at=1000)
    new = flowservice.add_run(flow_id, created_at=2000)

    assert [run.run_id for run in hook.list_runs(order_by=order_by)] == [old, new]
    assert [run.run_id for run in hook.list_runs()] == [new, old]


@pytest.mark.parametrize("paging", ["relative", "data", "absolute"])
def test_goes_through_all_pages_whatever_the_links_look_like(flowservice, hook, flow_id, paging):
    # The emulator's tokens hold raw plus signs, encoded slashes and padding.
    flowservice.paging = paging
    made = [flowservice.add_run(flow_id, created_at=1000 + number) for number in range(250)]

    listed = [run.run_id for run in hook.list_runs(flow_id=flow_id)]

    assert listed == made[::-1]
    assert flowservice.count("GET /runs") == 3


def test_reads_no_further_page_than_is_used(flowservice, hook, flow_id):
    for _ in range(250):
        flowservice.add_run(flow_id)

    assert len(list(hook.list_runs(limit=7))) == 7
    assert dict(flowservice.requests[-1].query)["limit"] == "7"
    assert len(list(hook.list_runs(limit=150))) == 150
    assert next(iter(hook.list_runs())).run_id
    assert flowservice.count("GET /runs") == 1 + 2 + 1


@pytest.mark.parametrize(
    "links", [{}, {"_links": {}}, {"_links": None}, {"_links": {"next": None}}]
)
def test_a_page_without_a_link_is_the_last_one(flowservice, hook, links):
    flowservice.fail(Fault("GET /runs", status=200, body={"items": [{"id": "r1"}], **links}))

    assert [run.run_id for run in hook.list_runs()] == ["r1"]


@pytest.mark.parametrize(
    ("href", "sent"),
    [
        ("/runs?continuationToken=a=b+c%2Fd==&limit=2", "continuationToken=a=b+c%2Fd==&limit=2"),
        ("https://elsewhere.example/runs?continuationToken=x", "continuationToken=x"),
        ("?continuationToken=50%25", "continuationToken=50%25"),
        ("/runs?continuationToken=50%", "continuationToken=50%25"),  # a bare one is no URL
    ],
)
def test_a_token_goes_back_as_it_came(connect_to, href, sent):
    pages = [{"items": [], "_links": {"next": {"href": href}}}, {"items": []}]
    with CannedServer(lambda _: http_answer(200, pages.pop(0))) as server:
        list(connect_to(server).list_runs(order_by="createdAt"))

    query = server.seen[1].partition("?")[2]
    assert query.startswith(sent)
    assert "orderby=createdAt" in query  # what the link lacks
    assert query.count("limit=") == 1


def test_links_that_go_round_in_circles_are_noticed(flowservice, hook):
    page = {"items": [], "_links": {"next": {"href": "/runs?continuationToken=same"}}}
    flowservice.fail(Fault("GET /runs", status=200, body=page, times=None))

    with pytest.raises(FlowServiceAnswerError, match="form a loop after 2 pages"):
        list(hook.list_runs())


def test_pages_without_end_are_noticed(connect_to):
    def page(_):
        href = f"/runs?continuationToken={len(server.heads)}"
        return http_answer(200, {"items": [], "_links": {"next": {"href": href}}})

    with (
        CannedServer(page) as server,
        pytest.raises(FlowServiceAnswerError, match="form a loop after 1001 pages"),
    ):
        list(connect_to(server).list_runs())


@pytest.mark.parametrize("href", ["/runs", "/runs?a b", "/runs?\n", "/runs?ü", 7, {"a": 1}])
def test_a_link_that_cannot_be_read_is_no_last_page(flowservice, hook, href):
    page = {"items": [], "_links": {"next": {"href": href}}}
    flowservice.fail(Fault("GET /runs", status=200, body=page))

    with pytest.raises(FlowServiceAnswerError, match="cannot be read"):
        list(hook.list_runs())


def test_flows_of_the_system_are_not_in_the_way(flowservice, hook, flow_id):
    run_id = flowservice.add_run(flow_id)
    for number in range(200):
        system = flowservice.add_flow(f"Flow for datasetId = {number}", source=False)
        flowservice.add_run(system, "success")

    assert [run.run_id for run in hook.list_runs(flow_id=flow_id)] == [run_id]
    assert hook.get_flow(flow_id).is_source


# What is hidden or wrong


def test_a_missing_run_names_the_reasons_there_are(flowservice, hook):
    with pytest.raises(FlowServiceNotFoundError) as caught:
        hook.get_run("r1")

    error = caught.value
    assert (error.http_status, error.code) == (404, "FLOW-1439-404")
    assert error.request_id in str(error)
    for words in ("GET /runs/r1", "sandbox_name", "access label"):
        assert words in str(error)


def test_a_run_of_another_sandbox_is_missing(flowservice, hook):
    run_id = flowservice.add_run(flowservice.add_flow(sandbox="prod"))

    with pytest.raises(FlowServiceNotFoundError, match="sandbox_name"):
        hook.get_run(run_id)


def test_an_unknown_sandbox_is_not_a_missing_run(flowservice, hook, flow_id):
    run_id = flowservice.add_run(flow_id)
    flowservice.sandboxes = ["prod"]

    with pytest.raises(FlowServiceApiError, match="FLOW-2100-404.*Check 'sandbox_name'") as caught:
        hook.get_run(run_id)

    assert not isinstance(caught.value, FlowServiceNotFoundError)


@pytest.mark.parametrize(
    ("forbidden", "words"),
    [
        ("flowservice", "FLOW-2120-403.*access label.*View Sources and Manage Sources"),
        ("gateway", "403025.*not entitled"),
    ],
)
def test_a_missing_permission_says_who_mends_it(flowservice, hook, forbidden, words):
    flowservice.forbidden = forbidden

    with pytest.raises(FlowServiceAuthError, match=words):
        hook.get_run("r1")

    assert flowservice.count("GET /runs/{id}") == 1


# The hook itself


def test_a_copy_leaves_secrets_behind_and_works(flowservice, hook, flow_id):
    hook.get_flow(flow_id)

    for copied in (pickle.loads(pickle.dumps(hook)), copy.deepcopy(hook)):
        assert not {"settings", "_client"} & vars(copied).keys()
        assert copied.get_flow(flow_id).flow_id == flow_id


def test_no_representation_shows_a_secret(flowservice, hook, flow_id):
    hook.get_flow(flow_id)
    token = hook.get_conn().get_token()

    shown = " ".join(map(repr, (hook, hook.settings, hook.get_conn(), token, vars(hook))))

    assert flowservice.client_secret not in shown
    assert token.text not in shown


def test_settings_are_not_pickled(flowservice, hook):
    with pytest.raises(TypeError, match="secret"):
        pickle.dumps(hook.settings)


def test_the_address_of_a_run_follows_adobes_alerts(monkeypatch, flowservice):
    connection = flowservice.connection
    connection["extra"]["tenant"] = "ac/me"
    monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", json.dumps(connection))

    url = FlowServiceHook().get_run_url("f/1", "r?2")

    assert url == (
        "https://experience.adobe.com/#/@ac%2Fme/sname:staging/platform/source/dataflows"
        "/f%2F1/activity/r%3F2"
    )


def test_without_a_tenant_the_address_holds_the_organization(flowservice, hook):
    assert f"/#/@{flowservice.org_id}/" in hook.get_run_url("f", "r")


def test_a_copy_without_retries_reads_no_connection_again(flowservice, monkeypatch):
    run_id = flowservice.add_run(flowservice.add_flow())
    hook = FlowServiceHook()
    hook.get_run(run_id)
    monkeypatch.delenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT")

    assert hook.without_retries().get_run(run_id).is_failed


@pytest.mark.parametrize("wrong", ["f1", None, ["f1"]])
def test_datasets_are_those_of_a_flow_and_not_of_its_id(flowservice, wrong):
    with pytest.raises(ValueError, match="flow is .*, and must be a Dataflow"):
        FlowServiceHook().get_dataset_ids(wrong)

    assert flowservice.requests == []
