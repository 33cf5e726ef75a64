"""Re-trigger last night's failed dataflow runs in the morning, and report the outcome."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow import DAG
from airflow.decorators import task
from airflow.exceptions import AirflowFailException

from airflow_provider_flowservice.operators.flowservice import (
    ListDataflowRunsOperator,
    RetriggerDataflowRunOperator,
)

with DAG(
    "example_flowservice_nightly_repair",
    description="Re-trigger the dataflow runs that failed in the last 24 hours.",
    start_date=datetime(2026, 1, 1),
    schedule="0 5 * * *",
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,  # unpause it to let it act on its own
    tags=["flowservice"],
) as dag:
    # [START howto_nightly_repair]
    find = ListDataflowRunsOperator(
        task_id="find",
        flow_name="*nightly*",
    )

    retrigger = RetriggerDataflowRunOperator.partial(
        task_id="retrigger",
        deferrable=True,
        on_ineligible="skip",
        max_active_tis_per_dag=8,  # limit concurrent re-triggers to what the source can handle
    ).expand(run_id=find.output)

    @task(trigger_rule="all_done")
    def report(ti: Any = None) -> str:
        """Report how many runs were repaired, and fail if some were not."""
        found = ti.xcom_pull(task_ids="find")
        summaries = list(ti.xcom_pull(task_ids=["retrigger"], key="summary") or [])
        repaired = sum(summary["status"] == "success" for summary in summaries)
        text = f"{repaired} of {len(found)} failed dataflow runs are repaired."
        broken = [
            f"{summary['run_id']} of flow {summary['flow_id']}: {summary['error_message']}"
            for summary in summaries
            if summary["status"] != "success"
        ]
        if unclear := len(found) - len(summaries):
            broken.append(f"{unclear} have no outcome; the log of each task says why.")
        if repaired < len(found):
            raise AirflowFailException("\n".join([text, *broken]))
        return text

    retrigger >> report()
    # [END howto_nightly_repair]
