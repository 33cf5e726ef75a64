"""How tasks end in a real Airflow: what is retried and when, and what a loaded dataset starts."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice.emulator import Fault
from integration.airflow_api import Run, wait_until

pytestmark = pytest.mark.timeout(240)  # the first test boots Airflow

CONSUMER = "example_flowservice_asset_consumer"


def test_a_retry_policy_fails_at_once_what_no_retry_mends(airflow, add_failed_run):
    run_id = add_failed_run(["failed"], error=("MAPPER-3700-400", "Mapper Transform Error"))

    run = airflow.trigger("example_flowservice_retry_policy", {"run_id": run_id})

    assert run.wait() == "failed"
    assert run.task("retrigger")["try_number"] == 1  # of four
    assert "a re-trigger cannot fix MAPPER-3700-400" in run.log("retrigger")


@pytest.fixture(scope="session")
def throttled(airflow, flowservice):
    """A failed dataflow run, and a DAG run whose first request for it is throttled."""
    run_id = flowservice.add_run(flowservice.add_flow(), "failed")
    flowservice.plan(run_id, ["success"])
    flowservice.fail(Fault(f"GET /runs/{run_id}", status=429, headers={"Retry-After": "3"}))
    return run_id, airflow.trigger("example_flowservice_retry_policy", {"run_id": run_id})


@pytest.mark.early  # its retry searches for a minute and a half
def test_a_retry_policy_waits_as_the_service_asks(throttled):
    _, run = throttled

    wait_until(lambda: run.task("retrigger")["try_number"] == 2, 60, "the task is retried")
    assert "the service asks to wait 3 s" in run.log("retrigger", try_number=1)


def test_a_retry_policy_retries_when_the_service_asks_for_it(flowservice, throttled):
    run_id, run = throttled

    assert run.wait() == "success"  # and not after the ten minutes the task would wait by itself
    assert run.task("retrigger")["try_number"] == 2
    assert [source for source, _ in flowservice.retriggers].count(run_id) == 1


def test_a_loaded_dataset_starts_what_is_scheduled_on_it(airflow, flowservice, add_failed_run):
    run_id = add_failed_run(["success"], records=1200, failed_records=3)
    wait_until(lambda: airflow.api.has_dag(CONSUMER), 60, "the consumer is parsed")

    run = airflow.trigger("example_flowservice_asset", {"run_id": run_id})

    assert run.wait() == "success", run.log("retrigger")
    consumer = wait_until(lambda: first_run(airflow.api), 60, "the asset starts its consumer")
    assert consumer.wait() == "success", consumer.log("report")
    new_run_id = dict(flowservice.retriggers)[run_id]
    assert consumer.xcom("report") == f"1197 records of run {new_run_id}"


def first_run(api):
    runs = api.get(f"/dags/{CONSUMER}/dagRuns")["dag_runs"]
    return Run(api, CONSUMER, runs[0]["dag_run_id"]) if runs else None
