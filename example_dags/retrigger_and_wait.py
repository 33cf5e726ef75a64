"""Re-trigger a failed dataflow run and wait for the new one without occupying a worker."""

from __future__ import annotations

from datetime import datetime

from airflow import DAG

from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator

with DAG(
    "example_flowservice_retrigger",
    description="Re-trigger a failed dataflow run and wait for it.",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    params={"run_id": "11111111-1111-4111-8111-aaaaaaaaaaaa"},
    tags=["flowservice"],
) as dag:
    # [START howto_retrigger]
    RetriggerDataflowRunOperator(
        task_id="retrigger",
        run_id="{{ params.run_id }}",
        deferrable=True,
    )
    # [END howto_retrigger]
