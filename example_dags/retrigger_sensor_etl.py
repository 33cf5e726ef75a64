"""Re-trigger a failed dataflow run, wait for the new one with a sensor, and use its summary."""

from __future__ import annotations

from datetime import datetime
from typing import Any

try:
    from airflow.sdk import DAG, Param, task
except ImportError:  # before Airflow 3.0
    from airflow import DAG
    from airflow.decorators import task
    from airflow.models.param import Param

from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator
from airflow_provider_flowservice.sensors.flowservice import DataflowRunSensor

with DAG(
    "example_flowservice_sensor",
    description="Re-trigger a dataflow run, wait for the new one, and use its summary.",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    params={
        "run_id": Param(
            "11111111-1111-4111-8111-aaaaaaaaaaaa",
            title="Run to re-trigger",
            description="ID of the failed run: the last part of its URL in Experience Platform",
            type="string",
            minLength=1,
        )
    },
    tags=["flowservice"],
) as dag:
    retrigger = RetriggerDataflowRunOperator(
        task_id="retrigger",
        run_id="{{ params.run_id }}",
        wait_for_completion=False,
    )

    wait = DataflowRunSensor(
        task_id="wait",
        run_id=retrigger.output,  # the new run's ID
        deferrable=True,
        poke_interval=60,
        timeout=6 * 60 * 60,
    )

    @task
    def transform(summary: dict[str, Any]) -> str:
        """Stand in for the ETL that needs the data."""
        return f"{summary['output_records']} records of run {summary['run_id']} are ready."

    transform(wait.output)
