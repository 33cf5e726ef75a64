"""What a run looks like, and how it moves on."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice.emulator import FlowServiceEmulator, Lifecycle
from airflow_provider_flowservice.emulator.filters import values_at


def test_one_status_is_used_up_per_poll(emulator, client, flow_id):
    run_id = emulator.add_run(flow_id, "scheduled")
    emulator.script(run_id, ["scheduled", "inProgress", "failed"])

    statuses = [client.status_of(run_id) for _ in range(4)]

    assert statuses == ["scheduled", "inProgress", "failed", "failed"]


def test_a_list_is_a_poll_of_the_runs_on_its_page_only(emulator, client, flow_id):
    runs = [emulator.add_run(flow_id, "inProgress", f"r{n}", created_at=n) for n in range(2)]
    for run_id in runs:
        emulator.script(run_id, ["inProgress", "success"])
    client.get("/runs", limit=1)

    client.get("/runs", count="true")

    assert client.status_of("r0") == "inProgress"
    assert client.status_of("r1") == "success"


def test_reading_through_python_changes_nothing(emulator, client, flow_id):
    run_id = emulator.add_run(flow_id, "inProgress")
    emulator.script(run_id, ["inProgress", "success"])

    emulator.run(run_id)["metrics"] = None

    assert client.status_of(run_id) == "inProgress"


def test_statuses_can_go_by_the_clock(clock):
    emulator = FlowServiceEmulator(step_seconds=5, clock=clock)
    run_id = emulator.add_run(emulator.add_flow(), "scheduled")
    emulator.script(run_id, ["scheduled", "inProgress", "success"])
    began = clock.now
    seen = []
    for second in (0, 4.9, 5, 10, 100):
        clock.now = began + second
        seen.append(emulator.run(run_id)["metrics"]["statusSummary"]["status"])

    assert seen == ["scheduled", "scheduled", "inProgress", "success", "success"]
    duration = emulator.run(run_id)["metrics"]["durationSummary"]
    assert duration["completedAtUTC"] == (began + 10) * 1000


@pytest.mark.parametrize("statuses", [[], "failed"])
def test_a_lifecycle_is_a_list_of_statuses(statuses):
    with pytest.raises(ValueError, match="list of statuses"):
        Lifecycle(statuses)


def test_a_running_run_shows_almost_nothing(emulator, flow_id):
    run = emulator.run(emulator.add_run(flow_id, "inProgress"))

    assert run["metrics"] == {"statusSummary": {"status": "inProgress"}}
    assert run["activities"] == []


def test_a_success_counts_its_records(emulator, flow_id):
    run = emulator.run(emulator.add_run(flow_id, "success", records=50))

    assert run["metrics"]["recordSummary"]["outputRecordCount"] == 50
    assert "errors" not in run["metrics"]["statusSummary"]
    assert run["activities"][1]["targetInfo"][0]["reference"]["type"] == "Batch"


def test_a_success_may_have_rejected_records(emulator, flow_id):
    run = emulator.run(emulator.add_run(flow_id, "success", records=50, failed_records=2))
    rejections = run["activities"][1]["statusSummary"]["extensions"]["errors"]

    assert run["metrics"]["recordSummary"]["failedRecordCount"] == 2
    assert run["metrics"]["statusSummary"]["errors"][0]["code"] == "CONNECTOR-2001-500"
    assert [error["code"] for error in rejections] == ["INGEST-1212-400", "MAPPER-3700-400"]


def test_a_success_without_records_has_no_output_count(emulator, flow_id):
    run = emulator.run(emulator.add_run(flow_id, "success", records=0))

    assert run["metrics"]["recordSummary"] == {"inputRecordCount": 0}
    assert len(run["activities"]) == 1


def test_a_failure_says_why(emulator, flow_id):
    error = ("CONNECTOR-3001-500", "Error in creating the batch.")
    run = emulator.run(emulator.add_run(flow_id, "failed", error=error, window=(1000, 2000)))
    (activity,) = run["activities"]

    expected = [{"code": error[0], "message": error[1]}]
    assert run["metrics"]["statusSummary"]["errors"] == expected
    assert "errorDetail" in activity["statusSummary"]["extensions"]
    window = {"windowStart": 1000, "windowEnd": 2000}
    assert activity["durationSummary"]["extensions"] == window


def test_a_failure_in_processing_has_no_end_and_no_sizes(emulator, flow_id):
    error = ("CONNECTOR-2001-500", "Error in processing the copied data.")
    metrics = emulator.run(emulator.add_run(flow_id, "failed", error=error))["metrics"]

    assert "completedAtUTC" not in metrics["durationSummary"]
    assert metrics["sizeSummary"]["inputBytes"] == -1
    assert metrics["statusSummary"]["errors"][0]["code"] == "CONNECTOR-2001-500"


def test_a_destination_fails_in_its_own_words(emulator):
    run = emulator.run(emulator.add_run(emulator.add_flow(source=False), "failed"))

    code = run["metrics"]["statusSummary"]["errors"][0]["code"]
    assert code == "ACTIVATION_BATCH-0000-FAILED"


@pytest.mark.parametrize("status", ["inProgress", "success", "failed"])
def test_an_on_demand_run_has_its_window_in_its_params_only(emulator, flow_id, status):
    window = (1_700_000_000_000, 1_700_003_600_000)
    run = emulator.run(emulator.add_run(flow_id, status, window=window, on_demand=True))

    assert run["params"] == {"windowStartTime": "1700000000", "windowEndTime": "1700003600"}
    assert list(values_at(run, "activities[].durationSummary.extensions")) == []


def test_an_on_demand_run_is_run_again_with_its_window(emulator, client, flow_id):
    run_id = emulator.add_run(flow_id, window=(5000, 9000), on_demand=True)
    _, started = client.retrigger(run_id)

    assert emulator.run(started["id"])["params"] == emulator.run(run_id)["params"]
    assert emulator.run(run_id)["params"]["windowEndTime"] == "9"


def test_fields_can_be_replaced_and_taken_away(emulator, client, flow_id):
    emulator.add_run(flow_id, run_id="odd", metrics=None, activities=..., note="x")
    (run,) = client.get("/runs/odd")["items"]

    assert run["metrics"] is None
    assert "activities" not in run
    assert run["note"] == "x"


def test_even_the_id_can_be_taken_away(emulator, client, flow_id):
    emulator.add_run(flow_id, id=...)
    (run,) = client.get("/runs")["items"]

    assert "id" not in run
    assert emulator.flow(flow_id)["lastRunDetails"]["id"] is None


def test_an_id_is_data(emulator, client, flow_id):
    run_id = emulator.add_run(flow_id, run_id=f"../flows/{flow_id}/action?op=disable")
    quoted = f"..%2Fflows%2F{flow_id}%2Faction%3Fop%3Ddisable"
    (run,) = client.get(f"/runs/{quoted}")["items"]

    assert run["id"] == run_id
    assert emulator.flow(flow_id)["state"] == "enabled"


def test_a_missing_run_is_reported_as_flow_service_does(client):
    status, answer = client.send("GET", "/data/foundation/flowservice/runs/r9")

    assert status == 404
    assert answer["type"] == "https://ns.adobe.com/aep/errors/FLOW-1439-404"
    assert (answer["report"]["id"], answer["report"]["type"]) == ("r9", "runs")
    assert answer["errorMessage"] == answer["report"]["detailed-message"]


def test_a_single_thing_can_come_bare(emulator, client, flow_id):
    emulator.envelope = "bare"

    assert client.get(f"/flows/{flow_id}")["id"] == flow_id


def test_a_flow_refers_to_its_last_run(emulator, flow_id):
    assert "lastRunDetails" not in emulator.flow(flow_id)
    emulator.add_run(flow_id, "success", "new", created_at=2000)
    emulator.add_run(flow_id, "failed", "old", created_at=1000)

    assert emulator.flow(flow_id)["lastRunDetails"]["id"] == "new"
    assert emulator.flow(flow_id)["lastRunDetails"]["state"] == "success"


@pytest.mark.parametrize(
    ("kind", "has_schedule", "frequency"),
    [({}, True, "batch"), ({"batch": False}, False, "streaming"), ({"source": False}, False, None)],
)
def test_the_kind_of_a_flow_shows(emulator, client, kind, has_schedule, frequency):
    flow = emulator.flow(emulator.add_flow(**kind))
    (spec,) = client.get(f"/flowSpecs/{flow['flowSpec']['id']}")["items"]

    assert ("scheduleParams" in flow) is has_schedule
    assert spec["attributes"].get("frequency") == frequency


def test_the_connections_of_a_flow_can_be_read(emulator, client, flow_id):
    flow = emulator.flow(flow_id)
    (source,) = client.get(f"/sourceConnections/{flow['sourceConnectionIds'][0]}")["items"]
    (target,) = client.get(f"/targetConnections/{flow['targetConnectionIds'][0]}")["items"]

    assert source["params"]["path"]
    assert target["params"]["dataSetId"]


def test_a_flow_is_switched_off_and_on(emulator, client, flow_id):
    path = f"/data/foundation/flowservice/flows/{flow_id}/action"

    assert client.send("POST", f"{path}?op=disable")[1]["id"] == flow_id
    assert emulator.flow(flow_id)["state"] == "disabled"
    assert client.send("POST", f"{path}?op=ENABLE")[0] == 200
    assert emulator.flow(flow_id)["state"] == "enabled"
    assert client.send("POST", f"{path}?op=explode")[1]["type"].endswith("FLOW-1434-400")


@pytest.mark.parametrize(
    ("state", "strict", "code"),
    [
        ("disabling", False, "FLOW-1420-400"),
        ("updating", False, "FLOW-1421-400"),
        ("enabled", True, "FLOW-1422-400"),
        ("enabled", False, None),
        ("disabled", True, None),
    ],
)
def test_some_flows_cannot_be_switched_on(emulator, client, state, strict, code):
    emulator.refuse_same_state = strict
    flow_id = emulator.add_flow(state=state)
    path = f"/data/foundation/flowservice/flows/{flow_id}/action?op=enable"
    status, answer = client.send("POST", path)

    assert status == (400 if code else 200)
    assert answer.get("type", "").rpartition("/")[2] == (code or "")
    assert emulator.flow(flow_id)["state"] == (state if code else "enabled")


@pytest.mark.parametrize(
    ("frequency", "rest"),
    [
        ("once", {}),
        ("minute", {"interval": "15", "backfill": "true"}),
        ("week", {"interval": "1", "backfill": "true"}),
    ],
)
def test_a_schedule_fits_its_frequency(emulator, frequency, rest):
    schedule = emulator.flow(emulator.add_flow(frequency=frequency))["scheduleParams"]

    assert schedule == {"startTime": schedule["startTime"], "frequency": frequency, **rest}
