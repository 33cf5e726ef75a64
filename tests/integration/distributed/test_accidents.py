"""
Re-triggers in flight while parts of a distributed Airflow die: each succeeds, and none is doubled.

Eight tasks wait in workers and eight are deferred. ``make test`` runs one of the accidents,
``make test-distributed`` all of them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from airflow_provider_flowservice.emulator import FlowServiceEmulator
from integration.airflow_api import ENDED, Run, wait_until
from integration.distributed.celery_airflow import TRIGGERERS, WORKERS, CeleryAirflow
from integration.polls import first_polls

pytestmark = pytest.mark.timeout(900)  # the first test boots Airflow

TASK = "retrigger"
# Each with the state in which a task waits.
MODES = {"worker": "running", "deferred": "deferred"}
IN_FLIGHT = 8
POLL_SECONDS = 10  # as in the DAGs
AWAY_SECONDS = 25
# What Airflow takes to notice that a task or a trigger has lost its process, and to start it anew.
TAKEOVER_SECONDS = 90


@dataclass(frozen=True)
class Accident:
    """
    What happens.

    :param happen: Lets it happen, and returns the components it has killed when things are back.
    :param may_die: Components that Airflow itself lets die by it, and that a supervisor starts again.
    """

    happen: Callable[[CeleryAirflow, FlowServiceEmulator], Sequence[str]]
    may_die: frozenset[str] = frozenset()


def killed(*components):
    """Return the accident that kills components, which start again at once."""

    def happen(airflow, flowservice):
        for component in components:
            airflow.kill(component)
        airflow.start_all()
        return components

    return Accident(happen)


def busier_killed(*kinds):
    """Return the accident that kills the one of two that has more work, and leaves the rest to the other."""

    def happen(airflow, flowservice):
        components = [max(kind, key=airflow.work_of) for kind in kinds]
        for component in components:
            airflow.kill(component)
        return components

    return Accident(happen)


def redis_restarts(airflow, flowservice):
    airflow.redis.stop()
    airflow.redis.start()
    return []


def postgres_restarts(airflow, flowservice):
    airflow.database.stop()
    time.sleep(3)
    airflow.database.start()
    return []


def service_is_away(airflow, flowservice):
    flowservice.stop()
    time.sleep(AWAY_SECONDS)
    flowservice.start()
    return []


ACCIDENTS = {
    "one worker killed": busier_killed(WORKERS),
    "both workers killed": killed(*WORKERS),
    "one triggerer killed": busier_killed(TRIGGERERS),
    "both triggerers killed": killed(*TRIGGERERS),
    "one worker and one triggerer killed": busier_killed(WORKERS, TRIGGERERS),
    "scheduler killed": killed("scheduler"),
    "API server killed": killed("api-server"),
    "Redis killed": Accident(redis_restarts),
    "PostgreSQL stopped at once": Accident(
        postgres_restarts, frozenset({"scheduler", "dag-processor", *TRIGGERERS})
    ),
    "service away for 25 s": Accident(service_is_away),
}
IN_EVERY_TEST_RUN = {"one worker and one triggerer killed"}


@dataclass
class Flight:
    """
    The tasks of one mode, in one DAG run.

    :param sources: The failed runs that they re-trigger.
    """

    mode: str
    run: Run
    sources: list[str]
    service: FlowServiceEmulator

    def new_runs(self) -> list[str]:
        """Return the runs that were made of the failed ones."""
        return [new for source, new in self.service.retriggers if source in self.sources]

    def is_retriggered(self) -> bool:
        """Return whether each run has been re-triggered."""
        return len(self.new_runs()) >= IN_FLIGHT

    def first_polls(self, since: float) -> dict[str, float]:
        """Return when each new run was polled first since a time, for those that were."""
        return first_polls(self.service, self.new_runs(), since)

    def is_polled(self, since: float) -> bool:
        """Return whether each new run has been polled since a time."""
        return len(self.first_polls(since)) == IN_FLIGHT

    def has_ended(self) -> bool:
        """Return whether the DAG run has."""
        return self.run.state in ENDED

    def tasks(self) -> list[dict[str, Any]]:
        """Return the tasks, as Airflow's API has them."""
        return [task for task in self.run.tasks() if task["task_id"] == TASK]


