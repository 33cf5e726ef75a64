"""DAGs that re-trigger the runs of their DAG run and wait for them, in the worker or deferred."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, task

from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator

POLL_SECONDS = 10


@task
def name_runs(dag_run=None):
    return dag_run.conf["run_ids"]


for mode in ("worker", "deferred"):
    with DAG(
        f"chaos_{mode}",
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        default_args={"retries": 5, "retry_delay": timedelta(seconds=1)},
    ):
        RetriggerDataflowRunOperator.partial(
            task_id="retrigger",
            deferrable=mode == "deferred",
            poll_interval=POLL_SECONDS,
            settle_time=5,
        ).expand(run_id=name_runs())
