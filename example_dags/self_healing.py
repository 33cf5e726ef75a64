"""Re-trigger a dataflow run as soon as it has failed, a few times a day, and then call for help."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow import DAG
from airflow.decorators import task
from airflow.exceptions import AirflowFailException, AirflowSkipException

from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.operators.flowservice import (
    ListDataflowRunsOperator,
    RetriggerDataflowRunOperator,
)
from airflow_provider_flowservice.sensors.flowservice import DataflowRunSensor
from airflow_provider_flowservice.triggers.flowservice import DataflowRunEventTrigger

try:
    from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
    from airflow.sdk import Asset, AssetWatcher
except ImportError:  # before Airflow 3.0 nothing but a clock starts a DAG
    dag = None
else:
    MOST_A_DAY = 3
    DELAY = timedelta(minutes=5)

    # [START howto_self_healing]
    FAILURE = Asset(
        "failed_nightly_dataflow",
        watchers=[
            AssetWatcher(
                name="failed_nightly_dataflow",
                trigger=DataflowRunEventTrigger(flow_name="*nightly*", poll_interval=60),
            )
        ],
    )
    REPAIRED = Asset("repaired_nightly_dataflow")  # starts the DAGs that wait for the data

    with DAG(
        "example_flowservice_self_healing",
        description="Re-trigger dataflow runs that fail, at most three times a day for each flow.",
        start_date=datetime(2026, 1, 1),
        schedule=[FAILURE],
        catchup=False,
        is_paused_upon_creation=True,  # acts by itself, so it begins when you say so
        default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},  # for workers that die
        tags=["flowservice"],
    ) as dag:
        let_the_source_recover = TimeDeltaSensor(
            task_id="let_the_source_recover", delta=DELAY, deferrable=True
        )

        # What has failed, and not only what this DAG run was told: Airflow keeps events that come while
        # a DAG run is about to be made for the next one.
        find = ListDataflowRunsOperator(task_id="find", flow_name="*nightly*", summaries=True)

        @task
        def count_attempts(
            failures: list[dict[str, Any]], triggering_asset_events: Any = None
        ) -> list[dict[str, Any]]:
            """Count on the service, which forgets nothing, what was re-triggered today."""
            hook = FlowServiceHook()
            ours = {hook.settings.client_id, hook.settings.api_key}
            midnight = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
            since = round(midnight.timestamp() * 1000)
            news = {e.extra["payload"]["run_id"] for e in triggering_asset_events[FAILURE]}
            attempts: dict[str, int] = {}
            for failure in failures:
                flow_id = failure["flow_id"]
                if flow_id not in attempts:
                    runs = hook.list_runs(flow_id=flow_id, created_after=since)
                    attempts[flow_id] = sum(run.created_client in ours for run in runs)
                attempts[flow_id] += 1
                failure["attempt"] = attempts[flow_id]
                failure["is_news"] = failure["run_id"] in news
            return failures

        def to_retrigger(failure: dict[str, Any]) -> str:
            """Choose the run while there is hope."""
            if failure["attempt"] > MOST_A_DAY:
                raise AirflowSkipException("It was re-triggered often enough today.")
            return str(failure["run_id"])

        def hopeless(failure: dict[str, Any]) -> dict[str, Any]:
            """Choose the failure after that, once."""
            if failure["attempt"] <= MOST_A_DAY or not failure["is_news"]:
                raise AirflowSkipException("It is re-triggered, or was told before.")
            return failure

        @task
        def call_for_help(failure: dict[str, Any]) -> None:
            """Stand for the notifier of your choice."""
            raise AirflowFailException(
                f"Not healed: Dataflow run {failure['run_id']} of flow {failure['flow_id']}: "
                f"{failure['error_message']}"
            )

        failures = count_attempts(find.output)
        let_the_source_recover >> find
        retrigger = RetriggerDataflowRunOperator.partial(
            task_id="retrigger",
            wait_for_completion=False,  # so that a retry of the task never re-triggers it twice
            on_ineligible="skip",
        ).expand(run_id=failures.map(to_retrigger))
        DataflowRunSensor.partial(
            task_id="wait",
            deferrable=True,
            poke_interval=60,
            outlets=[REPAIRED],
        ).expand(run_id=retrigger.output)
        call_for_help.expand(failure=failures.map(hopeless))
    # [END howto_self_healing]