def let_succeed(flowservice, flights):
    """Let the service load everything."""
    for flight in flights:
        for run_id in flight.new_runs():
            flowservice.script(run_id, ["success"])


@pytest.fixture
def flights(airflow, flowservice):
    """The tasks of each mode, once all of them wait."""
    flights = []
    for mode in MODES:
        sources = [flowservice.add_run(flowservice.add_flow()) for _ in range(IN_FLIGHT)]
        for source in sources:
            flowservice.plan(source, ["inProgress"])
        run = airflow.trigger(f"chaos_{mode}", {"run_ids": sources})
        flights.append(Flight(mode, run, sources, flowservice))
    for flight in flights:
        wait_until(flight.is_retriggered, 120, "all are re-triggered")
        for index in range(IN_FLIGHT):
            flight.run.wait_for_task(TASK, MODES[flight.mode], map_index=index, timeout=120)
    began_at = time.time()
    for flight in flights:
        wait_until(partial(flight.is_polled, began_at), 120, "all are polled")
    yield flights
    let_succeed(flowservice, flights)  # also after a failure, so that no worker stays occupied


@pytest.fixture
def wait_for(airflow):
    """Return a function that waits, and meanwhile starts again what Airflow lets die."""
    revived = []

    def wait_for(condition, seconds, what):
        def holds():
            revived.extend(airflow.revive())
            return condition()

        return wait_until(holds, seconds, what)

    wait_for.revived = revived
    yield wait_for
    airflow.start_all()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in IN_EVERY_TEST_RUN else pytest.mark.distributed)
        for name in ACCIDENTS
    ],
)
def test_what_is_in_flight_succeeds_with_one_retrigger_each(
    airflow, flowservice, flights, wait_for, tell, name
):
    work = {component: airflow.work_of(component) for component in (*WORKERS, *TRIGGERERS)}
    assert sum(work[each] for each in WORKERS) == IN_FLIGHT
    assert sum(work[each] for each in TRIGGERERS) >= IN_FLIGHT  # or logs of waits are still open
    accident = ACCIDENTS[name]
    dead = {*accident.happen(airflow, flowservice)}
    wait_for(partial(airflow.are_healthy, time.time()), 120, "all is up again")
    back_at = time.time()
    assert {*wait_for.revived} <= accident.may_die
    dead |= {*wait_for.revived}
    lost = {
        mode: min(IN_FLIGHT, sum(work[each] for each in dead & {*kind}))
        for mode, kind in {"worker": WORKERS, "deferred": TRIGGERERS}.items()
    }

    seconds = {}
    for flight in flights:
        takeover = TAKEOVER_SECONDS if lost[flight.mode] else 0
        polled = partial(flight.is_polled, back_at)
        wait_for(polled, 2 * POLL_SECONDS + takeover, f"{flight.mode}: all runs are polled again")
        seconds[flight.mode] = max(flight.first_polls(back_at).values()) - back_at
    let_succeed(flowservice, flights)
    for flight in flights:
        wait_for(flight.has_ended, 240, f"{flight.mode}: the DAG run has ended")

    tasks = {flight.mode: flight.tasks() for flight in flights}
    states = Counter(task["state"] for each in tasks.values() for task in each)
    again = {mode: sum(task["try_number"] > 1 for task in each) for mode, each in tasks.items()}
    sources = [source for flight in flights for source in flight.sources]
    ours = {*sources, *(new for flight in flights for new in flight.new_runs())}
    times = Counter(source for source, _ in flowservice.retriggers if source in ours)
    doubled = sum(number > 1 for number in times.values())
    after = {mode: f"{taken:.0f} s" for mode, taken in seconds.items()}
    cells = [name, _each(lost), _each(again), states["success"], doubled, _each(after)]
    tell(
        f"| {' | '.join(map(str, cells))} |"
    )  # a row of the table in docs/explanation/exactly-once.md
    assert times == dict.fromkeys(sources, 1)
    assert states == {"success": len(sources)}
    assert again["worker"] >= lost["worker"]
    assert {*wait_for.revived} <= accident.may_die


def _each(of_mode):
    return " / ".join(str(of_mode[mode]) for mode in MODES)
