"""Re-trigger a failed dataflow run and wait for the new one without occupying a worker."""

from __future__ import annotations

from datetime import datetime

try:
    from airflow.sdk import DAG, Param
except ImportError:  # before Airflow 3.0
    from airflow import DAG
    from airflow.models.param import Param

from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator

with DAG(
    "example_flowservice_retrigger",
    description="Re-trigger a failed dataflow run and wait for it.",
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
    RetriggerDataflowRunOperator(
        task_id="retrigger",
        run_id="{{ params.run_id }}",
        deferrable=True,
    )
