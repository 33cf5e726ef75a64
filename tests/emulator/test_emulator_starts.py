"""On-demand runs: starting a run for a given window."""

from __future__ import annotations

import http.client
import json

import pytest

from airflow_provider_flowservice.emulator import Fault, FlowServiceEmulator, Lifecycle, seed

RUNS = "/data/foundation/flowservice/runs"
WINDOW = {"windowStartTime": 1_700_000_000, "windowEndTime": 1_700_003_600}
SHOWN_WINDOW = {"windowStart": 1_700_000_000_000, "windowEnd": 1_700_003_600_000}
COLUMN = {"name": "updated_at", "dateFormat": "YYYY-MM-DD", "timezone": "UTC"}


@pytest.fixture
def emulator(clock):
    """An emulator whose second does not end while a call for this second is under way."""
    with FlowServiceEmulator(clock=clock) as emulator:
        yield emulator


@pytest.fixture
def once(emulator):
    return emulator.add_flow(frequency="once")


@pytest.fixture
def timed(clock):
    """An emulator whose runs go by the clock."""
    with FlowServiceEmulator(step_seconds=5, clock=clock) as emulator:
        yield emulator


def new_run(answer):
    """Return the id of the run that an answer names."""
    status, body = answer
    assert status == 201, body
    return body["items"][0]["id"]


def code_of(answer):
    status, body = answer
    assert status == body["status"]
    return body["type"].rpartition("/")[2]


def copy_params(emulator, flow_id):
    (copy,) = emulator.flow(flow_id)["transformations"]
    return copy["params"]


def test_a_run_is_started_for_a_window(emulator, client, once):
    run_id = new_run(client.start(once, **WINDOW))
    statuses = [client.status_of(run_id) for _ in range(2)]
    run = emulator.run(run_id)

    assert emulator.starts == [(once, run_id)]
    assert emulator.retriggers == []
    assert statuses == ["inProgress", "success"]
    assert (run["flowId"], run["createdClient"]) == (once, emulator.client_id)
    assert {name: run["params"][name] for name in WINDOW} == {
        "windowStartTime": "1700000000",
        "windowEndTime": "1700003600",
    }


def test_a_run_may_be_started_without_a_window(emulator, client, once):
    new_run_id = new_run(client.start(once, windowStartTime=None, windowEndTime=None))

    assert emulator.starts == [(once, new_run_id)]
    assert "params" not in emulator.run(new_run_id)


def test_times_may_be_texts(emulator, client, once):
    texts = {"startTime": "9999999999", "windowStartTime": "1700000000", "windowEndTime": "0"}
    texts["windowEndTime"] = texts["windowStartTime"]  # an empty window, and not a wrong one

    assert emulator.run(new_run(client.start(once, **texts)))["params"] == texts


def test_what_was_started_can_be_read_over_http(client, once):
    run_id = new_run(client.start(once))

    assert client.control("GET", "starts")[1] == [[once, run_id]]
    assert client.control("GET", "summary")[1]["starts"] == 1


def test_the_seeded_flow_takes_on_demand_runs(clock, make_client):
    with FlowServiceEmulator(seed=True, clock=clock) as emulator:
        assert emulator.run_ids(seed.BACKFILL_FLOW_ID) == []
        new_run(make_client(emulator).start(seed.BACKFILL_FLOW_ID))


# Refusals


