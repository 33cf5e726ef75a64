"""
Exactly one re-trigger in a real Airflow that pauses, and goes on when others have taken over.

A task and its worker, which sends its heartbeats, are stopped between the stored intent and the
request, as on a machine that is suspended. Airflow takes the try for dead, its retry re-triggers
the run, and then both are continued. ``make test`` has the latest of the pauses,
``make test-distributed`` all of them.
"""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from integration.airflow_api import Run, wait_until

pytestmark = pytest.mark.timeout(600)  # the first test boots Airflow and sits all pauses out

TASK = "retrigger"
PAUSES = {
    "in two tries": ["after the intent", "on the connection"],  # takes longest
    "after the intent": ["after the intent"],
    "at the name lookup": ["at the name lookup"],
    "before the connection": ["before the connection"],
    "on the connection": ["on the connection"],
}
IN_EVERY_TEST_RUN = {"on the connection"}
ALL = [
    pytest.param(
        (mode, pause, until),
        id=f"{mode}-{pause}-{until}",
        marks=[] if pause in IN_EVERY_TEST_RUN else pytest.mark.distributed,
    )
    for pause in PAUSES
    for mode in ("worker", "deferred")
    for until in ("the retry waits", "the DAG run has ended")
]


@dataclass
class Case:
    """A DAG run, the dataflow run it is about, and where its tries stop."""

    source_run_id: str
    run: Run
    points: list[str]

    def frozen(self, airflow) -> list[tuple[psutil.Process, psutil.Process]]:
        """Return the stopped tasks, each with its worker."""
        path = airflow.home / f"frozen.{self.run.run_id}"
        lines = path.read_text().splitlines() if path.exists() else []
        return [tuple(map(psutil.Process, json.loads(line))) for line in lines]


@pytest.fixture(scope="module")
def new_runs(flowservice):
    """Return a function that tells the new runs made of a run."""
    return lambda run_id: [new for source, new in flowservice.retriggers if source == run_id]


@pytest.fixture(scope="module")
def cases(request, airflow, flowservice, new_runs):
    """The cases asked for, which run at the same time, after their stopped processes have been continued."""

    def begin(mode, pause, until):
        source = flowservice.add_run(flowservice.add_flow())
        goes_on = until == "the retry waits"
        flowservice.plan(source, ["inProgress"] if goes_on else ["inProgress", "success"])
        conf = {"run_id": source, "points": PAUSES[pause]}
        return Case(source, airflow.trigger(f"frozen_{mode}", conf), PAUSES[pause])

    cases = {}
    for name in _asked_for(request.session.items):
        # One after the other: on a small machine many that start at once miss their heartbeats.
        case = cases[name] = begin(*name)
        wait_until(lambda case=case: case.frozen(airflow), 120, f"{case} is stopped")
    tasks, workers = [], []
    for (_, _, until), case in cases.items():
        wait_until(lambda case=case: new_runs(case.source_run_id), 240, f"{case} is retried")
        if until == "the DAG run has ended":
            case.run.wait()
        frozen = case.frozen(airflow)
        assert len(frozen) == len(case.points), case
        tasks += [task for task, _ in frozen]
        workers += [worker for _, worker in frozen]
    assert {each.status() for each in (*tasks, *workers)} == {psutil.STATUS_STOPPED}
    assert len({*workers}) == len(tasks)

    for each in (*tasks, *workers):
        each.send_signal(signal.SIGCONT)
    _, alive = psutil.wait_procs(tasks, timeout=90)
    assert not alive
    for case in cases.values():
        for new_run_id in new_runs(case.source_run_id):
            flowservice.script(new_run_id, ["success"])
    return cases


def _asked_for(items):
    """Return the names of the cases whose tests are to run, or of all if there is only the test of all."""
    ours = [item for item in items if item.path == Path(__file__) and hasattr(item, "callspec")]
    return [item.callspec.params["name"] for item in ours] or [each.values[0] for each in ALL]


@pytest.mark.parametrize("name", ALL)
def test_a_task_that_was_paused_leaves_one_retrigger_and_ends_in_success(cases, new_runs, name):
    case = cases[name]

    assert case.run.wait(60) == "success", case.run.states()
    logs = [case.run.log(TASK, number + 1) for number in range(len(case.points) + 1)]
    assert len(new_runs(case.source_run_id)) == 1, "\n---\n".join(logs)
    assert case.run.xcom(TASK) == new_runs(case.source_run_id)[0]
    assert case.run.task(TASK)["try_number"] > len(case.points)


def test_no_pause_leads_to_a_second_run(cases, new_runs, tell):
    numbers = {name: len(new_runs(case.source_run_id)) for name, case in cases.items()}
    doubled = [name for name, number in numbers.items() if number > 1]
    logs = [
        case.run.log(TASK, number)
        for case in cases.values()
        for number in range(1, len(case.points) + 1)
    ]
    held_up = sum("was held up" in log for log in logs)
    tell(
        f"{len(cases)} tasks, {len(logs)} paused tries, {held_up} of which found themselves held up: "
        f"{sum(numbers.values())} re-triggers, {len(doubled)} doubled."
    )
    assert doubled == []
