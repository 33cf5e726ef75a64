"""Starting a run again."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice.emulator import FlowServiceEmulator, Lifecycle


@pytest.mark.parametrize("op", ["re-trigger", "RE_TRIGGER"])
def test_a_failed_run_is_run_again(emulator, client, flow_id, op):
    run_id = emulator.add_run(flow_id, window=(1000, 2000))
    status, answer = client.retrigger(run_id, op)
    statuses = [client.status_of(answer["id"]) for _ in range(2)]
    new = emulator.run(answer["id"])

    assert status == 200
    assert statuses == ["inProgress", "success"]
    assert emulator.retriggers == [(run_id, answer["id"])]
    assert answer["etag"] == new["etag"]
    assert (new["flowId"], new["createdClient"]) == (flow_id, emulator.client_id)
    assert new["activities"][0]["durationSummary"]["extensions"]["windowEnd"] == 2000
    assert client.status_of(run_id) == "failed"


def test_a_new_run_is_created_now(emulator, client, clock, flow_id):
    run_id = emulator.add_run(flow_id)
    emulator.clock = clock
    client.headers["Authorization"] = f"Bearer {emulator.issue_token()}"

    _, answer = client.retrigger(run_id)

    assert emulator.run(answer["id"])["createdAt"] == clock.now * 1000


def test_lifecycles_are_used_in_order_and_the_last_repeats(emulator, client, flow_id):
    run_id = emulator.add_run(flow_id)
    error = ("CONNECTOR-1001-500", "No route to host.")
    emulator.plan(flow_id, ["failed"], Lifecycle(["failed"], error=error))
    errors = []
    for _ in range(3):
        new = emulator.run(client.retrigger(run_id)[1]["id"])
        errors.append(new["metrics"]["statusSummary"]["errors"][0]["message"])

    assert errors == ["Error in copying the data from Source.", error[1], error[1]]


def test_a_plan_for_a_run_goes_before_that_for_its_flow(emulator, client, flow_id):
    run_id = emulator.add_run(flow_id)
    emulator.plan(flow_id, ["failed"])
    emulator.plan(run_id, ["partialSuccess"])

    assert client.status_of(client.retrigger(run_id)[1]["id"]) == "partialSuccess"


def test_a_plan_needs_something_to_be_for(emulator):
    with pytest.raises(KeyError):
        emulator.plan("nothing", ["failed"])


@pytest.mark.parametrize(
    ("flow", "run", "op", "code"),
    [
        ({"batch": False}, {}, "re-trigger", "1333-400"),
        ({"source": False}, {}, "re-trigger", "1333-400"),
        ({"state": "disabled"}, {}, "re-trigger", "1388-400"),
        ({}, {"status": "inProgress"}, "re-trigger", "1387-400"),
        ({}, {"status": "success"}, "re-trigger", "1387-400"),
        ({}, {"status": "partialSuccess"}, "re-trigger", "1387-400"),
        ({}, {}, "retry", "1398-400"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_some_runs_cannot_be_run_again(emulator, client, flow, run, op, code, wrapped):
    emulator.wrap_errors = wrapped
    run_id = emulator.add_run(emulator.add_flow(**flow), **run)
    status, answer = client.retrigger(run_id, op)

    assert status == 400
    assert emulator.retriggers == []
    if wrapped:
        assert answer["type"].endswith("/FLOW-1100-400")
        assert f"Error from flow provider: {code}" in answer["errorMessage"]
    else:
        assert answer["type"].endswith(f"/{code}")


def test_a_run_that_found_nothing_can_be_run_again(emulator, client, flow_id):
    run_id = emulator.add_run(flow_id, "success", records=0)

    assert client.retrigger(run_id)[0] == 200


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("id_etag", 200),
        ("items", 200),
        ("full_run", 200),
        ("201", 201),
        ("same_id", 200),
        ("no_id", 200),
        ("empty", 200),
    ],
)
def test_the_answer_takes_many_shapes_and_always_starts_a_run(
    emulator, client, flow_id, kind, status
):
    emulator.retrigger_answer = kind
    run_id = emulator.add_run(flow_id)
    got, answer = client.retrigger(run_id)
    ((_, new_id),) = emulator.retriggers

    named = answer and answer.get("items", [answer])[0].get("id")
    assert got == status
    assert named == {"same_id": run_id, "no_id": None, "empty": ""}.get(kind, new_id)
    assert ("metrics" in answer) is (kind == "full_run")


def test_a_new_run_can_be_hidden_for_some_polls(emulator, client, flow_id):
    emulator.new_run_hidden_for = 2
    _, answer = client.retrigger(emulator.add_run(flow_id))
    path = f"/data/foundation/flowservice/runs/{answer['id']}"
    statuses = [client.send("GET", path)[0]]
    in_list = client.get("/runs", f"id=={answer['id']}")["items"]
    statuses.append(client.send("GET", path)[0])

    assert statuses == [404, 200]
    assert in_list == []


def test_a_new_run_can_be_hidden_for_some_seconds(clock, make_client):
    with FlowServiceEmulator(step_seconds=5, clock=clock) as emulator:
        client = make_client(emulator)
        emulator.new_run_hidden_for = 3
        _, answer = client.retrigger(emulator.add_run(emulator.add_flow()))
        path = f"/data/foundation/flowservice/runs/{answer['id']}"
        hidden = client.send("GET", path)[0], client.send("GET", path)[0]
        clock.now += 3

        assert hidden == (404, 404)
        assert client.send("GET", path)[0] == 200


@pytest.mark.parametrize("filters", ["id=={}", "flowId=={flow}"])
def test_a_new_run_can_be_unlisted_for_some_polls(emulator, client, flow_id, filters):
    emulator.new_run_unlisted_for = 2
    _, answer = client.retrigger(emulator.add_run(flow_id))
    wanted = filters.format(answer["id"], flow=flow_id)
    listed = []
    for _ in range(3):
        found = client.get("/runs", wanted)["items"]
        listed.append(answer["id"] in [run["id"] for run in found])
        assert client.status_of(answer["id"])  # by its ID it is there

    assert listed == [False, False, True]


def test_a_new_run_can_be_unlisted_for_some_seconds(clock, make_client):
    with FlowServiceEmulator(step_seconds=5, clock=clock) as emulator:
        client = make_client(emulator)
        emulator.new_run_unlisted_for = 3
        _, answer = client.retrigger(emulator.add_run(emulator.add_flow()))
        by_id = f"id=={answer['id']}"
        early = [client.get("/runs", by_id)["items"] for _ in range(2)]
        clock.now += 3

        assert early == [[], []]
        assert client.status_of(answer["id"]) == "inProgress"
        assert [run["id"] for run in client.get("/runs", by_id)["items"]] == [answer["id"]]


def test_a_new_run_that_is_hidden_first_is_unlisted_then(emulator, client, flow_id):
    emulator.new_run_hidden_for, emulator.new_run_unlisted_for = 1, 1
    _, answer = client.retrigger(emulator.add_run(flow_id))

    assert [len(client.get("/runs", f"id=={answer['id']}")["items"]) for _ in range(3)] == [0, 0, 1]
