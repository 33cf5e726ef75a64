"""The example DAGs in a real Airflow: its scheduler, its workers, its triggerer."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

pytestmark = pytest.mark.timeout(240)  # the first test boots Airflow

LINK = "Open dataflow run"


@pytest.fixture
def new_runs(flowservice):
    """Return a function that tells the new runs made of a run."""
    return lambda run_id: [new for source, new in flowservice.retriggers if source == run_id]


def test_retrigger_and_wait(airflow, add_failed_run, new_runs):
    run_id = add_failed_run()

    run = airflow.trigger("example_flowservice_retrigger", {"run_id": run_id})

    assert run.wait() == "success", run.log("retrigger")
    (new_run_id,) = new_runs(run_id)
    assert run.xcom("retrigger") == new_run_id
    assert new_run_id in run.links("retrigger")[LINK]
    log = run.log("retrigger")
    assert f"The new run of dataflow run {run_id} is {new_run_id}" in log
    assert "Pausing task as DEFERRED" in log


def test_a_run_that_fails_again_fails_the_task_and_tells_why(airflow, add_failed_run, new_runs):
    run_id = add_failed_run(
        ["inProgress", "failed"], error=("CONNECTOR-2001-500", "No such column.")
    )

    run = airflow.trigger("example_flowservice_retrigger", {"run_id": run_id})

    assert run.wait() == "failed"
    (new_run_id,) = new_runs(run_id)
    assert new_run_id in run.links("retrigger")[LINK]
    log = run.log("retrigger")
    assert "DataflowRunFailedError" in log
    assert "CONNECTOR-2001-500" in log
    assert "No such column." in log


def test_sensor_and_downstream_task(airflow, add_failed_run, new_runs):
    run_id = add_failed_run(records=1200, failed_records=3)

    run = airflow.trigger("example_flowservice_sensor", {"run_id": run_id})

    assert run.wait() == "success", run.log("wait")
    (new_run_id,) = new_runs(run_id)
    assert run.xcom("retrigger") == new_run_id
    assert run.xcom("wait")["status"] == "success"
    assert run.xcom("transform") == f"1197 records of run {new_run_id} are ready."
    assert new_run_id in run.links("wait")[LINK]


def test_mapped_tasks(airflow, add_failed_run, new_runs):
    run_ids = [add_failed_run() for _ in range(3)]

    run = airflow.trigger("example_flowservice_mapped", {"run_ids": run_ids})

    assert run.wait() == "success", run.states()
    for index, run_id in enumerate(run_ids):
        (new_run_id,) = new_runs(run_id)
        assert run.xcom("retrigger", map_index=index) == new_run_id
        assert new_run_id in run.links("retrigger", map_index=index)[LINK]


def test_a_backfill_in_mapped_tasks(airflow, flowservice):
    flow_id = flowservice.add_flow("Orders of old", frequency="once")
    period = {"first_day": "2026-01-01", "last_day": "2026-01-05", "days_per_window": 2}

    run = airflow.trigger("example_flowservice_backfill", {"flow_id": flow_id, **period})

    assert run.wait() == "success", run.states()
    started = {new for flow, new in flowservice.starts if flow == flow_id}
    assert len(started) == 3
    summaries = [run.xcom("load", "summary", map_index=index) for index in range(3)]
    assert {summary["run_id"] for summary in summaries} == started
    days = ["2026-01-01", "2026-01-03", "2026-01-05", "2026-01-06"]
    windows = [(each["window_start"][:10], each["window_end"][:10]) for each in summaries]
    assert windows == list(pairwise(days))
    for index, summary in enumerate(summaries):
        assert run.xcom("load", map_index=index) == summary["run_id"]
        assert summary["run_id"] in run.links("load", map_index=index)[LINK]


def test_a_deferred_wait_survives_its_triggerer(airflow, add_failed_run, new_runs):
    run_id = add_failed_run([*["inProgress"] * 12, "success"])
    run = airflow.trigger("example_flowservice_retrigger", {"run_id": run_id})
    run.wait_for_task("retrigger", "deferred")

    (new_run_id,) = new_runs(run_id)
    assert new_run_id in run.links("retrigger")[LINK]  # already now
    airflow.restart("triggerer")

    assert run.wait() == "success", run.log("retrigger")
    assert new_runs(run_id) == [new_run_id]


def test_airflow_knows_the_provider(airflow):
    providers = json.loads(airflow.cli("providers", "list", "--output", "json"))
    hooks = json.loads(airflow.cli("providers", "hooks", "--output", "json"))

    assert "airflow-provider-flowservice" in {row["package_name"] for row in providers}
    (hook,) = (row for row in hooks if row["connection_type"] == "flowservice")
    assert hook["class"] == "airflow_provider_flowservice.hooks.flowservice.FlowServiceHook"
    assert hook["conn_id_attribute_name"] == "flowservice_conn_id"


def test_the_connection_can_be_tested(airflow):
    answer = airflow.cli("connections", "test", "flowservice_default")

    assert "Connection success!" in answer
