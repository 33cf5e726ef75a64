"""Re-trigger a failed dataflow run, and tell the next task where the data landed."""

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

with DAG(
    "example_flowservice_result",
    description="Re-trigger a dataflow run, and use what the new run has loaded.",
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
    load = RetriggerDataflowRunOperator(
        task_id="load",
        run_id="{{ params.run_id }}",
        deferrable=True,
    )

    @task
    def use(ti: Any = None) -> str:
        """Stand in for the ETL that reads the new batches."""
        summary = ti.xcom_pull(task_ids="load", key="summary")
        batches = ", ".join(summary["batch_ids"])
        return f"Batches {batches} of datasets {', '.join(summary['dataset_ids'])} are ready."

    load >> use()
