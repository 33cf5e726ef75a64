"""DataflowRunSensor against the emulator; all modes are the same test."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from airflow.exceptions import AirflowRescheduleException

from airflow_provider_flowservice._compat import (
    TIMES_DEFERRED_TASKS,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
)
from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.exceptions import (
    DataflowRunFailedError,
    DataflowRunLostError,
    FlowServiceApiError,
    FlowServiceAuthError,
    FlowServiceNotFoundError,
)
from airflow_provider_flowservice.links.flowservice import DataflowRunLink
from airflow_provider_flowservice.sensors.flowservice import DataflowRunSensor
from airflow_provider_flowservice.triggers.flowservice import DataflowRunTrigger
from helpers.support import airflows_limit, both_ways, context, fire, run_to_the_end


@pytest.fixture
def run_id(flowservice):
    return flowservice.add_run(flowservice.add_flow(name="orders"), status="inProgress")


def sensor(run_id, **kwargs):
    kwargs = {"poke_interval": 0.01, "hook_params": {"retries": 0}, **kwargs}
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
    with pytest.raises(FlowServiceNotFoundError, match="no-such-run was not found"):
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
    assert "Contact with the service lost" in (log := logged())
    assert "restored" in log


@both_ways
def test_an_outage_beyond_patience_is_not_called_a_failed_run(flowservice, run_id, deferrable):
    flowservice.fail(Fault("GET /runs", status=503, times=None))

    with pytest.raises(DataflowRunLostError, match="says nothing about the run"):
        run_to_the_end(sensor(run_id, deferrable=deferrable, outage_timeout=0))


@both_ways
def test_a_refused_credential_ends_the_wait(flowservice, run_id, deferrable):
    flowservice.fail(Fault("GET /runs", status=403, body={}, times=None))

    with pytest.raises(FlowServiceAuthError):
        run_to_the_end(sensor(run_id, deferrable=deferrable))


@both_ways
@pytest.mark.parametrize("status", [400, 302])
def test_an_error_that_waiting_cannot_fix_is_raised_as_the_service_told_it(
    flowservice, run_id, deferrable, status, logged
):
    headers = {"x-request-id": "request-1", "Location": "https://login.example.com"}
    body = {"message": "Bad.", "type": "https://ns.adobe.com/aep/errors/FLOW-1108-400"}
    flowservice.fail(
        Fault("GET /runs", status=status, body=body, headers=headers, after=1, times=None)
    )

    with pytest.raises(FlowServiceApiError, match=f"{run_id}.*{status}") as caught:
        run_to_the_end(sensor(run_id, deferrable=deferrable))

    error = caught.value
    assert (type(error), error.http_status, error.sent) == (FlowServiceApiError, status, "yes")
    assert (error.request_id, error.code) == ("request-1", "FLOW-1108-400")
    assert f"The wait for dataflow run {run_id} met an error." in logged()


@both_ways
def test_an_unknown_status_counts_as_running_and_is_named_once_in_each_process(
    flowservice, run_id, deferrable, logged
):
    flowservice.script(run_id, ["meditating", "meditating", "success"])

    summary = run_to_the_end(sensor(run_id, deferrable=deferrable))

    assert summary["status"] == "success"
    assert logged().count("which this package does not know") == 1 + deferrable


# Deadlines


needs_no_database = pytest.mark.skipif(
    TIMES_DEFERRED_TASKS, reason="Airflow 2 reads from its database when it rescheduled a task"
)


def long_ago(seconds):
    return datetime.now(timezone.utc) - timedelta(seconds=seconds)


@needs_no_database
@pytest.mark.parametrize(
    ("limit", "error"),
    [
        ({"timeout": 100}, AirflowSensorTimeout),
        ({"execution_timeout": timedelta(seconds=100)}, AirflowTaskTimeout),
    ],
    ids=["timeout", "execution_timeout"],
)
def test_a_limit_spans_the_processes_of_a_rescheduled_task(flowservice, run_id, limit, error):
    task_context = context()
    task_context["ti"].first_reschedule_date = long_ago(200)
    flowservice.script(run_id, ["inProgress"])

    with pytest.raises(error, match="Last seen: .*inProgress"):
        run_to_the_end(sensor(run_id, mode="reschedule", **limit), task_context)


@needs_no_database
def test_a_rescheduled_task_looks_for_the_last_time_at_its_deadline(flowservice, run_id):
    task_context = context()
    task_context["ti"].first_reschedule_date = long_ago(70)
    flowservice.script(run_id, ["inProgress"])
    task = sensor(run_id, mode="reschedule", poke_interval=600, timeout=100)

    with pytest.raises(AirflowRescheduleException) as caught:
        task.execute(task_context)

    wait = (caught.value.reschedule_date - datetime.now(timezone.utc)).total_seconds()
    assert 20 <= wait <= 30


def test_airflows_own_limit_names_the_last_status_in_a_worker(flowservice, run_id):
    flowservice.script(run_id, ["inProgress"])
    task = sensor(run_id, poke_interval=60)

    with airflows_limit(0.5), pytest.raises(AirflowTaskTimeout, match="Last seen: .*inProgress"):
        run_to_the_end(task)


def test_airflows_own_limit_names_the_last_status_of_a_skipped_task_too(flowservice, run_id):
    flowservice.fail(Fault(f"GET /runs/{run_id}", kind="slow", delay=20))
    task = sensor(run_id, poke_interval=60, never_fail=True)

    with airflows_limit(0.5), pytest.raises(AirflowSkipException, match="It was never seen"):
        run_to_the_end(task)


# Beginning in the triggerer


def test_a_resumed_task_repeats_how_the_run_ended(flowservice, run_id, logged):
    flowservice.script(run_id, ["failed"])
    task = sensor(run_id, deferrable=True)
    event = fire(DataflowRunTrigger(run_id))
    logged()

    with pytest.raises(DataflowRunFailedError):
        task.execute_complete(context(), event)

    log = logged()
    assert f"Dataflow run {run_id} of flow" in log
    assert "failed" in log
    assert "Reason: " in log


def test_an_event_that_lost_its_run_fails_the_task(flowservice, run_id):
    task = sensor(run_id, deferrable=True)
    event = {"kind": "ended", "subject": f"dataflow run {run_id}", "run": None}

    with pytest.raises(FlowServiceNotFoundError, match=run_id):
        task.execute_complete(context(), event)
