"""The engine against the emulator: exactly one re-trigger, whatever crashes and whatever is lost."""

from __future__ import annotations

import logging
import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from airflow_provider_flowservice._exactly_once.journal import STORE_KEY
from airflow_provider_flowservice._exactly_once.search import check_adopted
from airflow_provider_flowservice.emulator import Fault, Lifecycle
from airflow_provider_flowservice.exceptions import (
    FlowServiceAnswerError,
    FlowServiceError,
    RetriggerAmbiguousError,
)
from helpers.crashing import STORE_CALLS, Crash, Points
from helpers.engine import RETRIES, Retriggering, Starting, Task, hook_with
from helpers.fake_clock import FakeClock
from helpers.state_store import StateStore

SEQUENCES = 510
with_and_without_store = pytest.mark.parametrize(
    "has_store", [True, False], ids=["store", "no store"]
)


WISHES = {"re-trigger": Retriggering, "start": Starting}


@pytest.fixture(params=WISHES)
def wish(request, service, clock):
    """What the task is to do; each test is about both."""
    return WISHES[request.param](service, clock)


@pytest.fixture
def task(hook, clock, wish, has_store):
    return Task(hook, clock, wish, has_store)


def is_request(seen):
    return seen.method == "POST" and "/runs" in seen.path


def runs_of(wish):
    """Return all runs that requests have led to."""
    return [new for _, new in wish.requests()]


def status(service, run_id):
    return service.run(run_id)["metrics"]["statusSummary"]["status"]


LOST = {
    "hung up before it acted": Fault("POST /runs", kind="close_before"),
    "acted and hung up": Fault("POST /runs", kind="close_after"),
    "acted and broke off": Fault("POST /runs", kind="truncated"),
    "a gateway's 502": Fault("POST /runs", status=502, body="<html>"),
    "a gateway's 504": Fault("POST /runs", status=504, body=""),
}


@with_and_without_store
@pytest.mark.parametrize("hidden_for", [0, 50])
@pytest.mark.parametrize("how", LOST)
def test_a_lost_answer_is_looked_for_until_it_would_have_turned_up(
    service, task, wish, how, hidden_for
):
    service.fail(LOST[how])
    service.new_run_hidden_for = hidden_for

    retriggered = task.try_once()

    assert runs_of(wish) == [retriggered.run_id]
    assert retriggered.is_sent


@with_and_without_store
def test_a_run_that_shows_no_flow_is_not_retriggered(service, hook, clock, has_store):
    wish = Retriggering(service, clock)
    task = Task(hook, clock, wish, has_store)
    bare = {"id": wish.run_id, "metrics": {"statusSummary": {"status": "failed"}}}
    service.fail(Fault(f"GET /runs/{wish.run_id}", status=200, body={"items": [bare]}, times=None))

    with pytest.raises(FlowServiceAnswerError, match="shows no flow"):
        task.try_once()

    assert runs_of(wish) == []


@with_and_without_store
@pytest.mark.parametrize("answer", ["same_id", "no_id", "empty"])
def test_an_answer_that_names_no_new_run_is_as_good_as_lost(service, task, wish, answer):
    service.retrigger_answer = answer
    service.start_answer = "no_id" if answer == "same_id" else answer

    retriggered = task.try_once()

    assert runs_of(wish) == [retriggered.run_id]


def points_of_a_first_try(task):
    points = Points()
    task.try_once(points)
    return points.passed


@with_and_without_store
def test_a_crash_at_each_point_leaves_one_run(service, hook, clock, wish, has_store):
    passed = points_of_a_first_try(Task(hook, clock, wish, has_store))
    assert passed.count(f"before {wish.call}") == 1
    for number in range(len(passed)):
        another = type(wish)(service, clock)
        task = Task(hook, clock, another, has_store)

        with pytest.raises(Crash):
            task.try_once(Points(number))
        retriggered = task.try_once()

        assert runs_of(another) == [retriggered.run_id], passed[number]


