"""Many deferred tasks in a real triggerer."""

from __future__ import annotations

from collections import Counter

import pytest

from integration.airflow_api import wait_until

pytestmark = pytest.mark.timeout(800)

NUMBER = 40


@pytest.fixture
def add_run(flowservice):
    flow_id = flowservice.add_flow()
    return lambda status="inProgress": flowservice.add_run(flow_id, status)


def polls(flowservice):
    """Count how often each run was asked for."""
    counts = Counter()
    for seen in flowservice.requests:
        for name, value in seen.query:
            if name == "property" and value.startswith("id=="):
                counts.update(value.removeprefix("id==").split(","))
    return counts


def wait_until_polled(flowservice, number, times):
    """Wait until as many runs have been asked for so often."""
    wait_until(
        lambda: sum(count >= times for count in polls(flowservice).values()) == number,
        180,
        f"{number} runs are polled {times} times",
    )


def test_forty_deferred_tasks_share_their_requests(airflow, flowservice, add_run):
    run_ids = [add_run() for _ in range(NUMBER)]

    run = airflow.trigger("many_waits", {"run_ids": run_ids})
    wait_until_polled(flowservice, NUMBER, times=3)  # the early polls are over
    flowservice.clear_requests()
    wait_until_polled(flowservice, NUMBER, times=2)

    # Two or three ticks; the last task to be deferred may still be on ticks of its own.
    assert flowservice.count(method="GET") <= 8
    assert flowservice.summary()["token_requests"] == 0

    flowservice.script(run_ids[0], ["success"])
    flowservice.script(run_ids[-1], ["success"])
    for index in (0, NUMBER - 1):
        run.wait_for_task("wait", "success", timeout=120, map_index=index)
        assert run.xcom("wait", map_index=index)["run_id"] == run_ids[index]
    assert run.task("wait", map_index=1)["state"] == "deferred"
