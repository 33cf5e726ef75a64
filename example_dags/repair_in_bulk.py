"""Re-trigger hundreds of failed dataflow runs in one task, wait for all of them, and report."""

from __future__ import annotations

from datetime import datetime

try:
    from airflow.sdk import DAG, Param, task
    from airflow.sdk.exceptions import AirflowFailException
except ImportError:  # before Airflow 3.2
    from airflow import DAG
    from airflow.decorators import task
    from airflow.exceptions import AirflowFailException
    from airflow.models.param import Param

from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.operators.flowservice import (
    ListDataflowRunsOperator,
    RetriggerDataflowRunsOperator,
)
from airflow_provider_flowservice.runs import DataflowRun

with DAG(
    "example_flowservice_bulk",
    description="Re-trigger many failed dataflow runs with few tasks.",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    params={
        "flow_name": Param(
            "*nightly*",
            title="Flows to repair",
            description="Name of the flow, or a pattern for several, such as orders*",
            type="string",
            minLength=1,
        )
    },
    tags=["flowservice"],
) as dag:

    def read(run_ids: list[str]) -> list[DataflowRun]:
        """Read the current state of the runs, a hundred per request."""
        hook = FlowServiceHook()
        batches = [run_ids[start : start + 100] for start in range(0, len(run_ids), 100)]
        return [run for batch in batches for run in hook.get_runs(batch).values()]

    find = ListDataflowRunsOperator(task_id="find", flow_name="{{ params.flow_name }}")

    retrigger = RetriggerDataflowRunsOperator(
        task_id="retrigger",
        run_ids=find.output,
        concurrency=4,  # limit concurrent re-triggers to what the source can handle
        on_ineligible="skip",
        retries=2,  # in case a worker dies
    )

    @task.sensor(mode="reschedule", poke_interval=60, timeout=6 * 60 * 60, retries=2)
    def wait(run_ids: list[str]) -> bool:
        """Wait until all new runs have ended."""
        return sum(run.is_terminal for run in read(run_ids)) == len(run_ids)

    @task
    def report(run_ids: list[str]) -> str:
        """Report how many runs were repaired, and fail if some were not."""
        broken = [run.description for run in read(run_ids) if not run.is_successful]
        text = f"{len(run_ids) - len(broken)} of {len(run_ids)} dataflow runs are repaired."
        if broken:
            raise AirflowFailException("\n".join([text, *broken]))
        return text

    wait(retrigger.output) >> report(retrigger.output)
