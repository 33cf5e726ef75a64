"""Pairs of DAGs that want the same runs repaired at the same moment."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG

from airflow_provider_flowservice.operators.flowservice import (
    ListDataflowRunsOperator,
    RetriggerDataflowRunOperator,
)
from airflow_provider_flowservice.repairs import repair_request


def at_the_same_moment():
    time.sleep(-time.time() % 3)


def request(run):
    at_the_same_moment()
    return repair_request(run)


def run_id(run):
    at_the_same_moment()
    return run["run_id"]


for name in ("nightly", "event"):
    with DAG(f"{name}_asks", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None):
        find = ListDataflowRunsOperator(task_id="find", flow_name="asked*", summaries=True)
        TriggerDagRunOperator.partial(
            task_id="repair",
            trigger_dag_id="example_flowservice_repair_run",
            logical_date=None,
            skip_when_already_exists=True,
            retries=2,
            retry_delay=timedelta(seconds=1),
            max_active_tis_per_dag=2,  # so that those of both DAGs run side by side
        ).expand_kwargs(find.output.map(request))

    with DAG(
        f"{name}_retriggers", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None
    ):
        find = ListDataflowRunsOperator(task_id="find", flow_name="bare*", summaries=True)
        RetriggerDataflowRunOperator.partial(
            task_id="retrigger", wait_for_completion=False, max_active_tis_per_dag=2
        ).expand(run_id=find.output.map(run_id))
