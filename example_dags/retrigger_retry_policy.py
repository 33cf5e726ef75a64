"""Re-trigger a dataflow run with a policy that retries only where it can help (Airflow 3.3 and newer)."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator

try:
    from airflow.sdk import DAG, Param

    from airflow_provider_flowservice.retry_policy import FlowServiceRetryPolicy
except ImportError:  # before Airflow 3.3 there is no such DAG
    dag = None
else:
    with DAG(
        "example_flowservice_retry_policy",
        description="Retry only where a retry can help, and when the service asks for it.",
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
            retries=3,
            retry_delay=timedelta(minutes=10),
            retry_policy=FlowServiceRetryPolicy(),
            # Leave long waits to Airflow's retries, so that they do not occupy a worker.
            hook_params={"longest_sleep": 1},
        )