@with_and_without_store
def test_a_refusal_leaves_nothing_behind(service, task, wish):
    service.fail(Fault("POST /runs", status=400, body={"message": "no"}))

    with pytest.raises(FlowServiceError, match="400"):
        task.try_once()

    assert task.state.values == {}
    assert task.try_once().run_id == runs_of(wish)[0]


@with_and_without_store
def test_a_retry_after_a_failure_sends_another_request_and_keeps_the_history(
    service, task, wish, clock
):
    service.plan(wish.flow_id, ["inProgress", "failed"])
    first = task.try_once().run_id
    clock.sleep(100)

    second = task.try_once()

    assert runs_of(wish) == [first, second.run_id]
    if isinstance(wish, Retriggering):
        # Not the source again: whether one run may be re-triggered twice is not documented.
        assert [about for about, _ in wish.requests()] == [wish.run_id, first]
    assert second.known_run_ids == (first, second.run_id)


@pytest.mark.parametrize("has_store", [True])
def test_a_crash_before_the_request_for_a_failed_successor_is_made_good(service, task, wish, clock):
    service.plan(wish.flow_id, ["inProgress", "failed"])
    first = task.try_once().run_id
    clock.sleep(100)
    with pytest.raises(Crash):
        task.try_once(Points("after set"))

    second = task.try_once()

    assert runs_of(wish) == [first, second.run_id]


@with_and_without_store
def test_a_clear_after_a_success_sends_the_same_request_again(service, task, wish, clock):
    first = task.try_once().run_id
    clock.sleep(100)
    task.clear()

    second = task.try_once().run_id

    (about, _), (again, _) = wish.requests()
    assert about == again
    assert runs_of(wish) == [first, second]


@pytest.mark.parametrize("has_store", [True])
def test_a_clear_in_the_wait_goes_on_with_the_run(service, task, wish):
    first = task.try_once().run_id
    task.clear()

    assert task.try_once().run_id == first
    assert runs_of(wish) == [first]


@pytest.mark.parametrize("has_store", [True])
@pytest.mark.parametrize("value", ["rubbish", 7, [], {}, {"source_run_id": 1}])
def test_a_malformed_record_is_searched_for_and_replaced(service, task, wish, value):
    first = task.try_once().run_id
    task.state.set(STORE_KEY, value)

    assert task.try_once().run_id == first
    assert runs_of(wish) == [first]
    assert task.state.get(STORE_KEY)["new_run_id"] == first


class GoneStore(StateStore):
    """The store of a try that Airflow has given up while its process still runs."""

    def set(self, key, value, *, retention=None):
        raise RuntimeError("Task instance not found")


@pytest.mark.parametrize("has_store", [True])
def test_a_try_that_cannot_store_its_intent_sends_nothing(service, task, wish):
    task.state = GoneStore()

    with pytest.raises(RuntimeError, match="not found"):
        task.try_once()

    assert runs_of(wish) == []


@with_and_without_store
def test_the_second_dag_run_finds_the_new_run_of_the_first(
    service, hook, clock, wish, has_store, caplog
):
    first = Task(hook, clock, wish, has_store).try_once()
    clock.sleep(100)

    second = Task(hook, clock, wish, has_store).try_once()

    assert second.run_id == first.run_id
    assert runs_of(wish) == [first.run_id]
    assert (first.is_sent, second.is_sent) == (True, False)
    created_at = hook.get_run(first.run_id).summary["created_at"][:19].replace("T", " ")
    assert f"this connection's own client created it at {created_at} UTC" in caplog.text
    told = "a Clear of the task requests another run. This try has sent nothing."
    assert told in caplog.text


@with_and_without_store
def test_the_second_dag_run_fails_closed_while_it_cannot_tell(service, hook, clock, has_store):
    wish = Retriggering(service, clock)
    service.plan(wish.flow_id, Lifecycle(["inProgress", "success"], step_seconds=600))
    first = Task(hook, clock, wish, has_store).try_once().run_id
    second = Task(hook, clock, wish, has_store)

    with pytest.raises(RetriggerAmbiguousError, match=f"activity/{first}.*adopt_run_id") as caught:
        second.try_once()

    assert caught.value.candidates == (first,)
    assert runs_of(wish) == [first]
    clock.sleep(700)
    assert second.try_once().run_id == first


