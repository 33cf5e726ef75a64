"""What both sensors share, in every mode: the first poll, the button, and Airflow's own arguments."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.exceptions import AirflowNotFoundException, TaskDeferred

from airflow_provider_flowservice._compat import (
    TIMES_DEFERRED_TASKS,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
)
from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.exceptions import (
    DataflowRunFailedError,
    FlowServiceApiError,
    FlowServiceAuthError,
    FlowServiceNotFoundError,
)
from airflow_provider_flowservice.links.flowservice import DataflowRunLink
from airflow_provider_flowservice.sensors.flowservice import DataflowRunSensor, DataflowSensor
from helpers.support import TaskInstance, both_ways, context, execute, run_to_the_end

LINK = DataflowRunLink.xcom_key

reschedules = pytest.param(
    {"mode": "reschedule"},
    id="reschedule",
    marks=pytest.mark.skipif(
        TIMES_DEFERRED_TASKS, reason="Airflow 2 reads from its database when it rescheduled a task"
    ),
)
in_each_mode = pytest.mark.parametrize(
    "mode",
    [
        pytest.param({"mode": "poke"}, id="poke"),
        reschedules,
        pytest.param({"deferrable": True}, id="deferred"),
    ],
)


@dataclass
class Waits:
    """Makes sensors that wait for a run, or for a flow that has this run only."""

    service: Any
    kind: str
    flow_id: str
    run_id: str

    def sensor(self, **arguments):
        arguments = {"task_id": "wait", "poke_interval": 0.01, **arguments}
        if self.kind == "run":
            return DataflowRunSensor(run_id=self.run_id, **arguments)
        since = datetime.now(timezone.utc) - timedelta(hours=1)
        return DataflowSensor(flow_id=self.flow_id, completed_after=str(since), **arguments)

    def script(self, *statuses):
        self.service.script(self.run_id, statuses)

    def polls(self):
        return self.service.count(method="GET", path_regex="/runs")


def waits_for(flowservice, kind):
    flow_id = flowservice.add_flow("Orders")
    return Waits(flowservice, kind, flow_id, flowservice.add_run(flow_id, "inProgress"))


@pytest.fixture(params=["run", "flow"])
def waits(request, flowservice):
    return waits_for(flowservice, request.param)


@pytest.fixture
def waits_for_run(flowservice):
    return waits_for(flowservice, "run")


class CountingTaskInstance(TaskInstance):
    """Counts how often each XCom is pushed."""

    def __init__(self):
        super().__init__()
        self.pushes = Counter()

    def xcom_push(self, key, value):
        super().xcom_push(key, value)
        self.pushes[key] += 1


# The first poll


@both_ways
def test_what_is_there_already_is_returned_without_a_deferral(waits, deferrable):
    waits.script("success")
    ti = CountingTaskInstance()

    summary = execute(waits.sensor(deferrable=deferrable), {"ti": ti})

    assert (summary["run_id"], summary["status"]) == (waits.run_id, "success")
    assert waits.polls() == 1
    assert ti.xcoms["summary"] == summary
    assert ti.pushes == {LINK: 1, "summary": 1}


@both_ways
@pytest.mark.parametrize(
    ("statuses", "arguments", "error"),
    [
        (["failed"], {}, DataflowRunFailedError),
        (["failed"], {"soft_fail": True}, AirflowSkipException),
        (["partialSuccess"], {"on_partial": "skip"}, AirflowSkipException),
        (["inProgress"], {"timeout": 0}, AirflowSensorTimeout),
    ],
    ids=str,
)
def test_what_ends_a_wait_ends_it_before_a_deferral(
    waits_for_run, deferrable, statuses, arguments, error
):
    waits_for_run.script(*statuses)
    task_context = context()

    with pytest.raises(error, match=waits_for_run.run_id):
        execute(waits_for_run.sensor(deferrable=deferrable, **arguments), task_context)

    assert set(task_context["ti"].xcoms) == {LINK, "summary"}


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503},
        {"status": 429, "headers": {"Retry-After": "60"}},
        {"kind": "close_before"},
        {"status": 200, "body": "<html>Welcome!</html>"},
    ],
    ids=str,
)
def test_an_error_that_may_pass_is_left_to_the_trigger_at_once(waits, flowservice, fault):
    waits.script("success")
    flowservice.fail(Fault("GET /runs", times=None, **fault))

    with pytest.raises(TaskDeferred):
        execute(waits.sensor(deferrable=True), context())

    assert waits.polls() == 1


def test_a_service_that_cannot_be_reached_is_left_to_the_trigger(waits, flowservice):
    flowservice.stop()

    with pytest.raises(TaskDeferred):
        execute(waits.sensor(deferrable=True), context())


def test_a_run_that_may_still_appear_is_left_to_the_trigger(flowservice, waits_for_run):
    waits_for_run.run_id = "to-come"

    with pytest.raises(TaskDeferred):
        execute(waits_for_run.sensor(deferrable=True), context())


@both_ways
@pytest.mark.parametrize(
    ("status", "error"),
    [(400, FlowServiceApiError), (302, FlowServiceApiError), (403, FlowServiceAuthError)],
)
def test_an_error_that_waiting_cannot_fix_ends_the_task_at_once(
    waits, flowservice, deferrable, status, error
):
    flowservice.fail(Fault("GET /runs", status=status, body={}, times=None))

    with pytest.raises(error):
        execute(waits.sensor(deferrable=deferrable), context())

    assert waits.polls() == 1


@both_ways
def test_a_first_poll_is_counted_once_and_a_wait_that_goes_on_is_not(waits, metrics, deferrable):
    sensor = waits.sensor(deferrable=deferrable)
    if deferrable:
        with pytest.raises(TaskDeferred):
            execute(sensor, context())
        assert (metrics["flowservice.polls"], metrics["flowservice.wait"]) == (1, 0)
    waits.script("success")

    execute(sensor, context())

    assert metrics["flowservice.polls"] == 1 + deferrable
    assert metrics["flowservice.wait"] > 0


# The button


@pytest.mark.parametrize("mode", [reschedules, pytest.param({"deferrable": True}, id="deferred")])
def test_the_button_leads_to_the_run_while_the_sensor_waits(waits_for_run, mode):
    ti = CountingTaskInstance()

    with pytest.raises((TaskDeferred, AirflowRescheduleException)):
        execute(waits_for_run.sensor(**mode), context(ti=ti))

    assert ti.xcoms[LINK].endswith(f"/activity/{waits_for_run.run_id}")
    assert ti.pushes == {LINK: 1}


def test_a_sensor_that_pokes_shows_the_button_once(waits_for_run):
    ti = CountingTaskInstance()
    sensor = waits_for_run.sensor()

    for _ in range(3):
        sensor.poke({"ti": ti})

    assert ti.pushes == {LINK: 1}


def test_without_a_run_to_be_seen_there_is_no_button(flowservice, waits_for_run):
    waits_for_run.run_id = "to-come"
    task_context = context()

    with pytest.raises(TaskDeferred):
        execute(waits_for_run.sensor(deferrable=True), task_context)

    assert task_context["ti"].xcoms == {}


# Airflow's own arguments


@in_each_mode
def test_silent_fail_goes_on_after_errors(waits, flowservice, mode, logged):
    waits.script("success")
    flowservice.fail(Fault("GET /runs", status=400, body={"message": "no"}, times=2))

    summary = run_to_the_end(waits.sensor(silent_fail=True, **mode))

    assert summary["run_id"] == waits.run_id
    assert logged().count("because of silent_fail") == 2


@in_each_mode
def test_silent_fail_goes_on_when_contact_is_lost(waits, flowservice, mode):
    waits.script("success")
    flowservice.fail(Fault("GET /runs", status=503, times=2))
    params = {"hook_params": {"retries": 0}, "outage_timeout": 0}

    summary = run_to_the_end(waits.sensor(silent_fail=True, **params, **mode))

    assert summary["run_id"] == waits.run_id


@in_each_mode
def test_silent_fail_goes_on_until_the_timeout(waits, flowservice, mode):
    flowservice.fail(Fault("GET /runs", status=400, body={"message": "no"}, times=None))

    with pytest.raises(AirflowSensorTimeout, match=r"deadline passed.*HTTP 400"):
        run_to_the_end(waits.sensor(silent_fail=True, timeout=0.3, **mode))

    assert waits.polls() > 1


@pytest.mark.parametrize("mode", [reschedules])
def test_a_timeout_that_passes_right_after_a_poll_says_what_was_seen(
    waits, flowservice, mode, monkeypatch
):
    # Airflow's own check finds it then, whose clock is ahead here.
    late = SimpleNamespace(time=lambda: time.time() - 1, sleep=time.sleep)
    monkeypatch.setattr("airflow_provider_flowservice.sensors._base.time", late)
    flowservice.fail(Fault("GET /runs", status=400, body={"message": "no"}, times=None))

    with pytest.raises(AirflowSensorTimeout, match=r"deadline passed.*HTTP 400"):
        run_to_the_end(waits.sensor(silent_fail=True, timeout=0.3, **mode))


@in_each_mode
@pytest.mark.parametrize("error", [FlowServiceNotFoundError, FlowServiceAuthError])
def test_silent_fail_does_not_go_on_after_what_a_retry_cannot_fix(
    waits_for_run, flowservice, mode, error
):
    status = 404 if error is FlowServiceNotFoundError else 403
    flowservice.fail(Fault("GET /runs", status=status, body={}, times=None))

    with pytest.raises(error):
        run_to_the_end(waits_for_run.sensor(silent_fail=True, missing_grace=0, **mode))


def test_a_silent_failure_is_deferred_for_an_interval_and_until_the_same_deadline(
    waits, flowservice
):
    flowservice.fail(Fault("GET /runs", status=400, body={"message": "no"}, times=None))
    sensor = waits.sensor(silent_fail=True, deferrable=True, poke_interval=90)
    with pytest.raises(TaskDeferred) as first:
        execute(sensor, context())
    event = {"kind": "error", "subject": "it", "run": None, "error": {"message": "no"}}

    with pytest.raises(TaskDeferred) as again:
        sensor.resume_execution(
            first.value.method_name, {**first.value.kwargs, "event": event}, context()
        )

    assert (first.value.trigger.first_poll, again.value.trigger.first_poll) == (0, 90)
    assert first.value.trigger.deadline == again.value.trigger.deadline
    assert again.value.kwargs == first.value.kwargs


@pytest.mark.parametrize(
    ("silent_fail", "error"), [(True, TaskDeferred), (False, AirflowNotFoundException)]
)
def test_silent_fail_defers_although_the_worker_cannot_read_the_connection(
    waits, silent_fail, error
):
    sensor = waits.sensor(silent_fail=silent_fail, flowservice_conn_id="later", deferrable=True)

    with pytest.raises(error):
        execute(sensor, context())


@in_each_mode
def test_button_and_summary_are_there_without_do_xcom_push(waits, mode):
    waits.script("inProgress", "success")
    task_context = context()

    run_to_the_end(waits.sensor(do_xcom_push=False, **mode), task_context)

    assert set(task_context["ti"].xcoms) == {LINK, "summary"}


# By itself


@pytest.mark.parametrize("mode", [{}, {"mode": "reschedule"}, {"deferrable": True}], ids=str)
def test_a_sensor_can_be_poked_by_itself_with_an_empty_context(waits, mode):
    waits.script("inProgress", "inProgress", "success")
    sensor = waits.sensor(**mode)

    assert [bool(sensor.poke({})) for _ in range(3)] == [False, False, True]
    assert sensor.poke({}).xcom_value["run_id"] == waits.run_id


@pytest.mark.parametrize("mode", [reschedules])
def test_a_run_that_appears_within_one_poke_costs_no_reschedule(flowservice, waits_for_run, mode):
    waits_for_run.script("success")
    flowservice.fail(Fault("GET /runs", status=404, body={}, times=2))

    summary = execute(waits_for_run.sensor(**mode), context())

    assert summary["run_id"] == waits_for_run.run_id
    assert waits_for_run.polls() == 3


# Tries


def test_a_retry_that_is_resumed_as_the_try_before_polls_anew(waits, flowservice, resumed):
    flowservice.fail(Fault("GET /runs.*", status=503, after=1))
    no_patience = {"outage_timeout": 0, "hook_params": {"retries": 0}}
    resume = resumed(waits.sensor(deferrable=True, retries=1, **no_patience))
    waits.script("success")

    assert resume()["run_id"] == waits.run_id
    assert waits.polls() == 3


def test_a_success_ends_the_task_in_whichever_try_it_is_resumed(waits, flowservice, resumed):
    waits.script("inProgress", "success")
    resume = resumed(waits.sensor(deferrable=True, retries=1))
    flowservice.fail(Fault("GET /", status=403, body={}, times=None))

    assert resume()["run_id"] == waits.run_id


def test_a_timeout_is_not_given_again_in_whichever_try_the_task_is_resumed(
    waits_for_run, flowservice, resumed
):
    # Until the timeout has passed, polls in virtual time would keep a core busy.
    flowservice.fail(Fault("GET /runs", kind="slow", delay=0.1, times=None, after=1))
    resume = resumed(waits_for_run.sensor(deferrable=True, retries=1, timeout=1))
    polls = waits_for_run.polls()

    with pytest.raises(AirflowSensorTimeout, match="inProgress"):
        resume()

    assert waits_for_run.polls() == polls


def test_silent_fail_goes_on_until_the_same_deadline_in_whichever_try_the_task_is_resumed(
    waits, flowservice, resumed
):
    flowservice.fail(Fault("GET /runs", status=400, body={"message": "no"}, times=None, after=1))
    resume = resumed(waits.sensor(deferrable=True, retries=1, silent_fail=True))
    deadline = resume.args[1]["deadline"]

    with pytest.raises(TaskDeferred) as again:
        resume()

    assert again.value.trigger.deadline == deadline
