"""Re-trigger a dataflow run as soon as it fails, up to three times a day, and then call for help."""

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
except ImportError:  # before Airflow 3.0 no event starts a DAG
    dag = None
else:
    MAX_PER_DAY = 3
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
    REPAIRED = Asset("repaired_nightly_dataflow")  # starts the DAGs that need the data

    with DAG(
        "example_flowservice_self_healing",
        description="Re-trigger dataflow runs that fail, at most three times a day per flow.",
        start_date=datetime(2026, 1, 1),
        schedule=[FAILURE],
        catchup=False,
        is_paused_upon_creation=True,  # unpause it to let it act on its own
        default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},  # in case a worker dies
        tags=["flowservice"],
    ) as dag:
        let_the_source_recover = TimeDeltaSensor(
            task_id="let_the_source_recover", delta=DELAY, deferrable=True
        )

        # All failures, and not only those in this DAG run's events: if an event arrives while Airflow is
        # creating a DAG run, Airflow keeps it for the next one.
        find = ListDataflowRunsOperator(task_id="find", flow_name="*nightly*", summaries=True)

        @task
        def count_attempts(
            failures: list[dict[str, Any]], triggering_asset_events: Any = None
        ) -> list[dict[str, Any]]:
            """Count today's re-triggers on the service, which keeps all of them."""
            hook = FlowServiceHook()
            ours = {hook.settings.client_id, hook.settings.api_key}
            midnight = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
            since = round(midnight.timestamp() * 1000)
            new = {e.extra["payload"]["run_id"] for e in triggering_asset_events[FAILURE]}
            attempts: dict[str, int] = {}
            for failure in failures:
                flow_id = failure["flow_id"]
                if flow_id not in attempts:
                    runs = hook.list_runs(flow_id=flow_id, created_after=since)
                    attempts[flow_id] = sum(run.created_client in ours for run in runs)
                attempts[flow_id] += 1
                failure["attempt"] = attempts[flow_id]
                failure["is_new"] = failure["run_id"] in new
            return failures

        def to_retrigger(failure: dict[str, Any]) -> str:
            """Choose the run if its flow has attempts left today."""
            if failure["attempt"] > MAX_PER_DAY:
                raise AirflowSkipException("The flow has no attempts left today.")
            return str(failure["run_id"])

        def to_report(failure: dict[str, Any]) -> dict[str, Any]:
            """Choose a failure without attempts left, once."""
            if failure["attempt"] <= MAX_PER_DAY or not failure["is_new"]:
                raise AirflowSkipException("It is re-triggered, or was reported before.")
            return failure

        @task
        def call_for_help(failure: dict[str, Any]) -> None:
            """Stand in for the notifier of your choice."""
            raise AirflowFailException(
                f"Not healed: Dataflow run {failure['run_id']} of flow {failure['flow_id']}: "
                f"{failure['error_message']}"
            )

        failures = count_attempts(find.output)
        let_the_source_recover >> find
        retrigger = RetriggerDataflowRunOperator.partial(
            task_id="retrigger",
            wait_for_completion=False,  # so that a retry of the task never re-triggers the run twice
            on_ineligible="skip",
        ).expand(run_id=failures.map(to_retrigger))
        DataflowRunSensor.partial(
            task_id="wait",
            deferrable=True,
            poke_interval=60,
            outlets=[REPAIRED],
        ).expand(run_id=retrigger.output)
        call_for_help.expand(failure=failures.map(to_report))
    # [END howto_self_healing]
