"""The emulator's own endpoints."""

from __future__ import annotations

import pytest


def test_a_scene_can_be_set_over_http(emulator, client):
    _, flow = client.control("POST", "flows", {"name": "Far away"})
    _, run = client.control("POST", "runs", {"flow_id": flow["id"], "status": "failed"})
    lifecycles = [["failed"], {"statuses": ["success"], "records": 7}]
    client.control("POST", "plan", {"id": run["id"], "lifecycles": lifecycles})
    new_ids = [client.retrigger(run["id"])[1]["id"] for _ in range(2)]
    client.control("POST", "script", {"run_id": run["id"], "statuses": ["inProgress"]})

    assert emulator.flow(flow["id"])["name"] == "Far away"
    assert client.status_of(run["id"]) == "inProgress"
    assert client.status_of(new_ids[0]) == "failed"
    assert emulator.run(new_ids[1])["metrics"]["recordSummary"]["inputRecordCount"] == 7
    assert client.control("GET", "retriggers")[1] == [[run["id"], new_id] for new_id in new_ids]


def test_faults_can_be_switched_over_http(client):
    path = "/data/foundation/flowservice/runs"
    client.control("POST", "faults", {"on": "GET /runs", "times": None, "status": 502})
    broken = client.send("GET", path)[0]
    client.control("DELETE", "faults")

    assert (broken, client.send("GET", path)[0]) == (502, 200)


def test_what_was_seen_can_be_read_and_forgotten(client, flow_id):
    client.get(f"/flows/{flow_id}")
    client.send("POST", "/ims/token/v3")
    (seen, _) = client.control("GET", "requests")[1]
    _, summary = client.control("GET", "summary")
    client.control("DELETE", "requests")

    assert seen["path"] == f"/data/foundation/flowservice/flows/{flow_id}"
    assert seen["headers"]["authorization"] == "Bearer ***"
    assert summary == {
        "requests": {"GET /flows/{id}": 1, "POST /ims/token/v3": 1},
        "token_requests": 1,
        "retriggers": 0,
        "starts": 0,
    }
    assert client.control("GET", "requests")[1] == []
    assert client.control("GET", "summary")[1]["requests"] == {}


@pytest.mark.parametrize(
    ("method", "name", "body", "status"),
    [
        ("GET", "nothing", None, 404),
        ("POST", "runs", {"flow_id": "nowhere"}, 404),
        ("POST", "script", {"run_id": "nowhere", "statuses": ["failed"]}, 404),
        ("POST", "faults", {"on": "GET /runs", "mood": "bad"}, 400),
        ("POST", "faults", {"on": "nonsense"}, 400),
        ("POST", "runs", {"flow_id": "nowhere", "ended": {"named": "explodes"}}, 404),
    ],
)
def test_a_wrong_command_is_refused(client, method, name, body, status):
    got, answer = client.control(method, name, body)

    assert (got, list(answer)) == (status, ["error"])
