"""Re-trigger dataflow runs as soon as they fail (Airflow 3.0 and newer)."""

from __future__ import annotations

from datetime import datetime

from airflow_provider_flowservice.operators.flowservice import (
    ListDataflowRunsOperator,
    RetriggerDataflowRunOperator,
)
from airflow_provider_flowservice.triggers.flowservice import DataflowRunEventTrigger

try:
    from airflow.sdk import DAG, Asset, AssetWatcher
except ImportError:  # before Airflow 3.0 no event starts a DAG
    dag = None
else:
    failure = DataflowRunEventTrigger(flow_name="*nightly*")
    watcher = AssetWatcher(name="failed_nightly_run", trigger=failure)

    with DAG(
        "example_flowservice_retrigger_on_failure",
        description="Re-trigger dataflow runs as soon as they fail.",
        start_date=datetime(2026, 1, 1),
        schedule=[Asset("failed_nightly_run", watchers=[watcher])],
        max_active_runs=1,  # what fails meanwhile is re-triggered by the next DAG run
        is_paused_upon_creation=True,  # unpause it to let it act on its own
        tags=["flowservice"],
    ) as dag:
        failed = ListDataflowRunsOperator(
            task_id="find",
            flow_name="*nightly*",
            unless_ours=True,  # without it, a run that fails again and again would never be given up
        )

        RetriggerDataflowRunOperator.partial(
            task_id="retrigger",
            deferrable=True,
            retries=2,  # each re-triggers the run that failed last
        ).expand(run_id=failed.output)
