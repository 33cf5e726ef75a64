"""Load each day's data with an on-demand run of a dataflow; Airflow's backfills load older days."""

from __future__ import annotations

from datetime import datetime

try:
    from airflow.sdk import DAG, CronDataIntervalTimetable, Param
except ImportError:  # before Airflow 3.2
    from airflow import DAG
    from airflow.models.param import Param
    from airflow.timetables.interval import (  # type: ignore[assignment]
        CronDataIntervalTimetable,
    )

from airflow_provider_flowservice.operators.flowservice import RunDataflowOperator

with DAG(
    "example_flowservice_on_demand",
    description="Load the data of each day with an on-demand run of a dataflow.",
    start_date=datetime(2026, 1, 1),
    # Not "@daily": on Airflow 3 a DAG run of that has an interval without length.
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    catchup=True,  # one DAG run for each day since the start date
    max_active_runs=2,  # limit concurrent runs to what the source can handle
    is_paused_upon_creation=True,  # unpause it to let it act on its own
    params={
        "flow_id": Param(
            "f7000000-0000-4000-8000-000000000007",
            title="Dataflow",
            description="ID of a dataflow that is scheduled once and reads a batch source",
            type="string",
            minLength=1,
        )
    },
    tags=["flowservice"],
) as dag:
    RunDataflowOperator(
        task_id="load",
        flow_id="{{ params.flow_id }}",
        window_start="{{ data_interval_start }}",
        window_end="{{ data_interval_end }}",
        deferrable=True,
        retries=2,
    )
