"""Ask for the repair of a dataflow run as soon as it has failed (Airflow 3.0 and newer)."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow_provider_flowservice.operators.flowservice import ListDataflowRunsOperator
from airflow_provider_flowservice.repairs import repair_request
from airflow_provider_flowservice.triggers.flowservice import DataflowRunEventTrigger

try:
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
    from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
    from airflow.sdk import DAG, Asset, AssetWatcher
except ImportError:  # before Airflow 3.0 no event starts a DAG
    dag = None
else:
    watcher = AssetWatcher(
        name="failed_nightly_dataflow",
        trigger=DataflowRunEventTrigger(flow_name="*nightly*", poll_interval=60),
    )

    with DAG(
        "example_flowservice_self_healing",
        description="Repair dataflow runs as soon as they fail.",
        start_date=datetime(2026, 1, 1),
        schedule=[Asset("failed_nightly_dataflow", watchers=[watcher])],
        catchup=False,
        max_active_runs=1,  # what fails meanwhile is repaired by the next DAG run
        is_paused_upon_creation=True,  # unpause it to let it act on its own
        default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},  # in case a worker dies
        tags=["flowservice"],
    ) as dag:
        let_the_source_recover = TimeDeltaSensor(
            task_id="let_the_source_recover", delta=timedelta(minutes=5), deferrable=True
        )

        # All failures, and not only those in this DAG run's events: if an event arrives while Airflow is
        # creating a DAG run, Airflow keeps it for the next one.
        find = ListDataflowRunsOperator(
            task_id="find", flow_name="*nightly*", unless_ours=True, summaries=True
        )

        repair = TriggerDagRunOperator.partial(
            task_id="repair",
            trigger_dag_id="example_flowservice_repair_run",
            logical_date=None,  # Airflow 3 allows one DAG run per logical date
            skip_when_already_exists=True,
        ).expand_kwargs(find.output.map(repair_request))

        let_the_source_recover >> find >> repair
