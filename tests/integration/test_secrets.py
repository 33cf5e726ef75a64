"""What a real Airflow writes down about a wait: enough to go on with, and nothing secret."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice.emulator import Lifecycle
from helpers.secret_scan import SecretScan

pytestmark = pytest.mark.timeout(240)  # the first test boots Airflow


def rows(airflow, table):
    return repr(airflow.database.query(f"SELECT * FROM {table}"))


def test_neither_logs_nor_rows_hold_a_secret_during_a_wait(airflow, flowservice):
    run_id = flowservice.add_run(flowservice.add_flow())
    flowservice.plan(run_id, Lifecycle([*["inProgress"] * 12, "success"]))
    run = airflow.trigger("example_flowservice_retrigger", {"run_id": run_id})
    run.wait_for_task("retrigger", "deferred")
    scan = SecretScan()

    scan.look_through(airflow.home)
    triggers = rows(airflow, "trigger")

    ((_, new_run_id),) = [pair for pair in flowservice.retriggers if pair[0] == run_id]
    assert new_run_id in triggers  # legible, so that a secret would have been found
    assert new_run_id in rows(airflow, "xcom")
    assert run_id in rows(airflow, "rendered_task_instance_fields")
    assert scan.found == []
