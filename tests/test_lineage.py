"""OpenLineage: what a real run of the examples emits, and what it never does to a task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.operators.flowservice import (
    RetriggerDataflowRunOperator,
    RunDataflowOperator,
)
from airflow_provider_flowservice.runs import DataflowRun
from airflow_provider_flowservice.sensors.flowservice import DataflowSensor
from helpers.support import run_to_the_end

openlineage = pytest.importorskip(
    "airflow.providers.openlineage.extractors.base", reason="the OpenLineage provider is optional"
)

pytestmark = pytest.mark.once

EXAMPLES = Path(__file__).parent.parent / "example_dags"
ORG = "A1B2C3D4E5F6A7B8C9D0E1F2"

RUN_DAGS = """
import runpy, sys
for example, run_id in zip(sys.argv[1::2], sys.argv[2::2]):
    runpy.run_path(example)["dag"].test(run_conf={"run_id": run_id})
"""


@pytest.fixture
def emitted(tmp_path, airflow_db):
    """Return a function that runs example DAGs, and returns the OpenLineage events of their tasks."""
    path = tmp_path / "events.jsonl"

    def run(*examples):
        transport = {"type": "file", "log_file_path": str(path), "append": True}
        env = {**os.environ, "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport)}
        arguments = [word for name, run_id in examples for word in (EXAMPLES / name, run_id)]
        command = [sys.executable, "-c", RUN_DAGS, *arguments]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert path.exists(), done.stdout + done.stderr
        events = map(json.loads, path.read_text().splitlines())
        return {
            (event["job"]["name"].split(".")[-1], event["eventType"]): event for event in events
        }

    return run


def batches_of(flowservice, run_id):
    return list(DataflowRun.from_api(flowservice.run(run_id)).batch_ids)


@pytest.mark.timeout(240)  # a new process with Airflow and OpenLineage in it
def test_real_runs_tell_what_was_read_and_written_and_why_one_failed(
    emitted, flowservice, add_failed_run
):
    loaded = add_failed_run(["success"], records=1200, failed_records=3)
    failed = add_failed_run(["failed"])

    events = emitted(("retrigger_sensor_etl.py", loaded), ("retrigger_and_wait.py", failed))

    new_run_id = dict(flowservice.retriggers)[loaded]
    flow_id = flowservice.run(loaded)["flowId"]
    (connection,) = flowservice.flow(flow_id)["inheritedAttributes"]["sourceConnections"]
    account_id = connection["baseConnection"]["id"]
    for kind in ("START", "COMPLETE"):
        (source,) = events["wait", kind]["inputs"]
        (target,) = events["wait", kind]["outputs"]
        assert source["namespace"] == f"aep://{ORG}/staging/connection/{account_id}"
        assert source["name"] == f"/emulator/{flow_id}/"
        assert target["namespace"] == f"aep://{ORG}"
        assert target["name"].startswith("staging/dataset/")
    complete = events["wait", "COMPLETE"]
    statistics = complete["outputs"][0]["outputFacets"]["outputStatistics"]
    assert (statistics["rowCount"], statistics["size"]) == (1197, 201600)
    assert complete["run"]["facets"]["externalQuery"]["externalQueryId"] == new_run_id
    facts = complete["run"]["facets"]["flowservice_run"]
    assert facts["batch_ids"] == batches_of(flowservice, new_run_id)
    assert (facts["failed_records"], facts["input_bytes"]) == (3, 288000)
    assert facts["failed_records_url"].endswith("/meta?path=row_errors")
    failure = events["retrigger", "FAIL"]
    assert "failed. Reason: 2200" in failure["run"]["facets"]["errorMessage"]["message"]
    assert failure["outputs"][0]["name"].startswith("staging/dataset/")


def test_a_run_that_was_not_waited_for_has_lineage_without_numbers(add_failed_run):
    task = RetriggerDataflowRunOperator(task_id="retrigger", run_id=add_failed_run())

    lineage = task.get_openlineage_facets_on_failure(None)

    assert lineage.outputs[0].name.startswith("staging/dataset/")
    assert lineage.outputs[0].outputFacets == {}
    assert lineage.run_facets == {}


def test_a_start_has_lineage_before_there_is_a_run(flowservice):
    flow_id = flowservice.add_flow(frequency="once")
    task = RunDataflowOperator(task_id="load", flow_id=flow_id, poll_interval=0.01)

    at_start = task.get_openlineage_facets_on_start()
    run_id = run_to_the_end(task)
    at_end = task.get_openlineage_facets_on_complete(None)

    assert at_start.inputs[0].name == f"/emulator/{flow_id}/"
    assert at_end.outputs[0].outputFacets["outputStatistics"].rowCount == 100
    assert at_end.run_facets["externalQuery"].externalQueryId == run_id


def test_a_wait_for_a_flow_has_lineage_from_its_start(flowservice):
    flow_id = flowservice.add_flow()
    flowservice.add_run(flow_id, "success", records=7)
    task = DataflowSensor(task_id="wait", flow_id=flow_id, completed_after="2020-01-01")

    at_start = task.get_openlineage_facets_on_start()
    run_to_the_end(task)
    at_end = task.get_openlineage_facets_on_complete(None)

    assert at_start.inputs[0].name == f"/emulator/{flow_id}/"
    assert at_end.outputs[0].outputFacets["outputStatistics"].rowCount == 7


@pytest.mark.parametrize("path", ["/runs", "/flows", "/sourceConnections", "/targetConnections"])
def test_what_the_service_does_not_say_costs_the_lineage_and_not_the_task(
    flowservice, add_failed_run, path
):
    task = RetriggerDataflowRunOperator(task_id="retrigger", run_id=add_failed_run())
    flowservice.fail(Fault(f"GET {path}", status=500, times=None))

    lineage = openlineage.DefaultExtractor(task).extract_on_complete(None)

    assert lineage is None
    assert flowservice.count(method="GET", path_regex=f"{path}/") == 1  # no retries either
