"""Reload a dataset, and start the DAGs that are scheduled on it (Airflow 3.0 and newer)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator

try:
    from airflow.sdk import DAG, Asset, Param, task
except ImportError:  # before Airflow 3.0, which called an asset a dataset
    dag = None
else:
    orders = Asset("aep://A1B2C3D4E5F6A7B8C9D0E1F2/staging/dataset/5f1a2b3c4d5e6f7a8b9c0d1e")

    with DAG(
        "example_flowservice_asset",
        description="Re-trigger a dataflow run that loads a dataset.",
        start_date=datetime(2026, 1, 1),
        schedule=None,
        params={
            "run_id": Param(
                "11111111-1111-4111-8111-aaaaaaaaaaaa",
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
            on_empty="skip",  # no data, no event
            outlets=[orders],
        )

    with DAG(
        "example_flowservice_asset_consumer",
        description="Starts when the dataset has been reloaded.",
        start_date=datetime(2026, 1, 1),
        schedule=[orders],
        tags=["flowservice"],
    ):

        @task
        def report(triggering_asset_events: dict[Any, list[Any]] | None = None) -> str:
            """Stand in for the ETL that needs the data; the event names the run that loaded it."""
            event = (triggering_asset_events or {})[orders][-1]
            return f"{event.extra['output_records']} records of run {event.extra['run_id']}"

        report()
