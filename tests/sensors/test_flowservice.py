"""DataflowRunSensor against the emulator; all modes are the same test."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_flowservice._compat import AirflowSensorTimeout, AirflowTaskTimeout
from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.exceptions import (
    DataflowRunFailedError,
    DataflowRunLostError,
    FlowServiceAuthError,
    FlowServiceNotFoundError,
)
from airflow_provider_flowservice.links.flowservice import DataflowRunLink
from airflow_provider_flowservice.sensors.flowservice import DataflowRunSensor
from support import context, run_to_the_end

both_ways = pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferred"])


@pytest.fixture
def run_id(flowservice):
    return flowservice.add_run(flowservice.add_flow(name="orders"), status="inProgress")


def sensor(run_id, **kwargs):
    kwargs = {"poke_interval": 0, "hook_params": {"retries": 0}, **kwargs}
    return DataflowRunSensor(task_id="wait", run_id=run_id, **kwargs)


@both_ways
def test_returns_the_runs_summary_in_every_mode(flowservice, run_id, deferrable):
    flowservice.script(run_id, ["scheduled", "inProgress", "success"])
    task_context = context()

    summary = run_to_the_end(sensor(run_id, deferrable=deferrable), task_context)

    assert summary["run_id"] == run_id
    assert summary["status"] == "success"
    assert summary["input_records"] == 100
    assert task_context["ti"].xcoms[DataflowRunLink.xcom_key].endswith(f"/activity/{run_id}")


@both_ways
def test_a_failed_run_fails_the_task_with_the_reason(flowservice, run_id, deferrable, logged):
    flowservice.script(run_id, ["inProgress", "failed"])

    with pytest.raises(DataflowRunFailedError, match=f"{run_id}.*failed.*Reason: "):
        run_to_the_end(sensor(run_id, deferrable=deferrable))

    assert "in the words of the connector" in logged()


@both_ways
def test_a_passed_timeout_is_a_sensor_timeout(flowservice, run_id, deferrable):
    flowservice.script(run_id, ["inProgress"])

    with pytest.raises(AirflowSensorTimeout):
        run_to_the_end(sensor(run_id, deferrable=deferrable, timeout=0))


def test_airflows_own_limit_ends_a_deferred_task_as_timed_out(flowservice, run_id):
    flowservice.script(run_id, ["inProgress"])
    task = sensor(run_id, deferrable=True, execution_timeout=timedelta(0))

    with pytest.raises(AirflowTaskTimeout, match="inProgress"):
        run_to_the_end(task)


@both_ways
def test_a_run_that_never_turns_up_is_not_waited_for_beyond_the_grace(flowservice, deferrable):
    with pytest.raises(FlowServiceNotFoundError, match="no-such-run does not turn up"):
        run_to_the_end(sensor("no-such-run", deferrable=deferrable, missing_grace=0))


@both_ways
def test_a_run_not_readable_at_once_is_waited_for(flowservice, run_id, deferrable):
    flowservice.fail(Fault("GET /runs", status=404, body={}, times=2))
    flowservice.script(run_id, ["success"])

    summary = run_to_the_end(sensor(run_id, deferrable=deferrable))

    assert summary["status"] == "success"


@both_ways
def test_an_outage_within_patience_is_sat_out(flowservice, run_id, deferrable, logged):
    flowservice.fail(Fault("GET /runs", kind="close_before", times=3))
    flowservice.script(run_id, ["success"])

    summary = run_to_the_end(sensor(run_id, deferrable=deferrable))

    assert summary["status"] == "success"
    assert "Lost sight" in (log := logged())
    assert "regained" in log


@both_ways
def test_an_outage_beyond_patience_is_not_called_a_failed_run(flowservice, run_id, deferrable):
    flowservice.fail(Fault("GET /runs", status=503, times=None))

    with pytest.raises(DataflowRunLostError, match="says nothing about the run"):
        run_to_the_end(sensor(run_id, deferrable=deferrable, patience=0))


@both_ways
def test_a_refused_credential_ends_the_wait(flowservice, run_id, deferrable):
    flowservice.fail(Fault("GET /runs", status=403, body={}, times=None))

    with pytest.raises(FlowServiceAuthError):
        run_to_the_end(sensor(run_id, deferrable=deferrable))


@both_ways
def test_an_unknown_status_counts_as_running_and_is_named_once(
    flowservice, run_id, deferrable, logged
):
    flowservice.script(run_id, ["meditating", "meditating", "success"])

    summary = run_to_the_end(sensor(run_id, deferrable=deferrable))

    assert summary["status"] == "success"
    assert logged().count("which this package does not know") == 1