@with_and_without_store
@pytest.mark.parametrize("skew", [-50 * 60, 50 * 60])
def test_a_clock_that_is_wrong_by_most_of_an_hour_hides_no_run(
    service, hook, clock, wish, has_store, skew
):
    wrong = FakeClock(clock() + skew)
    task = Task(hook, wrong, wish, has_store=has_store)
    service.fail(Fault("POST /runs", kind="close_after"))

    retriggered = task.try_once()

    assert runs_of(wish) == [retriggered.run_id]


@pytest.mark.parametrize("has_store", [True])
def test_a_request_held_up_for_minutes_is_not_sent_again_before_things_settle(
    service, task, wish, clock
):
    service.on_request(lambda seen: clock.sleep(300) if seen.method == "POST" else None)
    service.fail(Fault("POST /runs", kind="close_after"))
    service.new_run_hidden_for = 340

    retriggered = task.try_once()

    assert runs_of(wish) == [retriggered.run_id]
    service.on_request(lambda seen: None)


@pytest.mark.parametrize("has_store", [True])
def test_a_run_taken_for_the_new_one_is_given_back_once_it_shows_another_window(
    service, hook, task, wish, clock
):
    service.on_demand_window = "metrics"
    stranger = add_stranger(service, wish.flow_id, hook)
    service.fail(Fault("POST /runs", kind="close_before"))
    service.on_request(lambda seen: stranger() if seen.status == 0 else None)
    adopted = task.try_once()
    clock.sleep(100)

    assert runs_of(wish) == []
    with pytest.raises(RetriggerAmbiguousError, match="another window"):
        check_adopted(hook, hook.get_run(adopted.run_id), adopted.wanted)
    retriggered = task.try_once()
    assert runs_of(wish) == [retriggered.run_id]
    service.on_request(lambda seen: None)


def add_stranger(service, flow_id, hook):
    """A run of our client that another task has begun, and that shows its window in the end."""

    def add():
        run_id = service.add_run(flow_id, created_client=hook.settings.client_id, window=(1, 2))
        service.script(run_id, ["inProgress", "success"])

    return add


# A fence in time


class Meanwhile(Points):
    """
    Something else happens when a try passes a point.

    :param times: For how many of its passes it happens.
    """

    def __init__(self, point, happens, times=1):
        super().__init__()
        self._point, self._happens, self._left = point, happens, times

    def pass_by(self, name):
        super().pass_by(name)
        if name == self._point and self._left:
            self._left -= 1
            self._happens()


@with_and_without_store
@pytest.mark.parametrize("which", ["both clocks", "wall clock", "monotonic clock"])
@pytest.mark.parametrize(("seconds", "is_late"), [(10, False), (20, True)])
def test_a_decision_that_was_held_up_is_made_anew(
    service, hook, clock, wish, has_store, which, seconds, is_late, caplog
):
    mono = clock if which == "both clocks" else FakeClock()
    stopped = mono if which == "monotonic clock" else clock
    task = Task(hook, clock, wish, has_store, mono=mono, settle_time=0)

    retriggered = task.try_once(Meanwhile(f"before {wish.call}", lambda: stopped.sleep(seconds)))

    assert runs_of(wish) == [retriggered.run_id]
    assert retriggered.is_sent
    assert (f"held up for {seconds} s" in caplog.text) is is_late


@with_and_without_store
def test_a_pause_that_the_service_asked_for_counts(service, clock, wish, has_store, caplog):
    service.fail(Fault("POST /runs", status=429, headers={"Retry-After": "0"}))
    passes = iter([20])  # seconds, with the refusal
    service.on_request(lambda seen: clock.sleep(next(passes, 0)) if is_request(seen) else None)
    task = Task(hook_with(clock, retries=1), clock, wish, has_store, settle_time=0)

    retriggered = task.try_once()

    assert runs_of(wish) == [retriggered.run_id]
    assert "held up for 20 s" in caplog.text
    service.on_request(lambda seen: None)


