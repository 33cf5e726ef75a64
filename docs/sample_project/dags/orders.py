"""Re-trigger the failed dataflow run of the orders, then report."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow import DAG

from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator
from airflow_provider_flowservice.sensors.flowservice import DataflowRunSensor

with DAG(
    "orders",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    params={"run_id": ""},
) as dag:
    retrigger = RetriggerDataflowRunOperator(
        task_id="retrigger",
        run_id="{{ params.run_id }}",
        deferrable=True,
        retries=2,
        retry_delay=timedelta(minutes=10),
    )

    wait = DataflowRunSensor(task_id="wait", run_id=retrigger.output, deferrable=True)

    @dag.task
    def report(summary: Any) -> str:
        """Report how many orders were loaded."""
        return f"{summary['output_records']} orders"

    report(wait.output)
