"""Repair one failed dataflow run; a DAG that wants a repair asks for a run of this DAG."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

try:
    from airflow.sdk import DAG, Asset, Param, task
except ImportError:  # before Airflow 3.0
    from airflow import DAG
    from airflow.datasets import Dataset as Asset
    from airflow.decorators import task
    from airflow.models.param import Param

from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator

REPAIRED = Asset("repaired_dataflow")  # starts the DAGs that need the data

with DAG(
    "example_flowservice_repair_run",
    description="Re-trigger a failed dataflow run until it succeeds, at most three times.",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    max_active_runs=8,  # limit concurrent re-triggers to what the source can handle
    is_paused_upon_creation=False,  # it acts only when asked
    params={
        "run_id": Param(
            "11111111-1111-4111-8111-aaaaaaaaaaaa",
            title="Run to repair",
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
        deferrable=True,
        retries=2,  # each re-triggers the run that failed last
        retry_delay=timedelta(minutes=5),
        outlets=[REPAIRED],
    )

    @task
    def report(ti: Any = None) -> str:
        """Report what was loaded; if nothing was, the task above has failed with the reason."""
        summary = ti.xcom_pull(task_ids="retrigger", key="summary")
        return f"Run {summary['run_id']} has loaded {summary['output_records']} records."

    retrigger >> report()
