"""What two triggerers share: many deferred waits, and the watchers of assets."""

from __future__ import annotations

import time
from collections import Counter
from functools import partial

import pytest

from integration.airflow_api import wait_until
from integration.distributed.celery_airflow import TRIGGERERS
from integration.polls import count_requests, first_polls
from integration.watchers import dag_runs, reported_runs, reported_watches

pytestmark = [pytest.mark.timeout(1800), pytest.mark.distributed]

REPAIR = "example_flowservice_repair_run"
WAITS = 200
POLL_SECONDS = 10  # as in the DAG


@pytest.fixture(autouse=True)
def all_up_again(airflow):
    """Start what a test has killed."""
    yield
    airflow.start_all()


def test_two_hundred_deferred_waits_survive_one_of_two_triggerers(airflow, flowservice, tell):
    flow_id = flowservice.add_flow()
    run_ids = [flowservice.add_run(flow_id, "inProgress") for _ in range(WAITS)]

    def are_polled(since):
        return len(first_polls(flowservice, run_ids, since)) == WAITS

    run = airflow.trigger("many_waits", {"run_ids": run_ids})
    wait_until(lambda: states(run) == {"deferred": WAITS}, 900, "all are deferred")
    wait_until(partial(are_polled, time.time()), 60, "all are polled")
    time.sleep(POLL_SECONDS)  # after which the early polls are over
    flowservice.clear_requests()
    time.sleep(3 * POLL_SECONDS)
    requests = count_requests(flowservice)  # and not those of the watchers

    busier = max(TRIGGERERS, key=airflow.work_of)
    lost = airflow.work_of(busier)
    assert lost
    killed_at = time.time()
    airflow.kill(busier)
    wait_until(partial(are_polled, killed_at), 120, "all are polled again")
    seconds = max(first_polls(flowservice, run_ids, killed_at).values()) - killed_at
    for run_id in run_ids:
        flowservice.script(run_id, ["success"])
    wait_until(lambda: states(run) == {"success": WAITS}, 900, "all have succeeded")

    tell(
        f"{WAITS} waits over two triggerers: {requests} requests in {3 * POLL_SECONDS} s, polled every "
        f"{POLL_SECONDS} s. The triggerer with {lost} of them killed: each run polled again within "
        f"{seconds:.0f} s, none lost."
    )
    # A run is in one request of its triggerer, with up to a hundred others.
    assert requests <= 4 * (2 + 1)


def states(run):
    return Counter(task["state"] for task in run.tasks() if task["task_id"] == "wait")


def test_watchers_that_report_the_same_failure_lead_to_one_repair(airflow, flowservice, tell):
    """Two watchers, and triggerers that are killed as soon as one of them has reported."""
    wait_until(lambda: reported_watches(airflow) == 2, 120, "both watch")
    failed = []
    for triggerer in (*TRIGGERERS, *TRIGGERERS):
        failed.append(flowservice.add_run(flowservice.add_flow("Watched orders"), "failed"))
        wait_until(lambda: failed[-1] in reported_runs(airflow), 60, "the failure is reported")
        airflow.restart(triggerer)

    for run_id in failed:
        wait_until(lambda each=run_id: retriggers(flowservice)[each], 120, "it is re-triggered")
    for name in ("one", "other"):
        assert {run.wait(180) for run in dag_runs(airflow, f"heal_{name}")} == {"success"}
    assert {run.wait(180) for run in dag_runs(airflow, REPAIR, repairing=failed)} == {"success"}

    reports = reported_runs(airflow)
    tell(
        f"{len(failed)} failures, two watchers, a triggerer killed after each: reported "
        f"{sorted(reports[run_id] for run_id in failed)} times, re-triggered "
        f"{sorted(retriggers(flowservice)[run_id] for run_id in failed)} times."
    )
    assert min(reports[run_id] for run_id in failed) >= 2
    assert [retriggers(flowservice)[run_id] for run_id in failed] == [1] * len(failed)


def retriggers(flowservice):
    return Counter(source for source, _ in flowservice.retriggers)
