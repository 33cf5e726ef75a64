"""Two DAGs want the same runs repaired at the same moment, in a real Airflow whose service lists new runs late."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from airflow_provider_flowservice.emulator import FlowServiceEmulator
from integration.airflow_api import Run
from integration.airflow_instance import AirflowInstance

pytestmark = pytest.mark.timeout(300)  # the first test boots Airflow

REPAIR = Path(__file__).parents[2] / "example_dags" / "repair_run.py"
REPAIR_DAG = "example_flowservice_repair_run"
TWINS = 10
# Seconds for which the service's lists hide a new run.
LISTED_LATE = 8

DAGS = """
import time
from datetime import datetime, timedelta

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
    with DAG(f"{name}_asks", start_date=datetime(2026, 1, 1), schedule=None):
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

    with DAG(f"{name}_retriggers", start_date=datetime(2026, 1, 1), schedule=None):
        find = ListDataflowRunsOperator(task_id="find", flow_name="bare*", summaries=True)
        RetriggerDataflowRunOperator.partial(
            task_id="retrigger", wait_for_completion=False, max_active_tis_per_dag=2
        ).expand(run_id=find.output.map(run_id))
"""


@pytest.fixture(scope="module")
def flowservice():
    with FlowServiceEmulator(step_seconds=1.0) as emulator:
        emulator.new_run_hidden_for = LISTED_LATE
        yield emulator


@pytest.fixture(scope="module")
def airflow(flowservice, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dags")
    (folder / "twins.py").write_text(DAGS)
    (folder / "repair_run.py").write_text(REPAIR.read_text())
    env = {"AIRFLOW_CONN_FLOWSERVICE_DEFAULT": flowservice.connection_json}
    with AirflowInstance([folder], env) as instance:
        yield instance


def failed_runs(flowservice, name):
    return [flowservice.add_run(flowservice.add_flow(f"{name} {n}")) for n in range(TWINS)]


def run_both(airflow, what):
    """Start a run of each of two DAGs, and return them at their end."""
    runs = [airflow.trigger(f"{name}_{what}", {}) for name in ("nightly", "event")]
    assert [run.wait() for run in runs] == ["success", "success"]
    return runs


def times_retriggered(flowservice, run_ids):
    sources = Counter(source for source, _ in flowservice.retriggers)
    return [sources[run_id] for run_id in run_ids]


def test_of_two_that_ask_one_gets_the_repair(airflow, flowservice, tell):
    run_ids = failed_runs(flowservice, "asked")

    runs = run_both(airflow, "asks")
    repairs = airflow.api.get(f"/dags/{REPAIR_DAG}/dagRuns", limit=100)["dag_runs"]
    ends = [Run(airflow.api, REPAIR_DAG, each["dag_run_id"]).wait() for each in repairs]

    assert ends == ["success"] * TWINS
    assert times_retriggered(flowservice, run_ids) == [1] * TWINS
    assert sorted(repair["conf"]["run_id"] for repair in repairs) == sorted(run_ids)
    tasks = [[run.task("repair", index) for index in range(TWINS)] for run in runs]
    pairs = [sorted(str(task["state"]) for task in pair) for pair in zip(*tasks, strict=True)]
    assert pairs == [["skipped", "success"]] * TWINS
    apart = sorted(_seconds_apart(*pair) for pair in zip(*tasks, strict=True))
    tries = max(task["try_number"] for each in tasks for task in each)
    tell(
        f"{TWINS} runs, two DAGs that ask for their repair: 0 re-triggered twice; the two asked within "
        f"{apart[len(apart) // 2]:.2f} s in the median, in at most {tries} tries."
    )


def test_of_two_that_retrigger_by_themselves_both_may_send(airflow, flowservice, tell):
    """No promise, but the reason for the recipe: nothing tells the one task of the other."""
    run_ids = failed_runs(flowservice, "bare")

    run_both(airflow, "retriggers")

    times = times_retriggered(flowservice, run_ids)
    assert set(times) <= {1, 2}
    assert 2 in times
    tell(f"{TWINS} runs, two DAGs that re-trigger: {times.count(2)} re-triggered twice.")


def _seconds_apart(one, other):
    ends = [datetime.fromisoformat(task["end_date"]) for task in (one, other)]
    return abs((ends[0] - ends[1]).total_seconds())
