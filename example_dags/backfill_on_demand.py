"""Load an older period again with on-demand runs of a dataflow: one mapped task per window."""

from __future__ import annotations

from datetime import date, datetime, timedelta

try:
    from airflow.sdk import DAG, Param, task
except ImportError:  # before Airflow 3.0
    from airflow import DAG
    from airflow.decorators import task
    from airflow.models.param import Param

from airflow_provider_flowservice.operators.flowservice import RunDataflowOperator

with DAG(
    "example_flowservice_backfill",
    description="Load a period, window by window, with on-demand runs of a dataflow.",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    params={
        "flow_id": Param(
            "f7000000-0000-4000-8000-000000000007",
            title="Dataflow",
            description="ID of a dataflow that is scheduled once and reads a batch source",
            type="string",
            minLength=1,
        ),
        "first_day": Param(
            "2026-01-01",
            title="First day",
            description="First day to load, in UTC",
            type="string",
            format="date",
        ),
        "last_day": Param(
            "2026-01-05",
            title="Last day",
            description="Last day to load, in UTC",
            type="string",
            format="date",
        ),
        "days_per_window": Param(
            2,
            title="Days per window",
            description="Days that one run loads",
            type="integer",
            minimum=1,
        ),
    },
    tags=["flowservice"],
) as dag:

    @task
    def windows(first_day: str, last_day: str, days: str) -> list[dict[str, str]]:
        """List the windows of the period, the oldest first; the last one may be shorter."""
        start, end = date.fromisoformat(first_day), date.fromisoformat(last_day) + timedelta(1)
        if end <= start:
            raise ValueError(f"The last day, {last_day}, is before the first one, {first_day}.")
        found = []
        while start < end:
            stop = min(start + timedelta(int(days)), end)  # where the next one begins
            found.append({"window_start": str(start), "window_end": str(stop)})
            start = stop
        return found

    RunDataflowOperator.partial(
        task_id="load",
        flow_id="{{ params.flow_id }}",
        deferrable=True,
        retries=2,  # each starts another run for the window if the last one has failed
        max_active_tis_per_dag=2,  # with deferred ones from Airflow 3.3 on; before, use a pool
    ).expand_kwargs(
        windows("{{ params.first_day }}", "{{ params.last_day }}", "{{ params.days_per_window }}")
    )
