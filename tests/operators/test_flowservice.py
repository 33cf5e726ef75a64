"""The operators that request a run, against the emulator; both ways of waiting are the same test."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from airflow.exceptions import TaskDeferred

from airflow_provider_flowservice._compat import (
    AirflowSkipException,
    AirflowTaskTimeout,
)
from airflow_provider_flowservice.emulator import Fault, Lifecycle
from airflow_provider_flowservice.exceptions import (
    DataflowRunFailedError,
    DataflowRunIncompleteError,
    DataflowRunLostError,
    DataflowRunNotRetriggerableError,
    DataflowRunTimeoutError,
    FlowServiceApiError,
    FlowServiceAuthError,
    FlowServiceNotFoundError,
)
from airflow_provider_flowservice.links.flowservice import DataflowRunLink
from airflow_provider_flowservice.operators.flowservice import (
    RetriggerDataflowRunOperator,
    RunDataflowOperator,
)
from helpers.support import airflows_limit, both_ways, context, execute, run_to_the_end


@dataclass
class Subject:
    """
    What an operator requests, and of which flow.

    :param reads: Requests for runs before its own one.
    """

    service: Any
    operator: Callable[..., Any]
    flow_id: str
    reads: int

    @property
    def new_run_ids(self):
        """The runs that requests have led to."""
        return [new for _, new in self.service.retriggers + self.service.starts]


def a_retrigger(flowservice):
    flow_id = flowservice.add_flow()
    run_id = flowservice.add_run(flow_id, "failed")
    return Subject(flowservice, partial(operator, run_id), flow_id, reads=2)


def a_start(flowservice):
    flow_id = flowservice.add_flow(frequency="once")
    day = {"window_start": "2026-11-01", "window_end": "2026-11-02"}
    return Subject(flowservice, partial(start_operator, flow_id, **day), flow_id, reads=1)


SUBJECTS = {"re-trigger": a_retrigger, "start": a_start}


@pytest.fixture(params=SUBJECTS)
def subject(request, flowservice):
    """A request of either operator; each test is about both."""
    return SUBJECTS[request.param](flowservice)


def start_operator(flow_id, **kwargs):
    kwargs = {"poll_interval": 0.01, "hook_params": {"backoff": 0}, **kwargs}
    return RunDataflowOperator(task_id="start", flow_id=flow_id, **kwargs)


def operator(run_id, **kwargs):
    kwargs = {"poll_interval": 0.01, "hook_params": {"backoff": 0}, **kwargs}
    return RetriggerDataflowRunOperator(task_id="retrigger", run_id=run_id, **kwargs)


@both_ways
@pytest.mark.parametrize("wait", [True, False])
def test_returns_the_new_runs_id_in_every_mode(flowservice, subject, deferrable, wait):
    task = subject.operator(deferrable=deferrable, wait_for_completion=wait)

    new_run_id = run_to_the_end(task)

    assert subject.new_run_ids == [new_run_id]


@both_ways
def test_shows_link_and_summary_under_their_keys(flowservice, subject, deferrable):
    flowservice.plan(subject.flow_id, ["scheduled", "inProgress", "success"])
    task_context = context()

    new_run_id = run_to_the_end(subject.operator(deferrable=deferrable), task_context)

    xcoms = task_context["ti"].xcoms
    assert xcoms["summary"]["run_id"] == new_run_id
    assert xcoms["summary"]["status"] == "success"
    assert xcoms["summary"]["output_records"] == 100
    assert xcoms[DataflowRunLink.xcom_key].endswith(f"/activity/{new_run_id}")


@both_ways
def test_a_run_that_fails_again_fails_the_task_with_the_reason(flowservice, subject, deferrable):
    flowservice.plan(subject.flow_id, ["inProgress", "failed"])

    with pytest.raises(
        DataflowRunFailedError, match="failed.*Reason: .+ https://experience"
    ) as caught:
        run_to_the_end(subject.operator(deferrable=deferrable))

    (new_run_id,) = subject.new_run_ids
    assert new_run_id in str(caught.value)


@both_ways
def test_a_passed_deadline_names_the_last_status(flowservice, subject, deferrable):
    flowservice.plan(subject.flow_id, ["inProgress"])

    with pytest.raises(DataflowRunTimeoutError, match="Last seen: .*inProgress"):
        run_to_the_end(subject.operator(deferrable=deferrable, timeout=0))


@both_ways
def test_airflows_own_limit_ends_the_task_as_timed_out(flowservice, subject, deferrable):
    flowservice.plan(subject.flow_id, ["inProgress"])
    task = subject.operator(deferrable=deferrable, execution_timeout=timedelta(0))

    with pytest.raises(AirflowTaskTimeout, match="inProgress"):
        run_to_the_end(task)


@both_ways
def test_an_outage_beyond_patience_is_not_called_a_failed_run(flowservice, subject, deferrable):
    flowservice.fail(Fault("GET /runs", status=503, times=None, after=subject.reads))
    task = subject.operator(deferrable=deferrable, outage_timeout=0, hook_params={"retries": 0})

    with pytest.raises(DataflowRunLostError, match="says nothing about the run"):
        run_to_the_end(task)


@both_ways
def test_an_outage_within_patience_is_sat_out(flowservice, subject, deferrable):
    flowservice.fail(Fault("GET /runs", status=503, times=3, after=subject.reads))
    task = subject.operator(deferrable=deferrable, hook_params={"retries": 0})

    new_run_id = run_to_the_end(task)

    assert subject.new_run_ids == [new_run_id]


@both_ways
def test_a_refused_credential_ends_the_wait(flowservice, subject, deferrable):
    flowservice.fail(Fault("GET /runs", status=403, body={}, times=None, after=subject.reads))

    with pytest.raises(FlowServiceAuthError, match="credential was refused"):
        run_to_the_end(subject.operator(deferrable=deferrable))


@both_ways
def test_an_error_that_waiting_cannot_fix_is_raised_as_the_service_told_it(
    flowservice, subject, deferrable
):
    flowservice.fail(
        Fault("GET /runs", status=400, body={"message": "no"}, times=None, after=subject.reads + 1)
    )
    flowservice.plan(subject.flow_id, ["inProgress", "success"])
    task_context = context()

    with pytest.raises(FlowServiceApiError, match="HTTP 400") as caught:
        run_to_the_end(subject.operator(deferrable=deferrable), task_context)

    assert caught.value.http_status == 400
    assert task_context["ti"].xcoms["summary"]["status"] == "inProgress"


@both_ways
def test_a_new_run_not_readable_at_once_is_waited_for(flowservice, subject, deferrable):
    flowservice.fail(Fault("GET /runs", status=404, body={}, times=2, after=subject.reads))

    new_run_id = run_to_the_end(subject.operator(deferrable=deferrable))

    assert subject.new_run_ids == [new_run_id]


def test_an_unknown_run_is_named_with_what_to_check(flowservice):
    with pytest.raises(FlowServiceNotFoundError, match="no-such-run.*sandbox_name"):
        run_to_the_end(operator("no-such-run"))

    assert flowservice.retriggers == []


INELIGIBLE = {
    "still running": (dict(), dict(status="inProgress")),
    "scheduled": (dict(), dict(status="scheduled")),
    "succeeded with records": (dict(), dict(status="success", records=7)),
    "disabled flow": (dict(state="disabled"), dict(status="failed")),
    "streaming flow": (dict(batch=False), dict(status="failed")),
    "destination flow": (dict(source=False), dict(status="failed")),
}


@pytest.mark.parametrize("case", INELIGIBLE)
def test_a_run_that_certainly_cannot_be_retriggered_is_refused_before_anything_is_sent(
    flowservice, case
):
    flow, run = INELIGIBLE[case]
    run_id = flowservice.add_run(flowservice.add_flow(name="f", **flow), **run)

    with pytest.raises(DataflowRunNotRetriggerableError, match=run_id):
        run_to_the_end(operator(run_id))

    assert flowservice.count(method="POST", path_regex=r"/action") == 0


@pytest.mark.parametrize("case", INELIGIBLE)
def test_an_ineligible_run_can_skip_the_task(flowservice, case):
    flow, run = INELIGIBLE[case]
    run_id = flowservice.add_run(flowservice.add_flow(name="f", **flow), **run)

    with pytest.raises(AirflowSkipException, match="cannot be re-triggered"):
        run_to_the_end(operator(run_id, on_ineligible="skip"))


def test_the_services_own_refusal_skips_as_well(flowservice, failed_run):
    body = {
        "type": "https://ns.adobe.com/aep/errors/FLOW-1100-400",
        "title": "Invalid request",
        "status": 400,
        "report": {
            "detailed-message": "Error from flow provider: CONNECTOR-1333-400 not supported"
        },
    }
    flowservice.fail(Fault("POST /runs/.*/action", status=400, body=body, times=None))

    with pytest.raises(AirflowSkipException, match="batch sources"):
        run_to_the_end(operator(failed_run, on_ineligible="skip"))


def test_a_success_without_records_can_be_retriggered(flowservice):
    run_id = flowservice.add_run(flowservice.add_flow(name="f"), status="success", records=0)

    new_run_id = run_to_the_end(operator(run_id))

    assert flowservice.retriggers == [(run_id, new_run_id)]


def test_what_is_not_certain_is_left_to_the_service_with_a_warning(flowservice, logged):
    flow_id = flowservice.add_flow(name="f", scheduleParams=None)
    run_id = flowservice.add_run(flow_id, status="failed")

    run_to_the_end(operator(run_id))

    assert "may be refused: its flow shows no schedule" in logged()
    assert len(flowservice.retriggers) == 1


def test_a_hidden_flow_does_not_stop_the_retrigger(flowservice, failed_run):
    flowservice.fail(Fault("GET /flows", status=404, body={}, times=None))

    new_run_id = run_to_the_end(operator(failed_run))

    assert flowservice.retriggers == [(failed_run, new_run_id)]


def test_airflows_own_limit_names_the_last_status_in_a_worker(flowservice, subject):
    flowservice.plan(subject.flow_id, ["inProgress"])
    task = subject.operator(poll_interval=2)

    with airflows_limit(4), pytest.raises(AirflowTaskTimeout, match="Last seen: .*inProgress"):
        run_to_the_end(task)


@pytest.mark.parametrize("is_adopted", [True, False], ids=["by its ID", "of another client"])
def test_for_a_run_that_has_ended_nothing_is_deferred(flowservice, subject, is_adopted):
    flowservice.plan(subject.flow_id, ["success"])
    new_run_id = run_to_the_end(subject.operator())
    adopted = {"adopt_run_id": new_run_id} if is_adopted else {}

    assert execute(subject.operator(deferrable=True, **adopted), context()) == new_run_id
    assert len(subject.new_run_ids) == 1


def test_for_a_run_of_another_client_that_goes_on_the_task_is_deferred(flowservice, subject):
    flowservice.plan(subject.flow_id, ["inProgress"])
    new_run_id = run_to_the_end(subject.operator(wait_for_completion=False))

    with pytest.raises(TaskDeferred):
        execute(subject.operator(deferrable=True, adopt_run_id=new_run_id), context())


# Tries


def test_a_retry_that_is_resumed_as_the_try_before_retriggers_again(flowservice, subject, resumed):
    flowservice.plan(subject.flow_id, ["inProgress", "failed"], ["success"])
    resume = resumed(subject.operator(deferrable=True, retries=1, settle_time=0))

    with pytest.raises(TaskDeferred):
        resume()

    assert len(subject.new_run_ids) == 2


IN_THE_DATA = Lifecycle(["failed"], error=("MAPPER-3700-400", "Mapper Transform Error"))


@pytest.mark.parametrize("durable", [True, False], ids=["durable", "not durable"])
@pytest.mark.parametrize(
    ("plan", "arguments", "error"),
    [
        (["success"], {}, None),
        (["partialSuccess"], {"on_partial": "accept"}, None),
        (["partialSuccess"], {}, DataflowRunIncompleteError),
        (["partialSuccess"], {"on_partial": "skip"}, AirflowSkipException),
        (["success"], {"min_records": 101}, DataflowRunIncompleteError),
        (IN_THE_DATA, {}, DataflowRunFailedError),
    ],
    ids=[
        "success",
        "accepted in part",
        "refused in part",
        "skipped",
        "too few records",
        "fault in the data",
    ],
)
def test_what_airflow_does_not_retry_ends_the_task_in_whichever_try_it_is_resumed(
    flowservice, subject, resumed, durable, plan, arguments, error
):
    """As when a scheduler starts while the task is being resumed: Airflow then counts one try more."""
    flowservice.plan(subject.flow_id, plan)
    resume = resumed(
        subject.operator(deferrable=True, retries=1, settle_time=0, durable=durable, **arguments)
    )

    with pytest.raises(error) if error else nullcontext():
        assert resume() == subject.new_run_ids[0]

    assert len(subject.new_run_ids) == 1


def test_a_run_that_outlasts_the_timeout_gets_no_second_one_beside_it(
    flowservice, subject, resumed
):
    flowservice.plan(subject.flow_id, ["inProgress"])
    task = subject.operator(deferrable=True, retries=1, durable=False, timeout=0)
    resume = resumed(task)

    with pytest.raises(DataflowRunTimeoutError, match="inProgress"):
        resume()

    assert len(subject.new_run_ids) == 1


def test_a_task_without_retries_retriggers_once_in_whichever_try_it_is_resumed(
    flowservice, subject, resumed
):
    flowservice.plan(subject.flow_id, ["inProgress", "failed"])
    resume = resumed(subject.operator(deferrable=True))

    with pytest.raises(DataflowRunFailedError):
        resume()

    assert len(subject.new_run_ids) == 1
