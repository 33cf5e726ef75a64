"""Tries that are processes of their own and are killed, on an Airflow without a task state store."""

from __future__ import annotations

import os
import traceback
import uuid

import pytest

from airflow_provider_flowservice.emulator import Fault
from helpers.support import TaskInstance, context, run_to_the_end
from integration.dags.dying_operator import DyingRetrigger, DyingStart

RETRIES = 4
KILLS = {
    "before the request": ["before the request"],
    "during the request": ["during the request"],
    "after the answer": ["after the answer"],
    "one after the other": ["before the request", "during the request", "on resuming"],
}
KILLS_IN_THE_WORKER = {
    "in the wait": ["in the wait"],
    "on resuming": ["in the wait", "on resuming"],
}
KILLS_DEFERRED = {"on resuming": ["on resuming"]}
CASES = [
    *[(False, points) for points in {**KILLS, **KILLS_IN_THE_WORKER}.values()],
    *[(True, points) for points in {**KILLS, **KILLS_DEFERRED}.values()],
]


def failed_run(flowservice):
    """Return the flow of a failed run, and what its re-trigger takes."""
    flow_id = flowservice.add_flow()
    return flow_id, {"run_id": flowservice.add_run(flow_id, "failed")}


def one_time_flow(flowservice):
    """Return a flow, and what the start of a run takes."""
    flow_id = flowservice.add_flow(frequency="once")
    return flow_id, {
        "flow_id": flow_id,
        "window_start": "2026-11-01",
        "window_end": "2026-11-02",
    }


OPERATORS = {"re-trigger": (DyingRetrigger, failed_run), "start": (DyingStart, one_time_flow)}


def ids(value):
    return ", ".join(value) if isinstance(value, list) else ("deferred" if value else "worker")


def run_try(number, operator, run_id, points):
    """Run one try in a process of its own, and return its exit status; -9 if it was killed."""
    if (pid := os.fork()) == 0:
        status = 1
        try:
            task_instance = TaskInstance(number, max_tries=RETRIES)
            run_to_the_end(operator, context(ti=task_instance, run_id=run_id, params=points))
            status = 0
        except BaseException:  # noqa: BLE001  # nothing of pytest may go on in this process
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.filterwarnings("ignore:This process")  # whose threads the child does without
@pytest.mark.parametrize("request_for", OPERATORS)
@pytest.mark.parametrize(("deferrable", "points"), CASES, ids=ids)
def test_a_killed_process_leaves_one_run(flowservice, deferrable, points, request_for):
    operator_class, subject = OPERATORS[request_for]
    flow_id, arguments = subject(flowservice)
    flowservice.plan(flow_id, ["inProgress"] * 4 + ["success"])
    if "during the request" in points:
        flowservice.fail(Fault("POST /runs", kind="slow", delay=3))
    operator = operator_class(
        task_id="request",
        **arguments,
        deferrable=deferrable,
        poll_interval=0.01,
        settle_time=0,  # what is not there yet never appears here
        retries=RETRIES,
    )
    dag_run_id = str(uuid.uuid4())

    statuses = [
        run_try(number, operator, dag_run_id, {"points": points})
        for number in range(1, len(points) + 2)
    ]

    assert statuses == [-9] * len(points) + [0]
    assert len(flowservice.retriggers + flowservice.starts) == 1
