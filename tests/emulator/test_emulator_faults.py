"""Trouble on demand."""

from __future__ import annotations

import http.client
import time

import pytest

from airflow_provider_flowservice.emulator import Fault

RUNS = "/data/foundation/flowservice/runs"


def test_a_fault_answers_instead_of_the_service(emulator, client, flow_id):
    run_id = emulator.add_run(flow_id)
    emulator.fail(Fault("POST /runs/.*/action", status=503, body={"title": "no"}))

    assert client.retrigger(run_id) == (503, {"title": "no"})
    assert emulator.retriggers == []
    assert client.retrigger(run_id)[0] == 200


def test_a_fault_has_its_times(emulator, client):
    emulator.fail(Fault("GET /runs", status=500, times=2, after=1))
    emulator.fail(Fault("GET /runs", status=429, times=1, after=1))

    assert [client.send("GET", RUNS)[0] for _ in range(5)] == [200, 500, 500, 429, 200]


def test_a_fault_may_last_until_it_is_cleared(emulator, client):
    emulator.fail(Fault("* .*", times=None, status=503, body="<html>"))
    answers = [client.send("GET", RUNS), client.send("POST", "/ims/token/v3")]
    emulator.clear_faults()

    assert answers == [(503, "<html>")] * 2
    assert client.send("GET", RUNS)[0] == 200


def test_a_fault_touches_only_its_own_requests(emulator, client, flow_id):
    emulator.fail(Fault("GET /runs$", status=500))

    assert client.get(f"/flows/{flow_id}")
    assert client.send("POST", RUNS)[0] == 400
    assert client.send("GET", f"{RUNS}/r1")[0] == 404
    assert client.send("GET", RUNS)[0] == 500


@pytest.mark.parametrize("body", [None, b"", "plain"])
def test_a_fault_brings_its_own_headers(emulator, client, body):
    emulator.fail(Fault("GET /runs", status=429, body=body, headers={"Retry-After": "7"}))
    client.connection.request("GET", RUNS, headers=client.headers)
    answer = client.connection.getresponse()

    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    assert answer.read().decode() == ("plain" if body == "plain" else "")


@pytest.mark.parametrize(("kind", "started"), [("close_before", 0), ("close_after", 1)])
def test_a_lost_answer_is_lost_before_or_after_the_deed(emulator, client, flow_id, kind, started):
    run_id = emulator.add_run(flow_id)
    emulator.fail(Fault("POST /runs", kind=kind))

    with pytest.raises(http.client.RemoteDisconnected):
        client.retrigger(run_id)

    assert len(emulator.retriggers) == started
    assert emulator.requests[-1].status == 0


def test_an_answer_may_break_off_after_the_deed(emulator, client, flow_id):
    run_id = emulator.add_run(flow_id)
    emulator.fail(Fault("POST /runs", kind="truncated"))

    with pytest.raises(http.client.IncompleteRead):
        client.retrigger(run_id)

    assert len(emulator.retriggers) == 1


@pytest.mark.parametrize(("kind", "started"), [("answer", 0), ("slow", 1)])
def test_an_answer_may_be_late(emulator, client, flow_id, kind, started):
    run_id = emulator.add_run(flow_id)
    emulator.fail(Fault("POST /runs", kind=kind, delay=30))
    client.connection.timeout = 0.05

    with pytest.raises(TimeoutError):
        client.retrigger(run_id)

    assert len(emulator.retriggers) == started


def test_a_late_answer_comes(emulator, client, flow_id):
    run_id = emulator.add_run(flow_id)
    emulator.fail(Fault("POST /runs", kind="slow", delay=0.05))
    began = time.monotonic()

    assert client.retrigger(run_id)[0] == 200
    assert time.monotonic() - began >= 0.05


@pytest.mark.parametrize(
    "fault", [{"on": "GET"}, {"on": "/runs"}, {"on": "GET /runs", "kind": "explode"}]
)
def test_a_fault_that_means_nothing_is_refused(fault):
    with pytest.raises(ValueError, match="fault"):
        Fault(**fault)
