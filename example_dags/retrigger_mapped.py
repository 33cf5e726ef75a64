"""Re-trigger several failed dataflow runs, with one mapped task per run."""

from __future__ import annotations

from datetime import datetime

try:
    from airflow.sdk import DAG, Param, task
except ImportError:  # before Airflow 3.0
    from airflow import DAG
    from airflow.decorators import task
    from airflow.models.param import Param

from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator

with DAG(
    "example_flowservice_mapped",
    description="Re-trigger several dataflow runs with dynamic task mapping.",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    params={
        "run_ids": Param(
            [
                "11111111-1111-4111-8111-aaaaaaaaaaaa",
                "22222222-2222-4222-8222-aaaaaaaaaaaa",
                "44444444-4444-4444-8444-aaaaaaaaaaaa",
            ],
            title="Runs to re-trigger",
            description="IDs of the failed runs, one in each line",
            type="array",
            items={"type": "string"},
        )
    },
    tags=["flowservice"],
) as dag:

    @task
    def runs_to_retrigger(params: dict[str, list[str]] | None = None) -> list[str]:
        """Stand in for a task that finds the failed runs."""
        return params["run_ids"] if params else []

    RetriggerDataflowRunOperator.partial(
        task_id="retrigger",
        deferrable=True,
        max_active_tis_per_dag=4,  # with deferred ones from Airflow 3.3 on; before, use a pool
    ).expand(run_id=runs_to_retrigger())
