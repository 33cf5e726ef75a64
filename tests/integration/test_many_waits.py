"""Five hundred deferred tasks in a real triggerer."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from airflow_provider_flowservice.emulator import FlowServiceEmulator
from integration.airflow_api import wait_until
from integration.airflow_instance import AirflowInstance

pytestmark = pytest.mark.timeout(800)

NUMBER = 500
IN_A_DAG = 20


@pytest.fixture(scope="module")
def flowservice():
    with FlowServiceEmulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def airflow(flowservice):
    folder = Path(__file__).parent / "scale_dags"
    env = {"AIRFLOW_CONN_FLOWSERVICE_DEFAULT": flowservice.connection_json}
    with AirflowInstance([folder], env) as instance:
        yield instance


@pytest.fixture
def add_run(flowservice):
    flow_id = flowservice.add_flow()
    return lambda status="inProgress": flowservice.add_run(flow_id, status)


def runs_looked_at(flowservice):
    """Tell how often each run was asked for."""
    looks = Counter()
    for seen in flowservice.requests:
        for name, value in seen.query:
            if name == "property" and value.startswith("id=="):
                looks.update(value.removeprefix("id==").split(","))
    return looks


def wait_until_looked_at(flowservice, number):
    """Wait until as many runs have been asked for."""
    wait_until(
        lambda: len(runs_looked_at(flowservice)) == number, 120, f"{number} runs are looked at"
    )


def test_waits_begin_in_the_triggerer_with_their_templates_rendered(airflow, flowservice, add_run):
    run_id, slow_run_id = add_run(), add_run()
    flowservice.script(run_id, ["inProgress", "success"])

    run = airflow.trigger("wait_for_output", {"run_id": run_id, "slow_run_id": slow_run_id})

    assert run.wait() == "failed"
    assert run.task("wait")["state"] == "success", run.log("wait")
    assert run.xcom("wait")["run_id"] == run_id
    assert "Pausing task as DEFERRED" not in run.log("wait")  # no worker was needed to begin
    late = run.log("wait_in_vain")
    assert "AirflowSensorTimeout" in late
    assert f"{slow_run_id} of flow" in late
    assert "inProgress" in late


def test_five_hundred_deferred_tasks_cost_a_few_requests(airflow, flowservice, add_run):
    run_ids = [add_run() for _ in range(NUMBER)]
    flowservice.clear_requests()

    # Not one DAG of 500 tasks, and not all at once: Airflow hands its triggerer a copy of the whole DAG
    # with each such wait, and can hang when hundreds of them are new.
    runs = []
    for first in range(0, NUMBER, IN_A_DAG):
        conf = {"run_ids": run_ids[first : first + IN_A_DAG]}
        runs.append(airflow.trigger("many_waits", conf))
        wait_until_looked_at(flowservice, first + IN_A_DAG)
    time.sleep(20)  # the early looks are over
    flowservice.clear_requests()
    time.sleep(30)
    requests, looks = flowservice.count(method="GET"), runs_looked_at(flowservice)
    assert set(looks) == set(run_ids)
    assert requests <= 4 * 6  # three or four beats of five requests, rarely one more
    assert flowservice.summary()["token_requests"] == 0

    flowservice.script(run_ids[0], ["success"])
    flowservice.script(run_ids[-1], ["success"])
    runs[0].wait_for_task("wait_0", "success", timeout=120)
    runs[-1].wait_for_task(f"wait_{IN_A_DAG - 1}", "success", timeout=120)
    assert runs[0].xcom("wait_0")["run_id"] == run_ids[0]
    assert runs[-1].xcom(f"wait_{IN_A_DAG - 1}")["run_id"] == run_ids[-1]
    assert runs[0].task("wait_1")["state"] == "deferred"
