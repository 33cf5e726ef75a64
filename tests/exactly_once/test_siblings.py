"""Requests beside one another: those for the same data are one, and others leave each other alone."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_flowservice._exactly_once.siblings import Claim, Siblings
from airflow_provider_flowservice.emulator import Fault, Lifecycle
from airflow_provider_flowservice.exceptions import FlowServiceError, RetriggerAmbiguousError
from helpers.crashing import Crash, Points
from helpers.engine import HOUR_MS, MappedTaskInstance, Starting, Task, new_runs
from helpers.fake_clock import OwnTime

with_and_without_store = pytest.mark.parametrize(
    "has_store", [True, False], ids=["store", "no store"]
)
WINDOW, OTHER_WINDOW = (1_000, 2_000), (2_000, 3_000)
same_or_alike = pytest.mark.parametrize("kind", ["[A, A]", "[A, B]", "starts"])


def add_failed_run(service, clock, flow_id, window=WINDOW):
    """Add a run that failed an hour ago, and may not show its window."""
    created_at = round(clock() * 1000) - HOUR_MS
    without = {"metrics": {"statusSummary": {"status": "failed"}}, "activities": []}
    shown = {} if window else without
    return service.add_run(flow_id, "failed", created_at=created_at, window=window, **shown)


@pytest.fixture
def mapped(service, hook, clock):
    """Return a function that makes the tasks of one mapping, one for each run."""

    def tasks(run_ids, has_store=True):
        mapping = []
        return [Task(hook, clock, r, has_store, ti=MappedTaskInstance(mapping)) for r in run_ids]

    return tasks


@pytest.fixture
def two(service, clock, mapped):
    """Return a function that makes two tasks of one mapping for the same data."""

    def tasks(kind="[A, A]", has_store=True, number=2):
        if kind == "starts":
            return mapped([Starting(service, clock)] * number, has_store)
        flow_id = service.add_flow()
        first = add_failed_run(service, clock, flow_id)
        run_ids = [first] * number
        if kind == "[A, B]":
            run_ids[1] = add_failed_run(service, clock, flow_id)
        return mapped(run_ids, has_store)

    return tasks


def sent(service, *tasks):
    """Return the new runs of all requests that were sent for the tasks' runs."""
    if isinstance(tasks[0].wish, Starting):
        return [run_id for _, run_id in tasks[0].wish.requests()]
    sources = dict.fromkeys(task.wish for task in tasks)
    return [run_id for source in sources for run_id in new_runs(service, source)]


# One after the other


@with_and_without_store
@same_or_alike
def test_the_second_goes_on_with_the_new_run_of_the_first(service, two, kind, has_store):
    first, second = two(kind, has_store)
    service.new_run_hidden_for = 10

    new_run_ids = [task.try_once().run_id for task in (first, second)]

    assert sent(service, first, second) == [new_run_ids[0]]
    assert new_run_ids[1] == new_run_ids[0]


@pytest.mark.parametrize("windows", [(WINDOW, OTHER_WINDOW), (None, None), (WINDOW, None)])
def test_other_and_unknown_windows_are_other_requests(service, clock, mapped, windows):
    flow_id = service.add_flow()
    tasks = mapped([add_failed_run(service, clock, flow_id, window) for window in windows])

    new_run_ids = [task.try_once().run_id for task in tasks]

    assert len(set(new_run_ids)) == 2
    assert sent(service, *tasks) == new_run_ids


def test_the_same_window_of_another_flow_is_another_request(service, clock, mapped):
    tasks = mapped([add_failed_run(service, clock, service.add_flow()) for _ in range(2)])

    assert len({task.try_once().run_id for task in tasks}) == 2


@with_and_without_store
def test_a_lost_response_is_not_taken_for_the_run_of_another_request(
    service, clock, mapped, has_store
):
    flow_id = service.add_flow()
    windows = [(number, number + 1) for number in range(3)]
    run_ids = [add_failed_run(service, clock, flow_id, window) for window in windows]
    for task in mapped(run_ids, has_store):
        service.fail(Fault("POST /runs", kind="close_after"))

        assert new_runs(service, task.wish) == []
        new_run_id = task.try_once().run_id

        assert new_runs(service, task.wish) == [new_run_id]


@with_and_without_store
def test_after_a_failed_run_the_retries_share_the_next_one(service, clock, two, has_store):
    first, second = two(has_store=has_store)
    service.plan(first.wish, ["failed"])
    failed = {first.try_once().run_id, second.try_once().run_id}
    clock.sleep(100)

    new_run_ids = {first.try_once().run_id, second.try_once().run_id}

    assert len(failed) == len(new_run_ids) == 1
    assert sent(service, first) == [*failed, *new_run_ids]


