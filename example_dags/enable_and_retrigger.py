"""Enable the dataflow of a failed run, re-trigger the run, and wait for the new one."""

from __future__ import annotations

from datetime import datetime

try:
    from airflow.sdk import DAG, Param, task
except ImportError:  # before Airflow 3.0
    from airflow import DAG
    from airflow.decorators import task
    from airflow.models.param import Param

from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator

with DAG(
    "example_flowservice_enable",
    description="Re-trigger a failed run of a dataflow that may be disabled.",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    params={
        "run_id": Param(
            "77777777-7777-4777-8777-aaaaaaaaaaaa",
            title="Run to re-trigger",
            description="ID of the failed run: the last part of its URL in Experience Platform",
            type="string",
            minLength=1,
        )
    },
    tags=["flowservice"],
) as dag:

    @task
    def enable(failed_run_id: str) -> str:
        """Enable the dataflow of a run if it is disabled, and hand the run on."""
        hook = FlowServiceHook()
        flow = hook.get_flow(hook.get_run(failed_run_id).flow_id)
        if flow.state == "disabled":
            hook.enable_flow(flow.flow_id)
        return failed_run_id

    RetriggerDataflowRunOperator(
        task_id="retrigger",
        run_id=enable("{{ params.run_id }}"),
        deferrable=True,
    )
