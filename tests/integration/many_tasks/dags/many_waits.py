"""Many deferred waits in one DAG run."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import dag, task

from airflow_provider_flowservice.sensors.flowservice import DataflowRunSensor


# Each task is a process, for which a small machine has little room.
@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), max_active_tasks=4)
def many_waits():
    """Wait for each run of the configuration."""

    @task
    def name_runs(dag_run=None):
        return dag_run.conf["run_ids"]

    DataflowRunSensor.partial(
        task_id="wait", poke_interval=10, timeout=3600, deferrable=True
    ).expand(run_id=name_runs())


many_waits()
