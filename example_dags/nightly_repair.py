"""Ask in the morning for the repair of each dataflow run that failed last night."""

from __future__ import annotations

from datetime import datetime, timedelta

try:
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
    from airflow.sdk import DAG
except ImportError:  # before Airflow 3.0
    from airflow import DAG
    from airflow.operators.trigger_dagrun import TriggerDagRunOperator

from airflow_provider_flowservice.operators.flowservice import ListDataflowRunsOperator
from airflow_provider_flowservice.repairs import repair_request

with DAG(
    "example_flowservice_nightly_repair",
    description="Repair the dataflow runs that failed in the last 24 hours.",
    start_date=datetime(2026, 1, 1),
    schedule="0 5 * * *",
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,  # unpause it to let it act on its own
    tags=["flowservice"],
) as dag:
    find = ListDataflowRunsOperator(
        task_id="find",
        flow_name="*nightly*",
        unless_ours=True,
        summaries=True,
    )

    TriggerDagRunOperator.partial(
        task_id="repair",
        trigger_dag_id="example_flowservice_repair_run",
        logical_date=None,  # Airflow 3 allows one DAG run per logical date
        skip_when_already_exists=True,
        retries=2,  # on Airflow 2.11 one of two requests at the same moment fails, and its retry skips
        retry_delay=timedelta(seconds=10),
    ).expand_kwargs(find.output.map(repair_request))
