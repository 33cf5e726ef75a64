"""Wait until a dataflow has loaded its data, whatever started the run, and use its summary."""

from __future__ import annotations

from datetime import datetime
from typing import Any

try:
    from airflow.sdk import DAG, Param, task
except ImportError:  # before Airflow 3.0
    from airflow import DAG
    from airflow.decorators import task
    from airflow.models.param import Param

from airflow_provider_flowservice.sensors.flowservice import DataflowSensor

with DAG(
    "example_flowservice_wait_for_flow",
    description="Wait until a run of a dataflow has succeeded, and use its summary.",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    params={
        "flow_id": Param(
            "f1000000-0000-4000-8000-000000000001",
            title="Dataflow",
            description="ID of the dataflow whose data is needed",
            type="string",
            minLength=1,
        )
    },
    tags=["flowservice"],
) as dag:
    wait = DataflowSensor(
        task_id="wait",
        flow_id="{{ params.flow_id }}",
        # Some DAG runs of Airflow 3 have no data interval.
        completed_after="{{ data_interval_end | default(dag_run.run_after, true) }}",
        deferrable=True,
        poke_interval=60,
        timeout=6 * 60 * 60,
    )

    @task
    def transform(summary: dict[str, Any]) -> str:
        """Stand in for the ETL that needs the data."""
        return f"{summary['output_records']} records of run {summary['run_id']} are ready."

    transform(wait.output)
