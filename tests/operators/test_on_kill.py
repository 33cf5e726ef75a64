"""A killed task leaves its run alone, and says so."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from airflow_provider_flowservice.operators.flowservice import (
    RetriggerDataflowRunOperator,
    RunDataflowOperator,
)
from airflow_provider_flowservice.triggers.flowservice import DataflowRunTrigger
from helpers.support import context, fire, run_to_the_end


def retrigger_operator(flowservice):
    run_id = flowservice.add_run(flowservice.add_flow())
    return partial(RetriggerDataflowRunOperator, run_id=run_id)


def start_operator(flowservice):
    return partial(RunDataflowOperator, flow_id=flowservice.add_flow(frequency="once"))


@pytest.fixture(params=[retrigger_operator, start_operator], ids=["re-trigger", "start"])
def new_operator(request, flowservice):
    """Return a function that makes the operator anew, as each process does."""
    return partial(request.param(flowservice), task_id="request", wait_for_completion=False)


def test_a_killed_task_says_that_its_run_goes_on(flowservice, new_operator, logged):
    operator = new_operator()
    new_run_id = run_to_the_end(operator)
    flowservice.clear_requests()
    logged()

    operator.on_kill()

    assert f"Dataflow run {new_run_id} goes on: https://experience" in logged()
    assert flowservice.requests == []


def test_so_does_a_task_that_is_killed_after_its_deferral(flowservice, new_operator, logged):
    new_run_id = run_to_the_end(new_operator())
    resumed = new_operator()
    resumed.execute_complete(context(), fire(DataflowRunTrigger(new_run_id, poll_interval=0.01)))
    logged()

    resumed.on_kill()

    assert f"Dataflow run {new_run_id} goes on: https://experience" in logged()


def test_a_task_killed_before_it_knows_a_run_says_nothing(new_operator, logged):
    new_operator().on_kill()

    assert "goes on" not in logged()


def test_a_trigger_of_a_killed_task_says_that_its_run_goes_on(flowservice, logged):
    asyncio.run(DataflowRunTrigger("r1", url="https://experience.adobe.com/r1").on_kill())

    assert "Dataflow run r1 goes on: https://experience.adobe.com/r1" in logged()
    assert flowservice.requests == []
