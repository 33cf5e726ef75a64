"""DAGs that re-trigger many runs: in one task, in mapped tasks, or in mapped tasks of a list each."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow import DAG
from airflow.decorators import task, task_group

from airflow_provider_flowservice.operators.flowservice import (
    RetriggerDataflowRunOperator,
    RetriggerDataflowRunsOperator,
)


@task
def given(name: str, params: dict[str, Any] | None = None) -> Any:
    """Return a param of the DAG run."""
    return params and params[name]


def dag_of(dag_id: str) -> DAG:
    """Return a DAG that takes two lists."""
    start_date = datetime(2026, 1, 1, tzinfo=timezone.utc)
    return DAG(dag_id, start_date=start_date, schedule=None, params={"first": [], "second": []})


with dag_of("siblings_mapped") as siblings_mapped:
    RetriggerDataflowRunOperator.partial(
        task_id="retrigger", poll_interval=1, settle_time=5
    ).expand(run_id=given("first").concat(given("second")))

with dag_of("siblings_group") as siblings_group:

    @task_group
    def repair(run_id: str) -> None:
        """Re-trigger a run."""
        RetriggerDataflowRunOperator(
            task_id="retrigger", run_id=run_id, poll_interval=1, settle_time=5
        )

    repair.expand(run_id=given("first"))

with dag_of("siblings_bulk") as siblings_bulk:
    RetriggerDataflowRunsOperator(task_id="retrigger", run_ids=given("first"), settle_time=5)

with dag_of("siblings_bulks") as siblings_bulks:
    RetriggerDataflowRunsOperator.partial(task_id="retrigger", settle_time=5).expand(
        run_ids=given("first")
    )
