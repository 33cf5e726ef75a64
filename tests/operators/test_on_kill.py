"""A killed operator leaves its run alone, and says so."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator
from support import run_to_the_end


@pytest.fixture
def operator(flowservice):
    run_id = flowservice.add_run(flowservice.add_flow())
    return RetriggerDataflowRunOperator(
        task_id="retrigger", run_id=run_id, wait_for_completion=False
    )


def test_a_killed_task_says_that_its_run_goes_on(flowservice, operator, logged):
    new_run_id = run_to_the_end(operator)
    flowservice.clear_requests()
    logged()

    operator.on_kill()

    assert new_run_id in logged()
    assert flowservice.requests == []


def test_a_task_killed_before_it_did_anything_says_nothing(operator, logged):
    operator.on_kill()

    assert "goes on" not in logged()
