"""Many waits that begin in the triggerer, and one for the output of a task."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import dag, task

from airflow_provider_flowservice.sensors.flowservice import DataflowRunSensor

NUMBER = 20


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), max_active_runs=100)
def many_waits():
    """Wait for each run of the configuration."""
    for number in range(NUMBER):
        DataflowRunSensor(
            task_id=f"wait_{number}",
            run_id=f"{{{{ dag_run.conf['run_ids'][{number}] }}}}",
            poke_interval=10,
            timeout=3600,
            hook_params={"retries": 1},
            start_from_trigger=True,
        )


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc))
def wait_for_output():
    """Wait for the run another task names, and for one that takes too long."""

    @task
    def name_run(dag_run=None):
        return dag_run.conf["run_id"]

    DataflowRunSensor(task_id="wait", run_id=name_run(), poke_interval=1, start_from_trigger=True)
    DataflowRunSensor(
        task_id="wait_in_vain",
        run_id="{{ dag_run.conf['slow_run_id'] }}",
        poke_interval=1,
        timeout=5,
        start_from_trigger=True,
    )


many_waits()
wait_for_output()
