"""Two DAGs that watch for the same failures, and ask for the same repairs."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Asset, AssetWatcher

from airflow_provider_flowservice.operators.flowservice import ListDataflowRunsOperator
from airflow_provider_flowservice.repairs import repair_request
from airflow_provider_flowservice.triggers.flowservice import DataflowRunEventTrigger

FLOWS = "Watched*"

# With other intervals, so that Airflow takes them for two triggers.
for name, poll_interval in {"one": 1, "other": 1.5}.items():
    trigger = DataflowRunEventTrigger(flow_name=FLOWS, poll_interval=poll_interval)
    watched = Asset(f"watched_by_{name}", watchers=[AssetWatcher(name=name, trigger=trigger)])

    with DAG(
        f"heal_{name}",
        schedule=[watched],
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        max_active_runs=1,
        default_args={"retries": 2, "retry_delay": timedelta(seconds=1)},
    ):
        find = ListDataflowRunsOperator(
            task_id="find", flow_name=FLOWS, unless_ours=True, summaries=True
        )
        TriggerDagRunOperator.partial(
            task_id="repair",
            trigger_dag_id="example_flowservice_repair_run",
            logical_date=None,
            skip_when_already_exists=True,
        ).expand_kwargs(find.output.map(repair_request))