@pytest.mark.parametrize(
    ("flow", "params", "code"),
    [
        ({"batch": False}, {}, "1385-400"),
        ({"source": False}, {}, "1385-400"),
        ({"frequency": "hour"}, {}, "1386-400"),
        ({"state": "disabled"}, {}, "1388-400"),
        ({"state": "draft"}, {}, "1388-400"),
        ({}, {"startTime": None, "windowStartTime": None, "windowEndTime": None}, "1384-400"),
        ({}, {"startTime": None}, "1384-400"),
        ({}, {"windowStartTime": None}, "1384-400"),
        ({}, {"windowEndTime": None}, "1384-400"),
        ({}, {"startTime": "2030-01-01"}, "1384-400"),
        ({}, {"startTime": ""}, "1384-400"),
        ({}, {"startTime": "9" * 5000}, "1384-400"),
        ({}, {"startTime": 9999999999.5}, "1384-400"),
        ({}, {"startTime": True}, "1384-400"),
        ({}, {"windowStartTime": -1}, "1384-400"),
        ({}, {"windowStartTime": [1]}, "1384-400"),
        ({}, {"windowStartTime": 2, "windowEndTime": 1}, "1381-400"),
        ({}, {"startTime": 1_700_000_000}, "1360-400"),
        ({"delta_column": ""}, {}, "1383-400"),
        ({"delta_column": "updated_at"}, {"deltaColumn": {"name": "created_at"}}, "1382-400"),
        ({"delta_column": ""}, {"deltaColumn": {}}, "1384-400"),
        ({"delta_column": ""}, {"deltaColumn": {"name": 7}}, "1384-400"),
        ({"delta_column": ""}, {"deltaColumn": "updated_at"}, "1384-400"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_some_runs_cannot_be_started(emulator, client, flow, params, code, wrapped):
    emulator.wrap_errors = wrapped
    flow_id = emulator.add_flow(**{"frequency": "once", **flow})
    answer = client.start(flow_id, **params)

    assert code_of(answer) == ("FLOW-1100-400" if wrapped else code)
    assert not wrapped or f"Error from flow provider: {code}" in answer[1]["errorMessage"]
    assert emulator.starts == []
    assert emulator.run_ids(flow_id) == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "FLOW-1405-400"),
        ("null", "FLOW-1405-400"),
        ("[]", "FLOW-1405-400"),
        ("{}", "FLOW-1405-400"),
        ("{flowId", "FLOW-1405-400"),
        (b"\xff", "FLOW-1405-400"),
        ('{"params": {}}', "FLOW-1446-400"),
        ('{"flowId": ""}', "FLOW-1446-400"),
        ('{"flowId": 7}', "FLOW-1446-400"),
        ('{"flowId": "nowhere"}', "FLOW-1439-404"),
    ],
)
def test_a_body_names_a_flow(client, body, code):
    assert code_of(client.send("POST", RUNS, body)) == code


@pytest.mark.parametrize("params", [{}, {"params": None}, {"params": {}}, {"params": []}])
def test_a_run_without_params_is_refused(client, once, params):
    body = json.dumps({"flowId": once, "status": "active", **params})

    assert code_of(client.send("POST", RUNS, body)) == "1384-400"


def test_a_flow_belongs_to_one_sandbox(emulator, client):
    elsewhere = emulator.add_flow(frequency="once", sandbox="prod")

    assert code_of(client.start(elsewhere)) == "FLOW-1439-404"


def test_of_several_reasons_the_first_is_told(emulator, client):
    wrong = {"startTime": 1, "windowStartTime": 2, "windowEndTime": 1}
    flow = {"batch": False, "frequency": "hour", "state": "disabled", "delta_column": ""}
    mended = [
        ({}, {"windowStartTime": None}),
        ({"batch": True}, {}),
        ({"frequency": "once"}, {}),
        ({"state": "enabled"}, {}),
        ({}, {"windowStartTime": 2}),
        ({}, {"windowStartTime": 0}),
        ({}, {"startTime": None, "deltaColumn": {}}),
        ({}, {"startTime": 9_999_999_999}),
        ({}, {"deltaColumn": None}),
    ]
    codes = []
    for of_flow, of_params in mended:
        flow.update(of_flow)
        wrong.update(of_params)
        codes.append(code_of(client.start(emulator.add_flow(**flow), **wrong)))

    assert codes == [
        "1385-400",
        "1386-400",
        "1388-400",
        "1384-400",
        "1381-400",
        "1360-400",
        "1384-400",
        "1384-400",
        "1383-400",
    ]


@pytest.mark.parametrize(("late", "status"), [(0, 201), (0.9, 201), (1, 400)])
def test_the_current_second_is_not_past(timed, clock, make_client, late, status):
    client = make_client(timed)
    start_time = int(clock.now)
    clock.now += late

    answer = client.start(timed.add_flow(frequency="once"), **WINDOW, startTime=start_time)

    assert answer[0] == status
    if status == 201:
        run = timed.run(new_run(answer))
        assert run["metrics"]["statusSummary"]["status"] == "inProgress"
        assert run["createdAt"] == int(clock.now * 1000)


