"""Run the orders DAG as Airflow runs it, against a local Flow Service."""

from __future__ import annotations

import orders
import pytest

from airflow_provider_flowservice.emulator import FlowServiceEmulator, Lifecycle
from airflow_provider_flowservice.testing import fails, remove_delays, succeeds


@pytest.fixture(autouse=True)
def no_delays() -> None:
    remove_delays(orders.dag)


def test_the_orders_are_loaded_at_the_third_attempt(flowservice: FlowServiceEmulator) -> None:
    run_id = flowservice.add_failed_run(then=[fails(), fails(), succeeds(records=100)])

    dag_run = orders.dag.test(run_conf={"run_id": run_id})

    assert dag_run.state == "success"
    assert len(flowservice.retriggers) == 3
    (report,) = (ti for ti in dag_run.get_task_instances() if ti.task_id == "report")
    assert report.xcom_pull(task_ids="report") == "100 orders"


def test_rejected_orders_are_not_counted_as_loaded(flowservice: FlowServiceEmulator) -> None:
    run_id = flowservice.add_failed_run(then=[Lifecycle.rejects(3, of=1200)])

    dag_run = orders.dag.test(run_conf={"run_id": run_id})

    (report,) = (ti for ti in dag_run.get_task_instances() if ti.task_id == "report")
    assert report.xcom_pull(task_ids="report") == "1197 orders"


def test_nothing_is_reported_when_the_source_stays_broken(flowservice: FlowServiceEmulator) -> None:
    run_id = flowservice.add_failed_run(then=[fails("No such column.")])

    dag_run = orders.dag.test(run_conf={"run_id": run_id})

    assert dag_run.state == "failed"
    assert len(flowservice.retriggers) == 3  # one, and two retries
