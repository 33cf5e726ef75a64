"""Runs on demand: starting a run for a given window."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice.emulator import FlowServiceEmulator, seed


@pytest.fixture
def once(emulator):
    return emulator.add_flow(frequency="once")


def test_a_run_is_started_for_a_window(emulator, client, once):
    status, answer = client.start(once, windowStartTime=1_700_000_000, windowEndTime="1700003600")
    ((flow_id, run_id),) = emulator.starts
    statuses = [client.status_of(run_id) for _ in range(2)]
    run = emulator.run(run_id)

    assert (status, answer) == (201, {"items": [{"id": run_id, "etag": run["etag"]}]})
    assert flow_id == once == run["flowId"]
    assert statuses == ["inProgress", "success"]
    assert run["createdClient"] == emulator.client_id
    assert run["params"]["windowStartTime"] == "1700000000"
    assert run["params"]["windowEndTime"] == "1700003600"
    assert client.control("GET", "starts")[1] == [[once, run_id]]
    assert client.control("GET", "summary")[1]["starts"] == 1


def test_the_seeded_flow_takes_runs_on_demand(make_client):
    with FlowServiceEmulator(seed=True) as emulator:
        status, _ = make_client(emulator).start(seed.BACKFILL_FLOW_ID)

    assert status == 201