@with_and_without_store
def test_cleared_together_they_do_it_again_once(service, clock, two, has_store):
    tasks = two(has_store=has_store)
    before = {task.try_once().run_id for task in tasks}
    clock.sleep(100)
    for task in tasks:
        task.clear()

    after = []
    for task in tasks:
        after.append(task.try_once().run_id)
        clock.sleep(100)

    assert sent(service, *tasks) == [*before, after[0]]
    assert after[1] == after[0]


@with_and_without_store
def test_cleared_alone_one_does_it_again(service, clock, two, has_store):
    first, second = two(has_store=has_store)
    before = [first.try_once().run_id, second.try_once().run_id]
    clock.sleep(100)
    second.clear()

    after = second.try_once().run_id

    assert after not in before
    assert sent(service, first) == [before[0], after]


def test_cleared_while_the_new_run_is_under_way_goes_on_with_it(service, two):
    first, second = two(has_store=False)
    service.plan(first.wish, Lifecycle(["inProgress", "success"], step_seconds=600))
    new_run_id = first.try_once().run_id
    second.clear()

    assert second.try_once().run_id == new_run_id
    assert sent(service, first) == [new_run_id]


# When one fails or is killed


def test_one_that_is_refused_lets_the_other_go_on_at_once(service, clock, two):
    first, second = two()
    service.fail(Fault("POST /runs", status=400, body={"message": "no"}))
    with pytest.raises(FlowServiceError, match="400"):
        first.try_once()
    before = clock()

    new_run_id = second.try_once().run_id

    assert sent(service, first) == [new_run_id]
    assert clock() == before


def test_an_error_is_not_lost_although_the_others_cannot_be_told(service, two, caplog):
    first, _ = two()
    service.fail(Fault("POST /runs", status=400, body={"message": "no"}))

    class NoSecondPush(Points):
        def pass_by(self, name):
            super().pass_by(name)
            if self.passed.count("before xcom_push") == 2:
                raise ConnectionError("Airflow is away.")

    with pytest.raises(FlowServiceError, match="400"):
        first.try_once(NoSecondPush())

    assert "Cannot tell the other tasks that this one has failed." in caplog.text
    assert sent(service, first) == []


@pytest.mark.once
@with_and_without_store
@pytest.mark.parametrize("is_first_killed", [True, False])
@same_or_alike
def test_one_killed_anywhere_leaves_one_new_run_to_both(
    service, two, kind, is_first_killed, has_store
):
    points = Points()
    two(kind, has_store)[0].try_once(points)
    calls = ("before retrigger_run", "before start_run")
    assert sum(map(points.passed.count, calls)) == 1
    assert points.passed.count("before xcom_push") == 2
    for number, name in enumerate(points.passed):
        tasks = two(kind, has_store)
        killed, other = tasks if is_first_killed else reversed(tasks)
        service.new_run_hidden_for = 40
        with pytest.raises(Crash):
            killed.try_once(Points(number))

        new_run_ids = {other.try_once().run_id, killed.try_once().run_id}

        assert sent(service, *tasks) == list(new_run_ids), name


def test_one_killed_is_waited_for_until_it_would_have_sent(service, clock, two):
    first, second = two()
    with pytest.raises(Crash):
        first.try_once(Points("before retrigger_run"))
    before = clock()

    new_run_id = second.try_once().run_id

    assert sent(service, first) == [new_run_id]
    # Three times what a search settles in, a request, and a check that settles.
    assert 3 * 105 + 120 <= clock() - before <= 4 * 105 + 120 + 10


def test_many_that_wait_for_a_dead_one_go_on_one_by_one(service, two):
    dead, *tasks = two(number=4)
    with pytest.raises(Crash):
        dead.try_once(Points("before retrigger_run"))

    assert len({retriggered.run_id for retriggered in at_once(tasks, "")}) == 1
    assert len(sent(service, dead)) == 1


def test_a_run_that_a_dead_one_may_have_begun_is_not_doubled(service, two):
    first, second = two()
    service.plan(first.wish, Lifecycle(["inProgress", "success"], step_seconds=10_000))
    with pytest.raises(Crash):
        first.try_once(Points("after retrigger_run"))

    with pytest.raises(RetriggerAmbiguousError):
        second.try_once()

    new_run_id = first.try_once().run_id
    assert second.try_once().run_id == new_run_id
    assert sent(service, first) == [new_run_id]


def test_one_that_failed_with_its_request_in_doubt_is_waited_for(service, two):
    first, second = two()
    service.fail(Fault("POST /runs", kind="close_after"))
    service.fail(Fault("GET /runs$", status=503, body="", after=1))  # in the search for its run
    service.new_run_hidden_for = 50
    with pytest.raises(FlowServiceError, match="503"):
        first.try_once()
    assert len(sent(service, first)) == 1

    new_run_ids = {second.try_once().run_id, first.try_once().run_id}

    assert sent(service, first) == list(new_run_ids)


