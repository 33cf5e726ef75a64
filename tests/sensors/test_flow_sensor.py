"""DataflowSensor against the emulator; all modes are the same test."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from airflow_provider_flowservice._compat import (
    TIMES_DEFERRED_TASKS,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
)
from airflow_provider_flowservice._waiting.flow_success import first_success
from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.exceptions import (
    DataflowRunLostError,
    FlowServiceAuthError,
    FlowServiceNotFoundError,
)
from airflow_provider_flowservice.links.flowservice import DataflowRunLink
from airflow_provider_flowservice.runs import DataflowRun
from airflow_provider_flowservice.sensors.flowservice import DataflowSensor
from helpers.support import airflows_limit, context, run_to_the_end

HOUR = 3_600_000

in_each_mode = pytest.mark.parametrize(
    "mode",
    [
        pytest.param({"mode": "poke"}, id="poke"),
        pytest.param(
            {"mode": "reschedule"},
            id="reschedule",
            marks=pytest.mark.skipif(
                TIMES_DEFERRED_TASKS, reason="Airflow 2 reads from its database when it rescheduled"
            ),
        ),
        pytest.param({"deferrable": True}, id="deferred"),
    ],
)


@pytest.fixture
def flow_id(flowservice):
    return flowservice.add_flow("Orders")


@pytest.fixture
def an_hour_ago(flowservice):
    return str(datetime.fromtimestamp((flowservice.now_ms() - HOUR) / 1000, timezone.utc))


def sensor(flow_id, since, **kwargs):
    kwargs = {"poke_interval": 0.01, "hook_params": {"retries": 0}, **kwargs}
    return DataflowSensor(task_id="wait", flow_id=flow_id, completed_after=since, **kwargs)


def run(name, status="success", **times):
    return DataflowRun(name, "f", status, **times)


def test_the_first_success_since_the_time_counts():
    runs = [
        run("too early", created_at=1, completed_at=9),
        run("failed", "failed", created_at=10),
        run("second", created_at=11, completed_at=13),
        run("began before", created_at=1, completed_at=12),
        run("on time", created_at=2, completed_at=10),
    ]

    assert first_success(runs, 10).run_id == "on time"
    assert first_success(runs[:4], 10).run_id == "began before"
    assert first_success(runs[:2], 10) is None


def test_a_success_without_an_end_counts_if_it_began_since():
    assert first_success([run("a", created_at=9), run("b", created_at=10)], 10).run_id == "b"
    assert first_success([run("a")], 10) is None


@in_each_mode
def test_waits_for_a_success_and_returns_its_summary(flowservice, flow_id, an_hour_ago, mode):
    flowservice.add_run(flow_id, "success", created_at=flowservice.now_ms() - 3 * HOUR)
    flowservice.add_run(flow_id, "failed")
    run_id = flowservice.add_run(flow_id)
    flowservice.script(run_id, ["inProgress", "inProgress", "success"])
    task_context = context()

    summary = run_to_the_end(sensor(flow_id, an_hour_ago, **mode), task_context)

    assert (summary["run_id"], summary["status"]) == (run_id, "success")
    assert task_context["ti"].xcoms[DataflowRunLink.xcom_key].endswith(f"/activity/{run_id}")
    assert task_context["ti"].xcoms["summary"] == summary


@in_each_mode
def test_a_passed_timeout_tells_what_the_flow_has_come_to(
    flowservice, flow_id, an_hour_ago, mode, logged
):
    run_id = flowservice.add_run(flow_id, "failed")
    task = sensor(flow_id, an_hour_ago, timeout=0, **mode)

    with pytest.raises(AirflowSensorTimeout):
        run_to_the_end(task)

    assert f"Dataflow run {run_id} of flow {flow_id}: failed" in logged()


@in_each_mode
def test_a_flow_that_does_not_exist_is_not_waited_for(flowservice, an_hour_ago, mode):
    with pytest.raises(FlowServiceNotFoundError, match="no-such-flow"):
        run_to_the_end(sensor("no-such-flow", an_hour_ago, **mode))


@in_each_mode
def test_an_outage_within_patience_is_sat_out(flowservice, flow_id, an_hour_ago, mode):
    run_id = flowservice.add_run(flow_id, "success")
    flowservice.fail(Fault("GET /runs", kind="close_before", times=3))

    assert run_to_the_end(sensor(flow_id, an_hour_ago, **mode))["run_id"] == run_id


@in_each_mode
def test_an_outage_beyond_patience_ends_the_wait(flowservice, flow_id, an_hour_ago, mode):
    flowservice.fail(Fault("GET /runs", status=503, times=None))

    with pytest.raises(DataflowRunLostError, match=flow_id):
        run_to_the_end(sensor(flow_id, an_hour_ago, outage_timeout=0, **mode))


@in_each_mode
def test_a_refused_credential_ends_the_wait(flowservice, flow_id, an_hour_ago, mode):
    flowservice.fail(Fault("GET /runs", status=403, body={}, times=None))

    with pytest.raises(FlowServiceAuthError, match=flow_id):
        run_to_the_end(sensor(flow_id, an_hour_ago, **mode))


@in_each_mode
def test_a_time_that_is_none_is_refused_before_any_request(flowservice, flow_id, mode):
    task = sensor(flow_id, "{{ data_interval_end }}", **mode)
    task.completed_after = "None"  # as rendered without a logical date

    with pytest.raises(ValueError, match=r"completed_after is 'None'.* dag_run.run_after"):
        run_to_the_end(task)

    assert flowservice.requests == []


@in_each_mode
@pytest.mark.parametrize("flow_id", ["", "None", "a,b"])
def test_an_id_that_names_no_flow_is_refused_before_any_request(
    flowservice, an_hour_ago, flow_id, mode
):
    with pytest.raises(ValueError, match="flow_id is .*, and must be an ID"):
        run_to_the_end(sensor(flow_id, an_hour_ago, **mode))

    assert flowservice.requests == []


@pytest.mark.parametrize("limit", [{}, {"never_fail": True}], ids=["fails", "skips"])
def test_airflows_own_limit_says_which_flow_has_not_succeeded(
    flowservice, flow_id, an_hour_ago, logged, limit
):
    run_id = flowservice.add_run(flow_id, "failed")
    flowservice.fail(Fault("GET /runs", kind="slow", delay=20))
    # The alarm may come after the timeout, when a look takes long.
    task = sensor(
        flow_id, an_hour_ago, timeout=100, execution_timeout=timedelta(seconds=110), **limit
    )
    error = AirflowSkipException if limit else AirflowTaskTimeout

    with (
        airflows_limit(0.5),
        pytest.raises(error, match=f"waiting for a success of flow {flow_id}"),
    ):
        run_to_the_end(task)

    assert f"Dataflow run {run_id} of flow {flow_id}: failed" in logged()


def test_the_trigger_leaves_repetitions_to_the_wait(flowservice, flow_id, an_hour_ago):
    flowservice.fail(Fault("GET /runs", status=503, times=None))
    params = {"retries": 3, "backoff": 0}
    task = sensor(flow_id, an_hour_ago, outage_timeout=0, deferrable=True, hook_params=params)

    with pytest.raises(DataflowRunLostError):
        run_to_the_end(task)

    assert flowservice.count(method="GET", path_regex="/runs") == 1


def test_the_triggers_row_is_json_and_holds_all_it_needs(flowservice, flow_id):
    from airflow_provider_flowservice.triggers.flowservice import DataflowTrigger

    trigger = DataflowTrigger(flow_id, 1, "conn", 30, deadline=1e9, hook_params={"retries": 1})
    path, kwargs = trigger.serialize()

    assert path == "airflow_provider_flowservice.triggers.flowservice.DataflowTrigger"
    assert DataflowTrigger(**kwargs, something_later=1).serialize() == (path, kwargs)
