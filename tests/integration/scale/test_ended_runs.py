"""Deferrable sensors whose runs have ended, or end soon, in a real Airflow: none is failed by Airflow."""

from __future__ import annotations

import os
import time
from collections import Counter

import pytest

# Each costs Airflow a start of a worker process, and two if it is deferred.
ENDED_RUNS = int(os.environ.get("ENDED_RUNS", "20"))

pytestmark = pytest.mark.timeout(240 + 8 * ENDED_RUNS)


def mismatches(airflow):
    """Return what the scheduler says of tasks that "finished" in another state than the one they have."""
    rows = airflow.database.query("SELECT extra FROM log WHERE event = 'state mismatch'")
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
