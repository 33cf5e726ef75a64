"""Exactly one re-trigger or start in a real Airflow, wherever its processes are killed."""

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
# Those of starts that `make test` has; the engine is the same.
STARTS_IN_EVERY_TEST_RUN = {("worker", "in the wait"), ("deferred", "at one point after the other")}
ALL = [
    pytest.param(
        (dag, mode, name),
        id=f"{dag}-{mode}-{name}",
        marks=pytest.mark.distributed
        if dag == "start_once" and (mode, name) not in STARTS_IN_EVERY_TEST_RUN
        else [],
    )
    for dag in ("exactly_once", "start_once")
    for mode, more in {"worker": CASES_IN_THE_WORKER, "deferred": CASES_DEFERRED}.items()
    for name in (*CASES, *more)
]


@dataclass
class Case:
    """A DAG run, the dataflow run or flow it is about, and how often its task is killed."""

    subject: str
    run: Run
    kills: int = 0


@pytest.fixture(scope="module")
def begin(airflow, flowservice):
    """Return a function that starts a DAG run for a failed dataflow run, or for a flow."""

    def begin(mode, points=(), *lifecycles, dag="exactly_once"):
        if dag == "start_once":
            return begin_start(mode, points)
        lifecycles = lifecycles or [["inProgress"] * 4 + ["success"]]
        source = flowservice.add_run(flowservice.add_flow(), "failed")
        flowservice.plan(source, *lifecycles)
        if "during the request" in points:
            # The service acts at once, and the task is killed before it answers.
            flowservice.fail(Fault(f"POST /runs/{source}/action", kind="slow", delay=3))
        conf = {"run_id": source, "points": list(points)}
        return Case(source, airflow.trigger(f"{dag}_{mode}", conf), len(points))

    def begin_start(mode, points):
        flow_id = flowservice.add_flow(frequency="once")
        flowservice.plan(flow_id, ["inProgress"] * 8 + ["success"])
        conf = {"flow_id": flow_id, "points": list(points)}
        return Case(flow_id, airflow.trigger(f"start_once_{mode}", conf), len(points))

    # Requests for starts do not show their flow, so the answers to all of them are slow.
    flowservice.fail(Fault("POST /runs$", kind="slow", delay=3, times=None))
    return begin


@pytest.fixture(scope="module")
def cases(request, begin):
    """The cases asked for, which run at the same time."""
    points = {
        "worker": {**CASES, **CASES_IN_THE_WORKER},
        "deferred": {**CASES, **CASES_DEFERRED},
    }
    items = [item for item in request.session.items if "cases" in item.fixturenames]
    names = [item.callspec.params["name"] for item in items]
    return {
        (dag, mode, name): begin(mode, points[mode][name], dag=dag) for dag, mode, name in names
    }


@pytest.fixture(scope="module")
def new_runs(flowservice):
    """Return a function that tells the new runs made of a run or of a flow."""
    return lambda subject: [
        new for about, new in flowservice.retriggers + flowservice.starts if about == subject
    ]


@pytest.mark.parametrize("name", ALL)
def test_a_killed_task_leaves_one_run_and_ends_in_success(cases, new_runs, name):
    case = cases[name]

    assert case.run.wait(200) == "success", case.run.log(TASK, case.kills + 1)
    (new_run_id,) = new_runs(case.subject)
    assert case.run.xcom(TASK) == new_run_id
    assert case.run.xcom(TASK, "attempts") == [new_run_id]
    # Not equal: a busy Airflow may take a resumed task for a dead one, and try once more.
    assert case.run.task(TASK)["try_number"] > case.kills


def test_a_killed_worker_leaves_one_retrigger(airflow, begin, new_runs):
    case = begin("worker", (), [*["inProgress"] * 15, "success"])
    case.run.wait_for_task(TASK, "running")
    airflow.kill_worker(case.run, TASK)

    assert case.run.wait() == "success"
    assert new_runs(case.subject) == [case.run.xcom(TASK)]


def test_a_killed_triggerer_leaves_one_retrigger(airflow, begin, new_runs):
    case = begin("deferred", (), [*["inProgress"] * 15, "success"])
    case.run.wait_for_task(TASK, "deferred")
    airflow.restart("triggerer")

    assert case.run.wait() == "success"
    assert new_runs(case.subject) == [case.run.xcom(TASK)]
    assert case.run.task(TASK)["try_number"] == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_retry_after_a_failure_and_a_clear_after_a_success_retrigger_again(
    airflow, begin, flowservice, new_runs, mode
):
    case = begin(mode, (), Lifecycle(["failed"]), Lifecycle(["success"]))
    flow_id = flowservice.run(case.subject)["flowId"]
    flowservice.plan(flow_id, ["success"])

    assert case.run.wait() == "success"
    (first,) = new_runs(case.subject)
    (second,) = new_runs(first)
    assert case.run.xcom(TASK, "attempts") == [first, second]
    case.run.clear(TASK)
    assert case.run.wait() == "success"
    third = new_runs(case.subject)[1]
    earlier = [first, second] if airflow.api.keeps_state_on_clear() else []
    assert case.run.xcom(TASK, "attempts") == [*earlier, third]


@pytest.fixture(scope="module")
def cleared(airflow, begin, flowservice, new_runs):
    """Cases in each mode whose task was cleared before the service lists the new run."""
    flowservice.new_run_hidden_for = 14
    cases = {mode: begin(mode, (), ["inProgress"], dag="slow_lists") for mode in MODES}
    sources = [case.subject for case in cases.values()]
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
    first = new_runs(case.subject)[0]
    # The service does not show yet which data the run loads. Without the task's state it may be
    # the run of another request, so that the task ends with an error that names it.
    is_known = airflow.api.keeps_state_on_clear()
    decision = "Going on with dataflow run" if is_known else "Candidates: Dataflow run"

    def has_decided():
        if len(new_runs(case.subject)) > 1:
            return True
        return case.run.task(TASK)["try_number"] > 1 and decision in case.run.log(TASK, 2)

    wait_until(has_decided, 120, "the cleared task has decided what to do")
    assert new_runs(case.subject) == [first], case.run.log(TASK, 2)
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
    (new_run_id,) = new_runs(case.subject)
    case.run.mark(TASK, "failed")

    text = f"Dataflow run {new_run_id} goes on: https://experience.adobe.com/"
    wait_until(lambda: text in case.run.log(TASK), 60, "the log says so")
    assert new_runs(case.subject) == [new_run_id]
