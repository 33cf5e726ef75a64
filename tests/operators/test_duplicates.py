"""What could not be prevented is named: runs that load the same data as the new one."""

from __future__ import annotations

import time

import pytest
from airflow.exceptions import TaskDeferred

from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.exceptions import DataflowRunFailedError
from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator
from helpers.support import airflows_limit, both_ways, context, execute, fire, run_to_the_end

WINDOW, OTHER_WINDOW = (1_000, 2_000), (2_000, 3_000)


def operator(run_id, **kwargs):
    return RetriggerDataflowRunOperator(
        task_id="retrigger", run_id=run_id, **{"poll_interval": 0.01, **kwargs}
    )


@pytest.fixture
def failed_run(flowservice):
    return flowservice.add_run(flowservice.add_flow(), "failed", window=WINDOW)


@pytest.fixture
def add_twin(flowservice, failed_run):
    """Return a function that adds a run of the same flow, as somebody in the UI would."""

    def add_twin(status="success", window=WINDOW, **facts):
        flow_id = flowservice.run(failed_run)["flowId"]
        facts = {"created_client": "exc_app", **facts}
        return flowservice.add_run(flow_id, status, window=window, **facts)

    return add_twin


@pytest.fixture
def at_the_same_moment(flowservice):
    """Return a function that lets something happen beside the re-trigger."""

    def at_the_same_moment(happens):
        def on_request(seen):
            if seen.method == "POST" and seen.path.endswith("/action"):
                happened.append(happens())

        happened = []
        flowservice.on_request(on_request)
        return happened

    return at_the_same_moment


def is_listing(seen):
    return seen.method == "GET" and seen.path.endswith("/runs")


@both_ways
def test_a_twin_is_named_with_both_links_and_the_task_succeeds(
    flowservice, failed_run, add_twin, at_the_same_moment, deferrable, logged
):
    twins = at_the_same_moment(add_twin)
    task_context = context()

    new_run_id = run_to_the_end(operator(failed_run, deferrable=deferrable), task_context)

    (twin,) = twins
    assert task_context["ti"].xcoms["duplicates"] == [twin]
    text = logged()
    (warning,) = (line for line in text.splitlines() if " loads the same data as " in line)
    assert f"Dataflow run {twin} (success, created by exc_app)" in warning
    assert f"/activity/{twin} and https://" in warning
    assert f"/activity/{new_run_id}" in warning
    outcome = f"Further runs load the same data: {twin} (success). Check that the dataset"
    assert outcome in text


@both_ways
def test_without_a_twin_it_costs_one_request_and_says_nothing(flowservice, failed_run, deferrable):
    task_context = context()

    run_to_the_end(operator(failed_run, deferrable=deferrable), task_context)

    assert "duplicates" not in task_context["ti"].xcoms
    assert is_listing(flowservice.requests[-1])
    assert sum(map(is_listing, flowservice.requests)) == 2  # the other one before the request


HOUR_AGO = round(time.time() * 1000) - 3_600_000
NOTHING_LOADED = {
    "durationSummary": {"extensions": {"windowStart": WINDOW[0], "windowEnd": WINDOW[1]}},
    "recordSummary": {"inputRecordCount": 0},
    "statusSummary": {"status": "success"},
}
STRANGERS = {
    "it failed": {"status": "failed"},
    "it loads other data": {"window": OTHER_WINDOW},
    "it found nothing to load": {"metrics": NOTHING_LOADED},
    "it is older than the failure": {"created_at": HOUR_AGO},
}


@pytest.mark.parametrize("why", STRANGERS)
def test_a_run_that_does_not_load_the_same_data_is_no_twin(
    failed_run, add_twin, at_the_same_moment, why
):
    at_the_same_moment(lambda: add_twin(**STRANGERS[why]))
    task_context = context()

    run_to_the_end(operator(failed_run), task_context)

    assert "duplicates" not in task_context["ti"].xcoms


@both_ways
def test_a_twin_of_a_run_that_failed_is_named_in_the_error(
    flowservice, failed_run, add_twin, at_the_same_moment, deferrable
):
    flowservice.plan(failed_run, ["inProgress", "failed"])
    twins = at_the_same_moment(add_twin)

    with pytest.raises(DataflowRunFailedError) as caught:
        run_to_the_end(operator(failed_run, deferrable=deferrable))

    assert f"Further runs load the same data: {twins[0]} (success)" in str(caught.value)
    assert "See https://" in str(caught.value)


def test_a_twin_is_named_if_each_try_sends(failed_run, add_twin, at_the_same_moment):
    twins = at_the_same_moment(add_twin)
    task_context = context()

    run_to_the_end(operator(failed_run, durable=False), task_context)

    assert task_context["ti"].xcoms["duplicates"] == twins


def test_twins_of_an_adopted_run_are_named(failed_run, add_twin):
    older, adopted, newer = add_twin(created_at=HOUR_AGO), add_twin(), add_twin()
    task_context = context()

    run_to_the_end(operator(failed_run, adopt_run_id=adopted), task_context)

    assert set(task_context["ti"].xcoms["duplicates"]) == {older, newer}


def test_a_run_of_an_unknown_flow_has_no_twins(flowservice, failed_run, add_twin):
    adopted, task_context = add_twin(flowId=...), context()
    add_twin()

    run_to_the_end(operator(failed_run, adopt_run_id=adopted), task_context)

    assert "duplicates" not in task_context["ti"].xcoms


def test_a_connection_that_is_gone_by_the_end_is_no_failure(
    flowservice, failed_run, monkeypatch, logged
):
    task, task_context = operator(failed_run, deferrable=True), context()
    with pytest.raises(TaskDeferred) as deferred:
        execute(task, task_context)
    event = fire(deferred.value.trigger)
    monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", '{"conn_type": "flowservice"}')

    new_run_id = task.execute_complete(task_context, event, **deferred.value.kwargs)

    assert flowservice.retriggers == [(failed_run, new_run_id)]
    assert task_context["ti"].xcoms["summary"]["status"] == "success"
    assert "Cannot find out whether another run loads the same data" in logged()


@both_ways
def test_the_outcome_does_not_depend_on_the_search_for_twins(
    flowservice, failed_run, at_the_same_moment, deferrable, logged
):
    outage = Fault("GET /runs$", status=503, body="", times=None)
    at_the_same_moment(lambda: flowservice.fail(outage))
    task = operator(failed_run, deferrable=deferrable, hook_params={"retries": 0})

    new_run_id = run_to_the_end(task)

    assert flowservice.retriggers == [(failed_run, new_run_id)]
    assert "Cannot find out whether another run loads the same data" in logged()


def test_a_limit_that_passes_during_the_search_does_not_undo_a_success(
    flowservice, failed_run, at_the_same_moment, logged
):
    at_the_same_moment(lambda: flowservice.fail(Fault("GET /runs$", kind="slow", delay=5)))

    with airflows_limit(2):
        new_run_id = run_to_the_end(operator(failed_run))

    assert flowservice.retriggers == [(failed_run, new_run_id)]
    assert "Cannot find out whether another run loads the same data" in logged()


def test_what_was_loaded_before_a_clear_is_no_twin(flowservice, failed_run):
    first = context()
    run_to_the_end(operator(failed_run), first)
    cleared = context()
    cleared["ti"].try_number, cleared["ti"].max_tries = 2, 1

    run_to_the_end(operator(failed_run, settle_time=0), cleared)

    assert len(flowservice.retriggers) == 2
    assert "duplicates" not in cleared["ti"].xcoms
