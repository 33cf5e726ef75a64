"""The pytest plugin for users' own tests, as it is active in these tests, too."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
from airflow import DAG

from airflow_provider_flowservice.exceptions import DataflowRunFailedError
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator
from airflow_provider_flowservice.sensors.flowservice import DataflowRunSensor
from airflow_provider_flowservice.testing import fails, remove_delays, succeeds
from helpers.support import context, run_to_the_end


def retrigger(run_id, **kwargs):
    return RetriggerDataflowRunOperator(
        task_id="retrigger", run_id=run_id, poll_interval=0.01, **kwargs
    )


def test_the_plugin_loads_nothing_until_it_is_used():
    program = "import airflow_provider_flowservice.testing, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()

    ours = {name for name in loaded if name.startswith("airflow")}
    assert ours == {"airflow_provider_flowservice", "airflow_provider_flowservice.testing"}
    assert not {"http.server", "requests", "sqlalchemy"} & set(loaded)


def test_a_run_fails_twice_and_then_succeeds_as_scripted(flowservice):
    run_id = flowservice.add_failed_run(
        then=[
            fails("No such column."),
            fails(code="CONNECTOR-2002-500"),
            succeeds(1200, failed_records=3),
        ]
    )

    for _ in range(2):
        with pytest.raises(DataflowRunFailedError):
            run_to_the_end(retrigger(run_id))
        run_id = flowservice.retriggers[-1][1]
    task_context = context()
    run_to_the_end(retrigger(run_id), task_context)

    first, second = (FlowServiceHook().get_run(new) for _, new in flowservice.retriggers[:2])
    assert "No such column." in str(first.errors[-1])
    assert second.errors[-1].code == "CONNECTOR-2002-500"
    summary = task_context["ti"].xcoms["summary"]
    assert (summary["input_records"], summary["failed_records"]) == (1200, 3)


class TestAnotherConnection:
    @pytest.fixture
    def flowservice_conn_id(self):
        return "adobe_eu"

    def test_the_connections_id_can_be_chosen(self, flowservice):
        run_id = flowservice.add_failed_run()

        assert FlowServiceHook("adobe_eu").get_run(run_id).is_failed


def test_the_token_of_an_earlier_test_is_forgotten(flowservice):
    FlowServiceHook().get_run(flowservice.add_failed_run())

    assert flowservice.summary()["token_requests"] == 1


def test_hurry_takes_out_all_pauses_of_plain_and_mapped_tasks():
    with DAG("pauses", schedule=None) as dag:
        RetriggerDataflowRunOperator(task_id="retrigger", run_id="r1", retries=1)
        DataflowRunSensor(task_id="wait", run_id="r1")
        RetriggerDataflowRunOperator.partial(task_id="mapped").expand(run_id=["r1", "r2"])

    remove_delays(dag)

    plain, sensor = dag.get_task("retrigger"), dag.get_task("wait")
    assert (plain.poll_interval, plain.settle_time, plain.retry_delay) == (0.01, 0, timedelta(0))
    assert (sensor.poke_interval, sensor.retry_delay) == (0.01, timedelta(0))
    assert dag.get_task("mapped").unmap({"run_id": "r1"}).poll_interval == 0.01