@with_and_without_store
def test_a_try_that_was_stopped_goes_on_with_the_run_of_its_retry(
    service, hook, clock, wish, has_store
):
    service.new_run_hidden_for = 50
    task = Task(hook, clock, wish, has_store)
    retry = Task(hook, clock, wish, has_store, tries=1, state=task.state)

    def be_stopped():
        clock.sleep(120)
        retry.try_once()

    point = "after set" if has_store else "after list_runs"

    retriggered = task.try_once(Meanwhile(point, be_stopped))

    assert runs_of(wish) == [retriggered.run_id]
    assert not retriggered.is_sent


def test_a_try_that_airflow_has_given_up_sends_nothing(service, hook, clock, wish):
    class Superseded(StateStore):
        """Takes the intent, and nothing more: a retry has begun."""

        def get(self, key, default=None):
            return default

        def set(self, key, value, **kwargs):
            if self.writes:
                raise RuntimeError("Task instance not found")
            super().set(key, value, **kwargs)
            clock.sleep(300)

    task = Task(hook, clock, wish, has_store=True, state=Superseded())

    with pytest.raises(RuntimeError, match="not found"):
        task.try_once()

    assert runs_of(wish) == []


@with_and_without_store
def test_a_request_that_is_held_up_each_time_is_given_up(service, hook, clock, wish, has_store):
    task = Task(hook, clock, wish, has_store, settle_time=0)
    held_up = Meanwhile(f"before {wish.call}", lambda: clock.sleep(20), times=10**6)

    with pytest.raises(FlowServiceError, match="3 times the request was held up") as caught:
        task.try_once(held_up)

    assert "A retry of the task decides anew" in str(caught.value)
    assert caught.value.is_transient
    assert caught.value.sent == "no"
    assert runs_of(wish) == []


@with_and_without_store
def test_a_search_that_is_stopped_begins_anew(service, hook, clock, wish, has_store):
    service.fail(Fault("POST /runs", kind="close_before"))
    task = Task(hook, clock, wish, has_store)
    with pytest.raises(Crash):
        task.try_once(Points(f"before {wish.call}"))
    before = clock()

    retriggered = task.try_once(Meanwhile("after list_runs", lambda: clock.sleep(100), times=2))

    assert runs_of(wish) == [retriggered.run_id]
    # The last of the stops, from which on a retry settles: settle_time, the fence and a response.
    assert clock() - before >= 200 + 60 + 15 + 30


@with_and_without_store
@pytest.mark.parametrize("is_retry", [False, True])
def test_slow_listings_are_not_taken_for_stops(service, hook, clock, wish, has_store, is_retry):
    task = Task(hook, clock, wish, has_store)
    if is_retry:
        with pytest.raises(Crash):
            task.try_once(Points(f"before {wish.call}"))

    retriggered = task.try_once(Meanwhile("after list_runs", lambda: clock.sleep(40), times=10**6))

    assert runs_of(wish) == [retriggered.run_id]


@with_and_without_store
def test_a_search_that_is_held_up_again_and_again_ends(service, hook, clock, wish, has_store):
    task = Task(hook, clock, wish, has_store)
    with pytest.raises(Crash):
        task.try_once(Points(f"before {wish.call}" if has_store else "after list_runs"))

    slow = Meanwhile("after list_runs", lambda: clock.sleep(60), times=10**6)
    with pytest.raises(FlowServiceError, match="held up 4 times for more than 50 s") as caught:
        task.try_once(slow)

    assert caught.value.is_transient
    assert runs_of(wish) == []


@with_and_without_store
@pytest.mark.parametrize("hidden_for", [0, 50])
def test_a_clear_with_nothing_stored_waits_for_a_run_that_is_not_listed_yet(
    service, hook, clock, wish, has_store, hidden_for
):
    service.new_run_hidden_for = hidden_for
    task = Task(hook, clock, wish, has_store)
    first = task.try_once()
    task.clear()
    task.state.values.clear()  # as from Airflow 3.4 on

    second = task.try_once()

    assert runs_of(wish) == [first.run_id] == [second.run_id]
    assert not second.is_sent


