"""Re-trigger failed dataflow runs after a person has approved."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.exceptions import AirflowException

from airflow_provider_flowservice.operators.flowservice import (
    ListDataflowRunsOperator,
    RetriggerDataflowRunOperator,
)

try:
    from airflow.providers.standard.operators.hitl import ApprovalOperator
    from airflow.sdk import DAG, Param, task
except (ImportError, AirflowException):  # before Airflow 3.1 no task can ask for approval
    dag = None
else:
    with DAG(
        "example_flowservice_approve",
        description="Re-trigger failed dataflow runs after a person has approved.",
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
        find = ListDataflowRunsOperator(
            task_id="find",
            flow_name="{{ params.flow_name }}",
            summaries=True,
        )

        @task.short_circuit
        def are_there_any(runs: list[dict[str, Any]]) -> bool:
            """Skip the approval if no run has failed."""
            return bool(runs)

        approve = ApprovalOperator(
            task_id="approve",
            subject="Dataflow runs to re-trigger: {{ ti.xcom_pull(task_ids='find') | length }}",
            body="""
{% for run in ti.xcom_pull(task_ids='find') -%}
- {{ run.run_id }} of flow {{ run.flow_id }}, {{ run.created_at }}: {{ run.error_message }}
{% endfor %}""",
        )

        retrigger = RetriggerDataflowRunOperator.partial(
            task_id="retrigger",
            deferrable=True,
            on_ineligible="skip",
        ).expand(run_id=find.output.map(lambda run: run["run_id"]))

        are_there_any(find.output) >> approve >> retrigger
