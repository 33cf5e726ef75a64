"""Re-trigger a dataflow run, and send an email with the reason and the link if it fails again."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.smtp.notifications.smtp import SmtpNotifier

try:
    from airflow.sdk import DAG, Param
except ImportError:  # before Airflow 3.0
    from airflow import DAG
    from airflow.models.param import Param

from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator

# From XCom, since a failed task writes it, too, and not every Airflow passes the exception to a callback.
REPORT = """
{% set run = ti.xcom_pull(task_ids=ti.task_id, key="summary") or {} %}
<p>Dataflow run {{ run.run_id }}: {{ run.status }}.
Reason: {{ run.error_code }}: {{ run.error_message | e }}</p>
<p><a href="{{ ti.xcom_pull(task_ids=ti.task_id, key="_link_DataflowRunLink") }}">Open it</a>;
the log of task {{ ti.task_id }} has all errors.</p>
"""

with DAG(
    "example_flowservice_notify",
    description="Send an email when a re-triggered dataflow run fails again.",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    params={
        "run_id": Param(
            "33333333-3333-4333-8333-aaaaaaaaaaaa",
            title="Run to re-trigger",
            description="ID of the failed run: the last part of its URL in Experience Platform",
            type="string",
            minLength=1,
        )
    },
    tags=["flowservice"],
) as dag:
    RetriggerDataflowRunOperator(
        task_id="retrigger",
        run_id="{{ params.run_id }}",
        deferrable=True,
        on_failure_callback=SmtpNotifier(
            from_email="airflow@example.com",
            to="data-team@example.com",
            subject="Dataflow run {{ params.run_id }} failed again",
            html_content=REPORT,
        ),
    )
