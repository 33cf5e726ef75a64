"""Two DAGs want the same runs repaired at the same moment, in a real Airflow whose service lists new runs late."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import pytest

from integration.airflow_api import Run

pytestmark = pytest.mark.timeout(300)  # the first test boots Airflow

REPAIR_DAG = "example_flowservice_repair_run"
TWINS = 10
# Seconds for which the service's lists hide a new run.
LISTED_LATE = 8


@pytest.fixture(autouse=True)
def lists_new_runs_late(flowservice):
    flowservice.new_run_hidden_for = LISTED_LATE
    yield
    flowservice.new_run_hidden_for = 0


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


@pytest.mark.distributed  # shows what the recipe is for, and not that it works
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
