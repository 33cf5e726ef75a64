"""What the operator adds to the engine: its switches and its history."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.exceptions import DataflowRunFailedError, RetriggerAmbiguousError
from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator
from helpers.state_store import StateStore
from helpers.support import TaskInstance, both_ways, context, run_to_the_end


def operator(run_id, **kwargs):
    kwargs = {"poll_interval": 0.01, "retries": 3, "hook_params": {"retries": 0}, **kwargs}
    return RetriggerDataflowRunOperator(task_id="retrigger", run_id=run_id, **kwargs)


def a_try(number, store):
    return context(ti=TaskInstance(number, max_tries=3), task_state_store=store)


@both_ways
def test_a_retry_after_a_failure_shows_all_attempts(flowservice, failed_run, deferrable):
    flowservice.plan(failed_run, ["inProgress", "failed"])
    store, task = StateStore(), operator(failed_run, deferrable=deferrable)
    with pytest.raises(DataflowRunFailedError):
        run_to_the_end(task, a_try(1, store))
    second_try = a_try(2, store)

    new_run_id = run_to_the_end(task, second_try)

    assert second_try["ti"].xcoms["attempts"] == [new for _, new in flowservice.retriggers]
    assert second_try["ti"].xcoms["attempts"][1:] == [new_run_id]


@both_ways
def test_without_durable_each_try_retriggers(flowservice, failed_run, deferrable):
    store, task = StateStore(), operator(failed_run, deferrable=deferrable, durable=False)

    new_run_ids = [run_to_the_end(task, a_try(number, store)) for number in (1, 2)]

    assert flowservice.retriggers == [(failed_run, new_run_id) for new_run_id in new_run_ids]
    assert store.values == {}


@both_ways
def test_a_run_to_adopt_is_waited_for_and_nothing_is_sent(flowservice, failed_run, deferrable):
    adopted = flowservice.add_run(flowservice.run(failed_run)["flowId"], "success")

    task = operator(failed_run, deferrable=deferrable, adopt_run_id=adopted)

    assert run_to_the_end(task) == adopted
    assert flowservice.retriggers == []


@both_ways
def test_a_run_that_was_only_found_and_shows_another_window_does_not_pass(
    flowservice, failed_run, deferrable
):
    flow_id = flowservice.run(failed_run)["flowId"]

    def add_stranger(seen):
        """Begin a run of our client for other data, just when our request is lost."""
        if seen.status == 0:
            client = flowservice.client_id
            run_id = flowservice.add_run(flow_id, created_client=client, window=(1, 2))
            flowservice.script(run_id, ["inProgress", "inProgress", "success"])

    flowservice.on_request(add_stranger)
    flowservice.fail(Fault("POST /runs", kind="close_before"))
    store, task = StateStore(), operator(failed_run, deferrable=deferrable, settle_time=0)

    with pytest.raises(RetriggerAmbiguousError, match="another window"):
        run_to_the_end(task, a_try(1, store))

    assert flowservice.retriggers == []
    new_run_id = run_to_the_end(task, a_try(2, store))
    assert flowservice.retriggers == [(failed_run, new_run_id)]


@both_ways
def test_a_window_that_was_only_asked_for_hides_no_run(flowservice, deferrable):
    # The source shows the window that it used, and its new run at first only the one asked for.
    asked, used = (1_700_000_000_000, 1_700_003_600_000), (1_700_000_000_123, 1_700_003_600_000)
    extensions = {"windowStart": used[0], "windowEnd": used[1]}
    shown = {
        "statusSummary": {"status": "failed"},
        "durationSummary": {"extensions": extensions},
    }
    run_id = flowservice.add_run(
        flowservice.add_flow(), window=asked, on_demand=True, metrics=shown
    )
    flowservice.fail(Fault("POST /runs", kind="close_after"))
    task = operator(run_id, deferrable=deferrable, settle_time=0)

    new_run_id = run_to_the_end(task, a_try(1, StateStore()))

    assert flowservice.retriggers == [(run_id, new_run_id)]


def test_a_test_of_the_task_searches_for_nothing_that_an_earlier_try_may_have_left(
    flowservice, failed_run
):
    """Airflow 2.11.2 and 3.2.2 number the first try of `airflow tasks test` 0."""
    task = operator(failed_run, wait_for_completion=False, retries=0)

    new_run_id = run_to_the_end(task, context(ti=TaskInstance(0, max_tries=0)))

    assert flowservice.retriggers == [(failed_run, new_run_id)]
    searches = [seen for seen in flowservice.requests if seen.path.endswith("/runs")]
    assert len(searches) == 1  # for a re-trigger by another client


@both_ways
def test_the_log_says_whether_anything_was_sent(flowservice, failed_run, deferrable, logged):
    first = run_to_the_end(operator(failed_run, deferrable=deferrable))
    told = logged()
    assert f"The new run of dataflow run {failed_run} is {first}. https://" in told
    assert "sent nothing" not in told

    second = run_to_the_end(operator(failed_run, deferrable=deferrable))

    told = logged()
    assert second == first
    assert f"The new run of dataflow run {failed_run} is {first}; this try has sent nothing" in told
    assert "this connection's own client created it at " in told
    assert f"is {first}. https://" not in told
