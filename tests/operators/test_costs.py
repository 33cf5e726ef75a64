"""What a task costs in requests; docs/reference/limits.md has the figures."""

from __future__ import annotations

import re
from collections import Counter
from functools import partial

import pytest

from airflow_provider_flowservice._waiting.rules import NotYet, WaitRules, wait_flow
from airflow_provider_flowservice.operators.flowservice import (
    RetriggerDataflowRunOperator,
    RunDataflowOperator,
)
from airflow_provider_flowservice.sensors.flowservice import DataflowRunSensor
from helpers.pages import DOCS
from helpers.support import run_to_the_end

pytestmark = pytest.mark.once

TASKS = {
    "RetriggerDataflowRunOperator": lambda flow, run: partial(
        RetriggerDataflowRunOperator, task_id="retrigger", run_id=run
    ),
    "RunDataflowOperator": lambda flow, run: partial(
        RunDataflowOperator,
        task_id="start",
        flow_id=flow,
        window_start="2026-11-01",
        window_end="2026-11-02",
    ),
    "DataflowRunSensor": lambda flow, run: partial(
        DataflowRunSensor, task_id="wait", run_id=run, deferrable=False
    ),
}


def counted(name):
    """Return the number that the guide says of a task."""
    guide = (DOCS / "reference" / "limits.md").read_text()
    (number,) = re.findall(rf"^\| `{name}` \| (\d+) \|", guide, re.MULTILINE)
    return int(number)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_sends_as_many_requests_as_the_guide_says(flowservice, name):
    flow = flowservice.add_flow(frequency="once")
    run = flowservice.add_run(flow, "success" if "Sensor" in name else "failed")
    interval = "poke_interval" if "Sensor" in name else "poll_interval"
    flowservice.clear_requests()

    ended = run_to_the_end(TASKS[name](flow, run)(**{interval: 0.01}))

    ended_id = ended["run_id"] if "Sensor" in name else ended
    sent = Counter(f"{each.method} {each.path}" for each in flowservice.requests)
    polls = next(count for each, count in sent.items() if each.endswith(f"/runs/{ended_id}"))
    assert sent["POST /ims/token/v3"] == 1
    assert sent.total() - polls - 1 == counted(name), sent


def test_ten_minutes_in_a_worker_cost_as_many_polls_as_the_guide_says():
    now = 0.0
    wait = wait_flow("run r1", WaitRules(), first_poll=5.0, clock=lambda: now)
    delays = []
    now += next(wait)
    while now < 600:
        delays.append(wait.send(NotYet()))
        now += delays[-1]

    assert delays[:4] == [5, 10, 20, 40]
    guide = (DOCS / "reference" / "limits.md").read_text()
    assert f"ten minutes cost {len(delays)} polls" in " ".join(guide.split())
