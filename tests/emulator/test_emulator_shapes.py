"""The emulator's answers have the shapes of the published ones."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from jsonschema import Draft202012Validator

from airflow_provider_flowservice.emulator import Lifecycle
from emulator import shapes

BASE = "/data/foundation/flowservice"
STATUSES = ["scheduled", "inProgress", "success", "partialSuccess", "failed", "Failed", "failure"]

pytestmark = pytest.mark.once


def check(answer, schema):
    Draft202012Validator.check_schema(schema)
    errors = list(Draft202012Validator(schema).iter_errors(answer))
    assert not errors, "\n".join(f"{error.json_path}: {error.message}" for error in errors)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"records": 0},
        {"records": 100, "failed_records": 3},
        {"error": ("CONNECTOR-2001-500", "Error in processing the copied data.")},
    ],
)
@pytest.mark.parametrize("kind", [{}, {"source": False}], ids=["source", "destination"])
def test_a_run_of_any_outcome(emulator, client, status, facts, kind):
    run_id = emulator.add_run(emulator.add_flow(**kind), status, **facts)

    check(client.get(f"/runs/{run_id}"), shapes.single(shapes.RUN))


@pytest.mark.parametrize(
    "lifecycle",
    [
        Lifecycle.rejects(3),
        Lifecycle.skips(40),
        Lifecycle.updates_only(),
        Lifecycle.loads_nothing(),
        Lifecycle.fails_on_field(),
        Lifecycle.fails_without_cause(),
        Lifecycle.source_credential_expired(),
    ],
)
@pytest.mark.parametrize("kind", [{}, {"source": False}], ids=["source", "destination"])
def test_a_run_of_a_named_outcome(emulator, client, lifecycle, kind):
    run_id = emulator.add_run(emulator.add_flow(**kind), ended=lifecycle)

    check(client.get(f"/runs/{run_id}"), shapes.single(shapes.RUN))


def test_an_on_demand_run(emulator, client, flow_id):
    run_id = emulator.add_run(flow_id, on_demand=True)

    check(client.get(f"/runs/{run_id}"), shapes.single(shapes.RUN))


@pytest.mark.parametrize(
    "kind", [{}, {"batch": False}, {"source": False}, {"frequency": "once"}, {"delta_column": "id"}]
)
@pytest.mark.parametrize("has_run", [False, True])
def test_a_flow_of_any_kind(emulator, client, kind, has_run):
    flow_id = emulator.add_flow(**kind)
    if has_run:
        emulator.add_run(flow_id, "success")

    check(client.get(f"/flows/{flow_id}"), shapes.single(shapes.FLOW))


@pytest.mark.parametrize("works", [True, False])
def test_a_source_and_its_account(emulator, client, works):
    flow_id = emulator.add_flow(source_account_works=works)
    (flow,) = client.get(f"/flows/{flow_id}")["items"]
    (source,) = client.get(f"/sourceConnections/{flow['sourceConnectionIds'][0]}")["items"]
    (inherited,) = flow["inheritedAttributes"]["sourceConnections"]
    account_id = source["baseConnectionId"]

    (account,) = client.get(f"/connections/{account_id}")["items"]

    assert account_id == account["id"] == inherited["baseConnection"]["id"]
    assert account["name"]
    assert client.get(f"/connections/{account_id}/test") == {"result": works}


def test_an_account_belongs_to_a_sandbox(emulator, client):
    (flow,) = client.get(f"/flows/{emulator.add_flow()}")["items"]
    (inherited,) = flow["inheritedAttributes"]["sourceConnections"]
    path = f"{BASE}/connections/{inherited['baseConnection']['id']}"

    for tried in (path, f"{path}/test"):
        status, body = client.send("GET", tried, x_sandbox_name="prod")
        assert status == 404
        check(body, shapes.SERVICE_ERROR)


def test_pages_and_counts(emulator, client, flow_id):
    for _ in range(3):
        emulator.add_run(flow_id)

    check(client.get("/runs", limit="2"), shapes.listing(shapes.RUN))
    check(client.get("/runs"), shapes.listing(shapes.RUN))
    check(client.get("/flows"), shapes.listing(shapes.FLOW))
    check(client.get("/runs", count="true"), shapes.COUNTED)


@pytest.mark.parametrize("answer", ["id_etag", "201"])
def test_a_retrigger(emulator, client, flow_id, answer):
    emulator.retrigger_answer = answer

    check(client.retrigger(emulator.add_run(flow_id))[1], shapes.STARTED)


@pytest.mark.parametrize(
    "params",
    [
        {"startTime": 9999999999},
        {"startTime": "9999999999"},
        {
            "startTime": 9999999999,
            "deltaColumn": {"name": "updated_at", "dateFormat": "YYYY-MM-DD", "timezone": "UTC"},
        },
    ],
)
@pytest.mark.parametrize(
    ("answer", "shape"),
    [
        ("items", shapes.single(shapes.STARTED)),  # the tutorial's
        ("id_etag", shapes.STARTED),  # that of the file
        ("full_run", shapes.RUN),
    ],
)
def test_a_new_on_demand_run(emulator, client, params, answer, shape):
    emulator.start_answer = answer
    flow_id = emulator.add_flow(frequency="once", delta_column="updated_at")
    check(client.start_body(flow_id, **params), shapes.START_REQUEST)
    status, body = client.start(flow_id, **params)
    ((_, run_id),) = emulator.starts

    assert status == 201
    check(body, shape)
    for status in ("scheduled", "success"):
        check(client.get(f"/runs/{run_id}"), shapes.single(shapes.RUN))
        check(client.get(f"/flows/{flow_id}"), shapes.single(shapes.FLOW))
        assert client.status_of(run_id) == status
        emulator.script(run_id, ["success"])


def test_actions_on_flows(client, flow_id):
    check(client.send("POST", f"{BASE}/flows/{flow_id}/action?op=disable")[1], shapes.STARTED)


@pytest.mark.parametrize(
    "request_of",
    [
        lambda client, _: client.send("GET", f"{BASE}/runs/r1"),
        lambda client, _: client.send("GET", f"{BASE}/runs?limit=0"),
        lambda client, _: client.send("GET", f"{BASE}/runs", x_sandbox_name="mars"),
        lambda client, _: client.send("GET", f"{BASE}/runs", x_sandbox_name=None),
        lambda client, run_id: client.retrigger(run_id),
        lambda client, run_id: client.send("PUT", f"{BASE}/runs/{run_id}"),
        lambda client, _: client.send("POST", f"{BASE}/runs"),
        lambda client, _: client.start(client.emulator.add_flow()),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_errors_of_the_service(emulator, client, flow_id, request_of, wrapped):
    emulator.wrap_errors = wrapped
    status, body = request_of(client, emulator.add_run(flow_id, "success"))

    assert status == body["status"]
    check(body, shapes.SERVICE_ERROR)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": None},
        {"Authorization": "Bearer x"},
        {"x_api_key": None},
        {"x_api_key": "x"},
        {"x_gw_ims_org_id": None},
        {"x_gw_ims_org_id": "x"},
    ],
)
def test_errors_of_the_gateway(client, headers):
    check(client.send("GET", f"{BASE}/runs", **headers)[1], shapes.GATEWAY_ERROR)


def test_tokens(emulator, client):
    form = {
        "grant_type": "client_credentials",
        "client_id": emulator.client_id,
        "client_secret": emulator.client_secret,
        "scope": "openid,AdobeID",
    }

    check(client.send("POST", "/ims/token/v3", urlencode(form))[1], shapes.TOKEN)
    form["client_secret"] = "wrong"
    check(client.send("POST", "/ims/token/v3", urlencode(form))[1], shapes.IMS_ERROR)


def test_sandboxes(client):
    status, body = client.send("GET", "/data/foundation/sandbox-management/")

    assert status == 200
    check(body, shapes.SANDBOXES)