# Answers


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ("items", 201),
        ("id_etag", 201),
        ("full_run", 201),
        ("200", 200),
        ("no_id", 201),
        ("empty", 201),
    ],
)
def test_the_answer_takes_many_shapes_and_always_starts_a_run(emulator, client, once, form, status):
    emulator.start_answer = form
    got, answer = client.start(once, startTime=9_999_999_999)
    ((_, new_id),) = emulator.starts
    short = {"id": new_id, "etag": emulator.run(new_id)["etag"]}

    assert got == status
    assert answer == {
        "items": {"items": [short]},
        "full_run": emulator.run(new_id),
        "no_id": {"etag": short["etag"]},
        "empty": "",
    }.get(form, short)
    if form == "full_run":
        assert answer["metrics"] == {"statusSummary": {"status": "scheduled"}}


# What becomes of the run


def test_a_run_is_scheduled_until_its_time_and_then_goes_on(timed, clock, make_client):
    client = make_client(timed)
    created = int(clock.now)
    flow_id = timed.add_flow(frequency="once")
    run_id = new_run(client.start(flow_id, **WINDOW, startTime=created + 60))
    statuses = []
    for seconds in (0, 59, 1, 5):
        clock.now += seconds
        statuses.append(client.status_of(run_id))
    run = timed.run(run_id)

    assert statuses == ["scheduled", "scheduled", "inProgress", "success"]
    assert run["createdAt"] == created * 1000
    assert run["params"]["startTime"] == str(created + 60)
    assert run["metrics"]["durationSummary"] == {
        "startedAtUTC": (created + 60) * 1000,
        "completedAtUTC": (created + 65) * 1000,
    }


def test_polls_do_not_hurry_a_scheduled_run(emulator, client, clock, once):
    run_id = new_run(client.start(once, startTime=int(clock.now) + 60))
    before = [client.status_of(run_id) for _ in range(3)]
    (flow,) = client.get(f"/flows/{once}")["items"]
    updated = emulator.run(run_id)["updatedAt"]
    refused = code_of(client.retrigger(run_id))
    clock.now += 60

    assert before == ["scheduled"] * 3
    assert flow["lastRunDetails"] == {"id": run_id, "state": "scheduled"}
    assert updated == emulator.run(run_id)["createdAt"]
    assert refused == "1387-400"
    assert [client.status_of(run_id) for _ in range(2)] == ["inProgress", "success"]


def test_a_script_ends_the_wait_of_a_scheduled_run(emulator, client, once):
    run_id = new_run(client.start(once, startTime=9_999_999_999))
    emulator.script(run_id, ["failed"])

    assert client.status_of(run_id) == "failed"


def test_a_plan_of_a_flow_covers_its_on_demand_runs(emulator, client, once):
    emulator.plan(once, ["failed"], Lifecycle(["success"], records=7))
    failed, succeeded = (new_run(client.start(once)) for _ in range(2))

    assert client.status_of(failed) == "failed"
    assert emulator.run(succeeded)["metrics"]["recordSummary"]["inputRecordCount"] == 7


def test_a_failed_on_demand_run_is_run_again_with_its_window(emulator, client, once):
    emulator.plan(once, ["failed"], ["success"])
    run_id = new_run(client.start(once, **WINDOW))
    _, answer = client.retrigger(run_id)

    assert emulator.retriggers == [(run_id, answer["id"])]
    assert emulator.run(answer["id"])["params"] == {
        name: str(time) for name, time in WINDOW.items()
    }


def test_a_new_run_can_be_hidden_for_some_polls(emulator, client, once):
    emulator.new_run_hidden_for = 2
    run_id = new_run(client.start(once))
    in_list = client.get("/runs", f"flowId=={once}")["items"]
    statuses = [client.send("GET", f"{RUNS}/{run_id}")[0] for _ in range(2)]

    assert in_list == []
    assert statuses == [404, 200]


