"""Exactly one re-trigger in a real Airflow, wherever its processes are killed."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from airflow_provider_flowservice.emulator import Fault, Lifecycle
from integration.airflow_api import Run, wait_until

pytestmark = pytest.mark.timeout(300)  # the first test boots Airflow and starts all runs

TASK = "retrigger"
# Each with the state in which a task waits.
MODES = {"worker": "running", "deferred": "deferred"}
CASES = {
    "no kill": [],
    "before the intent": ["before the intent"],
    "after the intent": ["after the intent"],
    "during the request": ["during the request"],
    "after the answer": ["after the answer"],
    "after storing": ["after storing"],
    "at one point after the other": ["before the intent", "during the request", "after storing"],
}
CASES_IN_THE_WORKER = {
    "in the wait": ["in the wait"],
    "on resuming": ["in the wait", "on resuming"],
}
CASES_DEFERRED = {"on resuming": ["on resuming"]}
ALL = [
    *[("worker", name) for name in (*CASES, *CASES_IN_THE_WORKER)],
    *[("deferred", name) for name in (*CASES, *CASES_DEFERRED)],
]


@dataclass
class Case:
    """A DAG run, the dataflow run it is about, and how often its task is killed."""

    source_run_id: str
    run: Run
    kills: int = 0


@pytest.fixture(scope="module")
def begin(airflow, flowservice):
    """Return a function that starts a DAG run for a failed dataflow run."""

    def begin(mode, points=(), *lifecycles, dag="exactly_once"):
        source = flowservice.add_run(flowservice.add_flow(), "failed")
        flowservice.plan(source, *lifecycles or [["inProgress"] * 4 + ["success"]])
        if "during the request" in points:
            # The service acts at once, and the task is killed before it answers.
            flowservice.fail(Fault(f"POST /runs/{source}/action", kind="slow", delay=3))
        conf = {"run_id": source, "points": list(points)}
        return Case(source, airflow.trigger(f"{dag}_{mode}", conf), len(points))

    return begin


@pytest.fixture(scope="module")
def cases(begin):
    """All cases, which run at the same time."""
    points = {
        "worker": {**CASES, **CASES_IN_THE_WORKER},
        "deferred": {**CASES, **CASES_DEFERRED},
    }
    return {(mode, name): begin(mode, points[mode][name]) for mode, name in ALL}


@pytest.fixture(scope="module")
def new_runs(flowservice):
    """Return a function that tells the new runs made of a run."""
    return lambda run_id: [new for source, new in flowservice.retriggers if source == run_id]


@pytest.mark.parametrize(("mode", "name"), ALL)
def test_a_killed_task_leaves_one_retrigger_and_ends_in_success(cases, new_runs, mode, name):
    case = cases[mode, name]

    assert case.run.wait(200) == "success", case.run.log(TASK, case.kills + 1)
    (new_run_id,) = new_runs(case.source_run_id)
    assert case.run.xcom(TASK) == new_run_id
    assert case.run.xcom(TASK, "attempts") == [new_run_id]
    # Not equal: a busy Airflow may take a resumed task for a dead one, and try once more.
    assert case.run.task(TASK)["try_number"] > case.kills


def test_a_killed_worker_leaves_one_retrigger(airflow, begin, new_runs):
    case = begin("worker", (), [*["inProgress"] * 15, "success"])
    case.run.wait_for_task(TASK, "running")
    airflow.kill_worker(case.run, TASK)

    assert case.run.wait() == "success"
    assert new_runs(case.source_run_id) == [case.run.xcom(TASK)]


def test_a_killed_triggerer_leaves_one_retrigger(airflow, begin, new_runs):
    case = begin("deferred", (), [*["inProgress"] * 15, "success"])
    case.run.wait_for_task(TASK, "deferred")
    airflow.restart("triggerer")

    assert case.run.wait() == "success"
    assert new_runs(case.source_run_id) == [case.run.xcom(TASK)]
    assert case.run.task(TASK)["try_number"] == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_retry_after_a_failure_and_a_clear_after_a_success_retrigger_again(
    airflow, begin, flowservice, new_runs, mode
):
    case = begin(mode, (), Lifecycle(["failed"]), Lifecycle(["success"]))
    flow_id = flowservice.run(case.source_run_id)["flowId"]
    flowservice.plan(flow_id, ["success"])

    assert case.run.wait() == "success"
    (first,) = new_runs(case.source_run_id)
    (second,) = new_runs(first)
    assert case.run.xcom(TASK, "attempts") == [first, second]
    case.run.clear(TASK)
    assert case.run.wait() == "success"
    third = new_runs(case.source_run_id)[1]
    earlier = [first, second] if airflow.api.keeps_state_on_clear() else []
    assert case.run.xcom(TASK, "attempts") == [*earlier, third]


@pytest.fixture(scope="module")
def cleared(airflow, begin, flowservice, new_runs):
    """Cases in each mode whose task was cleared before the service lists the new run."""
    flowservice.new_run_hidden_for = 14
    cases = {mode: begin(mode, (), ["inProgress"], dag="slow_lists") for mode in MODES}
    sources = [case.source_run_id for case in cases.values()]
    wait_until(lambda: all(map(new_runs, sources)), 60, "both are re-triggered")
    flowservice.new_run_hidden_for = 0
    for mode, case in cases.items():
        case.run.wait_for_task(TASK, MODES[mode])
        case.run.clear(TASK)
    return cases


@pytest.mark.parametrize("mode", MODES)
def test_a_clear_before_the_new_run_is_listed_sends_nothing_while_that_run_goes_on(
    airflow, cleared, flowservice, new_runs, mode
):
    case = cleared[mode]
    first = new_runs(case.source_run_id)[0]
    # The service does not show yet which data the run loads. Without the task's state it may be
    # the run of another request, so that the task ends with an error that names it.
    is_known = airflow.api.keeps_state_on_clear()
    decision = "Going on with dataflow run" if is_known else "Candidates: Dataflow run"

    def has_decided():
        if len(new_runs(case.source_run_id)) > 1:
            return True
        return case.run.task(TASK)["try_number"] > 1 and decision in case.run.log(TASK, 2)

    wait_until(has_decided, 120, "the cleared task has decided what to do")
    assert new_runs(case.source_run_id) == [first], case.run.log(TASK, 2)
    assert f"{decision} {first}" in case.run.log(TASK, 2)
    if is_known:
        flowservice.script(first, ["success"])
        assert case.run.wait() == "success", case.run.log(TASK, 2)
        assert case.run.xcom(TASK) == first


def test_the_same_data_in_mapped_tasks_is_retriggered_once(airflow, flowservice, new_runs):
    flow_id = flowservice.add_flow()
    a, b = (flowservice.add_run(flow_id, window=(1_000, 2_000)) for _ in range(2))
    c = flowservice.add_run(flow_id, window=(2_000, 3_000))

    run = airflow.trigger("siblings_mapped", {"first": [a, a, b], "second": [c, b, a]})

    assert run.wait() == "success", run.states()
    got = [run.xcom(TASK, map_index=index) for index in range(6)]
    assert [*new_runs(a), *new_runs(b)] == list(dict.fromkeys(got[:3]))
    assert new_runs(c) == [got[3]]
    assert set(got) == {got[0], got[3]}


def test_the_same_data_in_mapped_lists_is_retriggered_once(airflow, flowservice, new_runs):
    a, b, c = (flowservice.add_run(flowservice.add_flow()) for _ in range(3))

    run = airflow.trigger("siblings_bulks", {"first": [[a, b], [b, c], [c, a]], "second": []})

    assert run.wait() == "success", run.states()
    (new_a,), (new_b,), (new_c,) = (new_runs(run_id) for run_id in (a, b, c))
    got = [run.xcom(TASK, map_index=index) for index in range(3)]
    assert got == [[new_a, new_b], [new_b, new_c], [new_c, new_a]]


@pytest.mark.parametrize(("mode", "state"), MODES.items())
def test_a_task_ended_by_a_user_says_that_its_run_goes_on(begin, new_runs, mode, state):
    case = begin(mode, (), ["inProgress"])
    case.run.wait_for_task(TASK, state)
    # Not before its first look: a trigger that has not begun yet is dropped in silence.
    wait_until(lambda: "is now inProgress" in case.run.log(TASK), 60, "the task waits")
    (new_run_id,) = new_runs(case.source_run_id)
    case.run.mark(TASK, "failed")

    text = f"Dataflow run {new_run_id} goes on: https://experience.adobe.com/"
    wait_until(lambda: text in case.run.log(TASK), 60, "the log says so")
    assert new_runs(case.source_run_id) == [new_run_id]
