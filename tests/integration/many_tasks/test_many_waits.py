"""Many deferrable sensors in a real Airflow: none is failed by Airflow, and they share their requests."""

from __future__ import annotations

import os
import time
from collections import Counter

import pytest

from integration.airflow_api import wait_until
from integration.polls import count_polls

NUMBER = 40
# Each costs Airflow a start of a worker process, and two if it is deferred.
ENDED_RUNS = int(os.environ.get("ENDED_RUNS", "12"))

pytestmark = pytest.mark.timeout(800 + 8 * ENDED_RUNS)


def mismatches(airflow):
    """Return what the scheduler says of tasks that "finished" in another state than the one they have."""
    rows = airflow.database.query(
        "SELECT extra FROM log WHERE event = 'state mismatch' AND dag_id = 'many_waits'"
    )
    return [extra for (extra,) in rows]


@pytest.mark.parametrize("statuses", [["success"], ["inProgress", "success"]], ids=str)
def test_sensors_on_runs_that_have_ended_or_end_after_the_first_poll(
    airflow, flowservice, tell, statuses
):
    flow_id = flowservice.add_flow()
    run_ids = [flowservice.add_run(flow_id, "inProgress") for _ in range(ENDED_RUNS)]
    for run_id in run_ids:
        flowservice.script(run_id, statuses)

    began_at = time.time()
    run = airflow.trigger("many_waits", {"run_ids": run_ids})
    state = run.wait(120 + 6 * ENDED_RUNS)
    seconds = time.time() - began_at

    states = Counter(task["state"] for task in run.tasks() if task["task_id"] == "wait")
    logs = [run.log("wait", map_index=index) for index in range(ENDED_RUNS)]
    not_deferred = [log for log in logs if "DEFERRED" not in log]
    deferred = ENDED_RUNS - len(not_deferred)
    tell(f"{ENDED_RUNS} sensors, {deferred} deferred: {dict(states)} after {seconds:.0f} s.")
    assert (state, states) == ("success", {"success": ENDED_RUNS}), mismatches(airflow)
    assert mismatches(airflow) == []
    assert deferred == ENDED_RUNS * (len(statuses) - 1), not_deferred[:1]


@pytest.fixture
def add_run(flowservice):
    flow_id = flowservice.add_flow()
    return lambda status="inProgress": flowservice.add_run(flow_id, status)


def wait_until_polled(flowservice, run_ids, times):
    """Wait until each of these runs has been asked for so often."""

    def are_polled():
        counts = count_polls(flowservice)
        return all(counts[run_id] >= times for run_id in run_ids)

    wait_until(are_polled, 180, f"{len(run_ids)} runs are polled {times} times")


@pytest.mark.distributed  # which has two hundred as well
def test_forty_deferred_tasks_share_their_requests(airflow, flowservice, add_run):
    run_ids = [add_run() for _ in range(NUMBER)]

    run = airflow.trigger("many_waits", {"run_ids": run_ids})
    wait_until_polled(flowservice, run_ids, times=3)  # the early polls are over
    flowservice.clear_requests()
    wait_until_polled(flowservice, run_ids, times=2)

    # Two or three ticks; the last task to be deferred may still be on ticks of its own.
    assert flowservice.count(method="GET") <= 8
    assert flowservice.summary()["token_requests"] == 0

    flowservice.script(run_ids[0], ["success"])
    flowservice.script(run_ids[-1], ["success"])
    for index in (0, NUMBER - 1):
        run.wait_for_task("wait", "success", timeout=120, map_index=index)
        assert run.xcom("wait", map_index=index)["run_id"] == run_ids[index]
    assert run.task("wait", map_index=1)["state"] == "deferred"