def test_a_new_run_can_be_hidden_for_some_seconds(timed, clock, make_client):
    client = make_client(timed)
    timed.new_run_hidden_for = 3
    run_id = new_run(client.start(timed.add_flow(frequency="once")))
    hidden = client.send("GET", f"{RUNS}/{run_id}")[0]
    clock.now += 3

    assert (hidden, client.send("GET", f"{RUNS}/{run_id}")[0]) == (404, 200)


@pytest.mark.parametrize("end", ["success", "failed"])
@pytest.mark.parametrize(
    ("place", "in_params", "in_metrics"),
    [("params", True, False), ("metrics", False, True), ("nowhere", False, False)],
)
def test_the_window_is_shown_where_it_is_set(
    emulator, client, once, end, place, in_params, in_metrics
):
    emulator.on_demand_window = place
    emulator.plan(once, ["inProgress", end])
    run_id = new_run(client.start(once, **WINDOW))
    (begun,) = client.get(f"/runs/{run_id}")["items"]
    (ended,) = client.get(f"/runs/{run_id}")["items"]
    shown = ended["metrics"]["durationSummary"].get("extensions")

    assert ("params" in begun, "params" in ended) == (in_params, in_params)
    assert begun["metrics"] == {"statusSummary": {"status": "inProgress"}}
    assert shown == (SHOWN_WINDOW if in_metrics else None)
    assert "windowStart" not in json.dumps(ended["activities"])


# The delta column of a source of tables


def test_the_first_run_names_the_delta_column_and_the_flow_keeps_it(emulator, client):
    flow_id = emulator.add_flow(frequency="once", delta_column="")
    before = copy_params(emulator, flow_id)
    refused = client.start(flow_id)
    named = client.start(flow_id, deltaColumn=COLUMN)
    after = copy_params(emulator, flow_id)
    left_out, repeated = client.start(flow_id), client.start(flow_id, deltaColumn=COLUMN)
    other = client.start(flow_id, deltaColumn={"name": "created_at"})

    assert (before, after) == ({}, {"deltaColumn": {"name": "updated_at"}})
    assert (code_of(refused), code_of(other)) == ("1383-400", "1382-400")
    assert emulator.starts == [(flow_id, new_run(run)) for run in (named, left_out, repeated)]


def test_a_refused_run_leaves_no_delta_column(emulator, client):
    flow_id = emulator.add_flow(frequency="once", delta_column="")

    assert code_of(client.start(flow_id, deltaColumn=COLUMN, startTime=1)) == "1360-400"
    assert copy_params(emulator, flow_id) == {}


def test_a_source_of_files_ignores_a_delta_column(emulator, client, once):
    new_run(client.start(once, deltaColumn=COLUMN))

    assert copy_params(emulator, once) == {}


# Trouble


@pytest.mark.parametrize(("kind", "started"), [("close_before", 0), ("close_after", 1)])
def test_a_lost_answer_is_lost_before_or_after_the_deed(emulator, client, once, kind, started):
    emulator.fail(Fault("POST /runs$", kind=kind))

    with pytest.raises(http.client.RemoteDisconnected):
        client.start(once)

    assert len(emulator.starts) == len(emulator.run_ids(once)) == started
    assert emulator.requests[-1].status == 0
    new_run(client.start(once))


def test_an_answer_may_break_off_after_the_deed(emulator, client, once):
    emulator.fail(Fault("POST /runs", kind="truncated"))

    with pytest.raises(http.client.IncompleteRead):
        client.start(once)

    assert len(emulator.starts) == 1


@pytest.mark.parametrize(("kind", "started"), [("answer", 0), ("slow", 1)])
def test_an_answer_may_be_late(emulator, client, once, kind, started):
    emulator.fail(Fault("POST /runs", kind=kind, delay=30))
    client.connection.timeout = 0.05

    with pytest.raises(TimeoutError):
        client.start(once)

    assert len(emulator.starts) == started


def test_a_fault_may_spare_re_triggers(emulator, client, once):
    emulator.fail(Fault("POST /runs$", status=503, body={"title": "no"}))

    assert client.retrigger(emulator.add_run(once))[0] == 200
    assert client.start(once) == (503, {"title": "no"})
    assert emulator.starts == []