def test_a_request_of_a_dead_one_that_was_held_up_for_minutes_is_waited_for(service, two):
    first, second = two()
    service.plan(first.wish, ["success"])
    service.new_run_hidden_for = 330
    with pytest.raises(Crash):
        first.try_once(Points("after retrigger_run"))

    new_run_id = second.try_once().run_id

    assert sent(service, first) == [new_run_id]


def test_a_claim_that_goes_while_it_is_waited_for_may_have_been_sent(service, two):
    """Airflow clears the XComs of a task when its next try begins."""
    first, second = two()
    service.plan(first.wish, ["success"])
    service.new_run_hidden_for = 50
    with pytest.raises(Crash):
        first.try_once(Points("after retrigger_run"))

    class NextTry(Points):
        def pass_by(self, name):
            super().pass_by(name)
            if self.passed.count("before xcom_pull") == 3:
                first.ti.xcoms.clear()

    new_run_id = second.try_once(NextTry()).run_id

    assert sent(service, first) == [new_run_id]


# At the same time


class Steps(Points):
    """
    The steps of tasks that run at the same time, in a given order.

    :param order: Whose turn the first steps are; later ones go round.
    """

    def __init__(self, names, order):
        super().__init__()
        self._names = list(names)
        self._order = list(order)
        self._changed = threading.Condition()
        self.taken = []

    def of(self, name):
        return StepsOfOne(self, name)

    def begin(self, name):
        with self._changed:
            assert self._changed.wait_for(lambda: self._next() == name, 60)

    def end(self, name, has_ended=False):
        with self._changed:
            if has_ended:
                self._names.remove(name)
            elif self._order:
                self._order.pop(0)
            else:
                self._names.append(self._names.pop(0))
            self._changed.notify_all()

    def _next(self):
        while self._order and self._order[0] not in self._names:
            self._order.pop(0)
        return (self._order or self._names)[0]


class StepsOfOne(Points):
    """The steps of one task: what others may see, or what shows it the others."""

    NAMES = ("xcom_push", "xcom_pull", "list_runs", "retrigger_run", "start_run")

    def __init__(self, steps, name):
        super().__init__()
        self._steps = steps
        self._name = name

    def pass_by(self, name):
        when, call = name.split()
        if call in self.NAMES:
            (self._steps.begin if when == "before" else self._steps.end)(self._name)


def at_once(tasks, order):
    """Run one try of each task at the same time, step by step in an order, and return their ends."""
    names = "ABCD"[: len(tasks)]
    steps = Steps(names, order)

    def run(task, name):
        task.clock = OwnTime(task.clock)
        try:
            return task.try_once(steps.of(name))
        finally:
            steps.end(name, has_ended=True)

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks, names))


def orders(steps):
    """Return all orders in which two tasks can take their first steps."""
    for places in itertools.combinations(range(2 * steps), steps):
        yield "".join("A" if place in places else "B" for place in range(2 * steps))


@same_or_alike
@pytest.mark.once
def test_two_at_once_send_one_request_whatever_the_order_of_their_steps(service, two, kind):
    service.new_run_hidden_for = 10
    for order in orders(4 if kind == "[A, B]" else 5):
        tasks = two(kind)

        new_run_ids = {retriggered.run_id for retriggered in at_once(tasks, order)}

        assert sent(service, *tasks) == list(new_run_ids), order


def test_four_at_once_send_one_request(service, two):
    for order in ("", "ABCD", "DCBA", "AABBCCDD", "DDCCBBAA", "BADC" * 3, "DDDABCABC"):
        tasks = two(number=4)

        new_run_ids = {retriggered.run_id for retriggered in at_once(tasks, order)}

        assert sent(service, *tasks) == list(new_run_ids), order


def test_others_at_once_do_not_wait_for_each_other(service, clock, mapped):
    flow_id = service.add_flow()
    run_ids = [add_failed_run(service, clock, flow_id, w) for w in (WINDOW, OTHER_WINDOW)]
    tasks = mapped(run_ids)

    new_run_ids = [retriggered.run_id for retriggered in at_once(tasks, "")]

    assert len(set(new_run_ids)) == 2
    assert sent(service, *tasks) == new_run_ids


def test_a_claim_survives_xcom():
    ti = MappedTaskInstance(mapping := [])
    claim = Claim("a", "f", WINDOW, 0, 1, 2, "over", "n", False, ("m", "n"))
    Siblings(ti).publish(claim)

    other = Siblings(MappedTaskInstance(mapping))

    assert other.others(Claim("b", "f", None, 1, 1, 2)) == [claim]
    assert other.others(Claim("b", "g", None, 1, 1, 2)) == []
