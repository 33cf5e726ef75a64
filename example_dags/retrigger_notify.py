"""Re-trigger a dataflow run, and send a mail with the reason and the link if it fails again."""

from __future__ import annotations

from datetime import datetime

from airflow import DAG

from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator

try:
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier
except ImportError:  # without apache-airflow-providers-smtp: there is no such DAG
    dag = None
else:
    with DAG(
        "example_flowservice_notify",
        description="Send a mail when a re-triggered dataflow run fails again.",
        start_date=datetime(2026, 1, 1),
        schedule=None,
        params={"run_id": "33333333-3333-4333-8333-aaaaaaaaaaaa"},
        tags=["flowservice"],
    ) as dag:
        # [START howto_notify]
        RetriggerDataflowRunOperator(
            task_id="retrigger",
            run_id="{{ params.run_id }}",
            deferrable=True,
            on_failure_callback=SmtpNotifier(
                from_email="airflow@example.com",
                to="data-team@example.com",
                subject="Dataflow run {{ params.run_id }} failed again",
                # The error says which run, why, how many records, and where to look.
                html_content="<p>{{ exception | e }}</p>",
            ),
        )
        # [END howto_notify]
