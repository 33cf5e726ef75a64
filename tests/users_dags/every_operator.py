"""A DAG for every operator and sensor and each way in which it waits: with one task, and with mapped ones."""

from __future__ import annotations

from datetime import datetime, timezone

try:
    from airflow.sdk import DAG, get_current_context, task
except ImportError:  # before Airflow 3.0
    from airflow import DAG
    from airflow.decorators import task
    from airflow.operators.python import get_current_context

try:
    from airflow.sdk import CronDataIntervalTimetable
except ImportError:  # before Airflow 3.2
    from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_flowservice.operators.flowservice import (
    ListDataflowRunsOperator,
    RetriggerDataflowRunOperator,
    RetriggerDataflowRunsOperator,
    RunDataflowOperator,
)
from airflow_provider_flowservice.sensors.flowservice import DataflowRunSensor, DataflowSensor

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
FLOWS = ["flow-1", "flow-2"]
RUNS = ["run-1", "run-2"]
ONE_TIME_FLOW = "flow-3"
DAYS = [
    {"window_start": "2026-11-01", "window_end": "2026-11-02"},
    {"window_start": "2026-11-02", "window_end": "2026-11-03"},
]
# As example_dags/wait_for_flow.py has it. Some DAG runs of Airflow 3 have no data interval, and those of Airflow 2
# have no `run_after`.
SINCE = "{{ data_interval_end | default(dag_run.run_after, true) }}"

WAITS = {"worker": {}, "deferred": {"deferrable": True}}
MODES = {**WAITS, "reschedule": {"mode": "reschedule"}}

DAGS = {}


def new_dag(name, schedule=None):
    """Return a DAG that the tests find by its name."""
    DAGS[name] = DAG(f"users_{name}", start_date=START, schedule=schedule)
    return DAGS[name]


with new_dag("list"):
    ListDataflowRunsOperator(task_id="only", flow_name="orders*")

with new_dag("list_mapped"):
    ListDataflowRunsOperator.partial(task_id="only").expand(flow_id=FLOWS)

with new_dag("retrigger_wrong_mapped"):
    # Not found by a template, an ID that is none, and a wait that is no time.
    RetriggerDataflowRunOperator.partial(task_id="only").expand_kwargs(
        [
            {"run_id": "{{ params.get('run_id') }}"},
            {"run_id": "a b"},
            {"run_id": RUNS[0], "timeout": -1},
        ]
    )

with new_dag("retrigger_nested"):

    @task(task_id="only")
    def retrigger():
        """Call an operator, as some users do, although its tries are not those of this task."""
        operator = RetriggerDataflowRunOperator(task_id="inner", run_id=RUNS[0], dag=None)
        try:
            return operator.execute(get_current_context())
        except ValueError as error:
            return str(error)

    retrigger()

with new_dag("start_interval", CronDataIntervalTimetable("@daily", timezone="UTC")):
    RunDataflowOperator(
        task_id="only",
        flow_id=ONE_TIME_FLOW,
        window_start="{{ data_interval_start }}",
        window_end="{{ data_interval_end }}",
    )

with new_dag("bulk"):
    RetriggerDataflowRunsOperator(task_id="only", run_ids=RUNS)

for wait, arguments in WAITS.items():
    with new_dag(f"retrigger_{wait}"):
        RetriggerDataflowRunOperator(task_id="only", run_id=RUNS[0], **arguments)

    with new_dag(f"retrigger_mapped_{wait}"):
        RetriggerDataflowRunOperator.partial(task_id="only", **arguments).expand(run_id=RUNS)

    with new_dag(f"start_{wait}"):
        RunDataflowOperator(task_id="only", flow_id=ONE_TIME_FLOW, **DAYS[0], **arguments)

    with new_dag(f"start_mapped_{wait}"):
        RunDataflowOperator.partial(
            task_id="only", flow_id=ONE_TIME_FLOW, **arguments
        ).expand_kwargs(DAYS)

    with new_dag(f"run_sensor_mapped_{wait}"):
        DataflowRunSensor.partial(task_id="only", **arguments).expand(run_id=RUNS)

    since = {"completed_after": SINCE, **arguments}
    with new_dag(f"flow_sensor_{wait}"):
        DataflowSensor(task_id="only", flow_id=FLOWS[0], **since)

    with new_dag(f"flow_sensor_mapped_{wait}"):
        DataflowSensor.partial(task_id="only", **since).expand(flow_id=FLOWS)

for mode, arguments in MODES.items():
    with new_dag(f"run_sensor_{mode}"):
        DataflowRunSensor(task_id="only", run_id=RUNS[0], **arguments)