# Random sequences


@dataclass
class Tally:
    sequences: int = 0
    tries: int = 0
    crashes: Counter = field(default_factory=Counter)
    lost_answers: int = 0
    stops: int = 0
    retriggers: int = 0
    duplicates: int = 0
    lost_runs: int = 0


def faults(rng):
    """Trouble with the request of one try."""
    if rng.random() < 0.5:
        return []
    fault = rng.choice(list(LOST.values()))
    if rng.random() < 0.2:
        fault = Fault("GET /runs", status=503, body="")
    return [fault]


def crash_point(rng, has_store, wish):
    """A point by its name, mostly; by its number it may be in the middle of a search."""
    if rng.random() < 0.25:
        return None
    if rng.random() < 0.25:
        return rng.randrange(16)
    hook_calls = ("get_run", "list_runs", wish.call)
    calls = (*hook_calls, *STORE_CALLS[:2]) if has_store else hook_calls
    names = [f"{when} {call}" for when in ("before", "after") for call in calls]
    return rng.choice([*names, "in the wait"])


def play(rng, service, hook, clock, has_store, tally):
    """Play one sequence until a try has come through, and count what is wrong at the end."""
    wish = rng.choice(list(WISHES.values()))(service, clock)
    flow_id = wish.flow_id
    failures = rng.choice([0, 0, 1, 2])
    bad, good = ["inProgress", "failed"], ["inProgress", "inProgress", "success"]
    service.plan(flow_id, *[bad] * failures, good)
    if rng.random() < 0.3:
        scheduled = service.add_run(flow_id)  # which another client has made
        service.script(scheduled, ["inProgress"] * rng.randrange(10) + ["success"])
    task = Task(hook, clock, wish, has_store, settle_time=10)
    ended = None
    while ended != "success" and task.tries < RETRIES:
        service.clear_faults()
        service.new_run_hidden_for = rng.choice([0, 0, 4, 9])
        points = Points()
        if task.tries < 4:
            points = Points(crash_point(rng, has_store, wish))
            for fault in faults(rng):
                service.fail(fault)
        ended = try_once(task, points, service, tally)
        clock.sleep(rng.choice([0, 1, 40, 200]))
    tally.sequences += 1
    tally.tries += task.tries
    runs = runs_of(wish)
    tally.retriggers += len(runs)
    tally.duplicates += len(runs) - 1 - failures
    tally.lost_runs += runs[-1:] != [task.result.run_id]


def try_once(task, points, service, tally):
    """Run a try with its wait; return the status it has seen at the end, if any."""
    try:
        task.result = task.try_once(points)
        task.clock.sleep(200)  # the wait
        points.pass_by("in the wait")
        return status(service, task.result.run_id)
    except Crash as crash:
        tally.crashes[str(crash)] += 1
    except RetriggerAmbiguousError:
        tally.stops += 1
    except FlowServiceError:
        tally.lost_answers += 1
    return None


@pytest.mark.once
@pytest.mark.timeout(300)  # seconds on a free machine
@with_and_without_store
def test_no_random_sequence_of_crashes_doubles_or_loses_a_run(
    service, direct_hook, clock, has_store, capsys, caplog
):
    caplog.set_level(logging.CRITICAL)
    rng, tally = random.Random(20261124), Tally()

    for _ in range(SEQUENCES):
        play(rng, service, direct_hook, clock, has_store, tally)

    with capsys.disabled():
        print(  # the figure is what it is about
            f"\n{'with' if has_store else 'without'} a store: {tally.sequences} sequences, "
            f"{tally.tries} tries, {tally.crashes.total()} crashes at {len(tally.crashes)} points, "
            f"{tally.stops} stops, {tally.retriggers} re-triggers and starts: "
            f"{tally.duplicates} duplicates, {tally.lost_runs} lost runs"
        )
    assert tally.duplicates == 0
    assert tally.lost_runs == 0
    assert len(tally.crashes) == (13 if has_store else 9)
