"""RetriggerDataflowRunsOperator against the emulator."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from airflow_provider_flowservice._compat import AirflowTaskTimeout
from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.exceptions import FlowServiceError
from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunsOperator
from helpers.crashing import STORE_CALLS, Crash, Crashing, Points
from helpers.state_store import StateStore
from helpers.support import TaskInstance, airflows_limit, context, run_to_the_end

MINUTE = 60_000


def operator(run_ids, **kwargs):
    hook_params = {"backoff": 0, "retries": 0, **kwargs.pop("hook_params", {})}
    kwargs = {"settle_time": 0, "retries": 3, "hook_params": hook_params, **kwargs}
    return RetriggerDataflowRunsOperator(task_id="bulk", run_ids=run_ids, **kwargs)


def execute(task, store=None, try_number=1, max_tries=3):
    """Run one try of the task; return its result or error, and what it says of each run."""
    task_context = context(ti=TaskInstance(try_number, max_tries), task_state_store=store)
    try:
        result = run_to_the_end(task, task_context)
    except (FlowServiceError, Crash) as error:
        result = error
    return result, task_context["ti"].xcoms.get("results")


@pytest.fixture
def failed_runs(flowservice):
    """Return a function that adds failed runs, some of each of some flows."""

    def add(flows, runs_per_flow=1):
        now = flowservice.now_ms()
        run_ids = []
        for number in range(flows):
            flow_id = flowservice.add_flow(f"flow {number}")
            for age in range(runs_per_flow, 0, -1):
                created_at = now - age * 60 * MINUTE
                run_ids.append(flowservice.add_run(flow_id, created_at=created_at))
        return run_ids

    return add


def outcomes(records):
    return [record["outcome"] for record in records]


def test_each_run_is_retriggered_once(flowservice, failed_runs):
    run_ids = failed_runs(flows=6, runs_per_flow=2)

    new_run_ids, records = execute(operator(run_ids), StateStore())

    new_of = dict(flowservice.retriggers)
    assert len(flowservice.retriggers) == len(new_of) == 12
    assert new_run_ids == [new_of[run_id] for run_id in run_ids]
    assert records == [
        {
            "run_id": run_id,
            "outcome": "retriggered",
            "new_run_id": new_of[run_id],
            "sent": True,
            "error": None,
        }
        for run_id in run_ids
    ]


def test_the_runs_of_a_flow_keep_their_order(flowservice, failed_runs):
    run_ids = failed_runs(flows=3, runs_per_flow=4)

    execute(operator(run_ids), StateStore())

    sources = [source for source, _ in flowservice.retriggers]
    for start in range(0, 12, 4):
        of_flow = run_ids[start : start + 4]
        assert [source for source in sources if source in of_flow] == of_flow


def test_no_more_at_once_than_allowed(flowservice, failed_runs):
    run_ids = failed_runs(flows=9)
    flowservice.fail(Fault("POST /runs/.*/action", kind="slow", delay=0.2, times=None))

    execute(operator(run_ids, concurrency=3), StateStore())

    began = [
        seen.at for seen in flowservice.requests if seen.method == "POST" and "runs" in seen.path
    ]
    assert len(began) == 9
    # Each takes 0.2 s, so of any four the last one begins after the first one has ended.
    assert all(fourth - first >= 0.2 for first, fourth in zip(began, began[3:], strict=False))
    assert any(second - first < 0.2 for first, second in itertools.pairwise(began))


def test_nothing_to_do(flowservice):
    assert execute(operator([])) == ([], [])
    assert flowservice.requests == []


def test_a_run_named_twice_is_retriggered_once(flowservice, failed_runs):
    (run_id,) = failed_runs(flows=1)

    new_run_ids, _ = execute(operator([run_id, run_id]), StateStore())

    assert len(new_run_ids) == len(flowservice.retriggers) == 1


@pytest.fixture
def alike(flowservice):
    """Three failed runs of one flow, the first two of one window."""
    flow_id = flowservice.add_flow()
    windows = [(1_000, 2_000), (1_000, 2_000), (2_000, 3_000)]
    return [flowservice.add_run(flow_id, window=window) for window in windows]


def test_runs_of_one_window_lead_to_one_new_run(flowservice, alike):
    a, b, c = alike
    flowservice.new_run_hidden_for = 60

    new_run_ids, records = execute(operator([a, b, c]), StateStore())

    assert [source for source, _ in flowservice.retriggers] == [a, c]
    new_of = dict(flowservice.retriggers)
    assert new_run_ids == [new_of[a], new_of[c]]
    assert [record["new_run_id"] for record in records] == [new_of[a], new_of[a], new_of[c]]
    assert outcomes(records) == ["retriggered"] * 3
    assert [record["sent"] for record in records] == [True, False, True]


@pytest.mark.parametrize("has_filter", [True, False])
def test_a_further_try_knows_the_runs_of_one_window(flowservice, alike, has_filter):
    a, b, c = alike
    store = StateStore()
    flowservice.new_run_hidden_for = 60
    execute(operator([a]), store)
    if not has_filter:
        flowservice.fail(Fault("GET /runs$", status=400, body={}))

    new_run_ids, _ = execute(operator([a, b, c]), store, try_number=2)

    new_of = dict(flowservice.retriggers)
    assert [source for source, _ in flowservice.retriggers] == [a, c]
    assert new_run_ids == [new_of[a], new_of[c]]


def test_a_further_try_needs_no_old_run_to_know_the_new_one(flowservice, failed_runs):
    (run_id,) = failed_runs(flows=1)
    store = StateStore()
    first, _ = execute(operator([run_id]), store)
    flowservice.fail(Fault("GET /runs", status=404, body={}, times=None))

    assert execute(operator([run_id]), store, try_number=2)[0] == first
    assert len(flowservice.retriggers) == 1


def test_a_run_that_fails_leaves_the_window_to_the_next(flowservice, alike):
    a, b, _ = alike
    flowservice.fail(Fault(f"POST /runs/{a}/action", status=400, body={"message": "no"}))

    _, records = execute(operator([a, b]), StateStore())

    assert outcomes(records) == ["failed", "retriggered"]
    assert [source for source, _ in flowservice.retriggers] == [b]


def test_text_is_not_taken_for_a_list(flowservice):
    with pytest.raises(ValueError, match="list of IDs"):
        operator("r1")


def test_what_fails_is_told_after_all_else_is_done(flowservice, failed_runs):
    good = failed_runs(flows=3)
    done = flowservice.add_run(flowservice.add_flow(), "success")

    error, records = execute(operator([good[0], "no-such-run", done, *good[1:]]), StateStore())

    assert isinstance(error, FlowServiceError)
    assert "Dataflow runs not re-triggered: 2 of 5." in str(error)
    assert outcomes(records) == ["retriggered", "failed", "ineligible", *["retriggered"] * 2]
    assert "no-such-run" in records[1]["error"]
    assert "succeeded and ingested" in records[2]["error"]
    assert len(flowservice.retriggers) == 3


def test_ineligible_runs_can_be_skipped(flowservice, failed_runs):
    good = failed_runs(flows=1)
    done = flowservice.add_run(flowservice.add_flow(), "success")

    new_run_ids, records = execute(operator([done, *good], on_ineligible="skip"), StateStore())

    assert new_run_ids == [flowservice.retriggers[0][1]]
    assert outcomes(records) == ["ineligible", "retriggered"]


def test_a_refused_credential_stops_the_bulk(flowservice, failed_runs, logged):
    run_ids = failed_runs(flows=20)
    flowservice.fail(Fault("POST /runs/.*/action", status=403, body={}, times=None))

    error, records = execute(operator(run_ids, concurrency=1), StateStore())

    assert "20 of 20" in str(error)
    assert outcomes(records) == ["failed", *["not_tried"] * 19]
    assert "the credential is refused" in logged()


def test_runs_that_cannot_be_looked_up_are_reported_each(flowservice, failed_runs):
    run_ids = failed_runs(flows=3)
    flowservice.fail(Fault("GET /runs", status=403, body={}, times=None))

    error, records = execute(operator(run_ids, concurrency=1), StateStore())

    assert "3 of 3" in str(error)
    assert outcomes(records) == ["failed", "not_tried", "not_tried"]
    assert flowservice.retriggers == []


def test_a_service_in_trouble_stops_the_bulk(flowservice, failed_runs, logged):
    run_ids = failed_runs(flows=20)
    flowservice.fail(Fault("GET /runs/.+", status=503, times=None))

    _, records = execute(operator(run_ids, concurrency=1), StateStore())

    assert outcomes(records) == [*["failed"] * 3, *["not_tried"] * 17]
    assert "the service is unavailable" in logged()


def test_a_single_trouble_does_not_stop_the_bulk(flowservice, failed_runs):
    run_ids = failed_runs(flows=6)
    flowservice.fail(Fault("GET /runs/.+", status=503, times=2))

    _, records = execute(operator(run_ids, concurrency=1), StateStore())

    assert outcomes(records) == ["failed", "failed", *["retriggered"] * 4]


def test_a_further_try_goes_on_with_what_is_left(flowservice, failed_runs):
    run_ids = failed_runs(flows=4, runs_per_flow=2)
    store = StateStore()
    flowservice.fail(Fault("GET /runs/.+", status=403, body={}, after=3))
    error, _ = execute(operator(run_ids, concurrency=1), store)
    first = len(flowservice.retriggers)

    new_run_ids, _ = execute(operator(run_ids), store, try_number=2)

    assert isinstance(error, FlowServiceError)
    assert 0 < first < 8
    new_of = dict(flowservice.retriggers)
    assert len(flowservice.retriggers) == len(new_of) == 8
    assert new_run_ids == [new_of[run_id] for run_id in run_ids]


def test_a_further_try_leaves_alone_what_has_failed_again_meanwhile(flowservice, failed_runs):
    run_ids = failed_runs(flows=2)
    for run_id in run_ids:
        flowservice.plan(run_id, ["failed"])
    store = StateStore()
    execute(operator(run_ids), store)

    execute(operator(run_ids), store, try_number=2)

    assert len(flowservice.retriggers) == 2


def test_a_lost_answer_is_looked_for(flowservice, failed_runs):
    run_ids = failed_runs(flows=3, runs_per_flow=2)
    flowservice.fail(Fault("POST /runs/.*/action", kind="close_after", times=3))

    new_run_ids, _ = execute(operator(run_ids), StateStore())

    new_of = dict(flowservice.retriggers)
    assert len(flowservice.retriggers) == 6
    assert new_run_ids == [new_of[run_id] for run_id in run_ids]


@pytest.mark.parametrize("runs_per_flow", [1, 3])
def test_a_crash_at_any_moment_doubles_and_loses_nothing(flowservice, failed_runs, runs_per_flow):
    crashes = 0
    for calls in range(100):
        run_ids = failed_runs(flows=3 // runs_per_flow, runs_per_flow=runs_per_flow)
        store, before = StateStore(), len(flowservice.retriggers)
        crashing = Crashing(store, Points(crash_at=calls), STORE_CALLS)
        result, _ = execute(operator(run_ids, concurrency=1), crashing)
        if not isinstance(result, Crash):
            break
        crashes += 1
        new_run_ids, _ = execute(operator(run_ids), store, try_number=2)

        made = flowservice.retriggers[before:]
        assert sorted(source for source, _ in made) == sorted(run_ids), calls
        assert new_run_ids == [dict(made)[run_id] for run_id in run_ids], calls
    assert crashes > 15


class OneThreadStore(StateStore):
    """Refuses calls from other threads than the task's, as `dag.test()` on Airflow 3.3 does."""

    def __init__(self):
        super().__init__()
        self._owner = threading.get_ident()

    def _check(self):
        if threading.get_ident() != self._owner:
            raise ImportError("cannot import name 'SUPERVISOR_COMMS'")

    def get(self, key, default=None):
        self._check()
        return super().get(key, default)

    def set(self, key, value, *, retention=None):
        self._check()
        super().set(key, value, retention=retention)

    def delete(self, key):
        self._check()
        super().delete(key)


def test_the_store_is_asked_in_the_tasks_own_thread(flowservice, failed_runs):
    run_ids, store = failed_runs(flows=5, runs_per_flow=2), OneThreadStore()
    flowservice.fail(Fault("POST /runs/.*/action", status=400, body={}))

    error, records = execute(operator(run_ids), store)
    new_run_ids, _ = execute(operator(run_ids), store, try_number=2)

    assert "1 of 10" in str(error)
    assert sorted(outcomes(records)) == ["failed", *["retriggered"] * 9]
    assert [dict(flowservice.retriggers)[run_id] for run_id in run_ids] == new_run_ids
    assert len(flowservice.retriggers) == 10


@pytest.mark.parametrize("killed_in", ["a request", "a call"])
def test_a_kill_stops_the_bulk_and_stores_what_is_on_its_way(flowservice, failed_runs, killed_in):
    run_ids, store = failed_runs(flows=2, runs_per_flow=5), OneThreadStore()
    if killed_in == "a request":
        flowservice.fail(Fault("POST /runs/.*/action", kind="slow", delay=1, times=None))
    else:
        save = store.set

        def slow_set(*args, **kwargs):
            if store.set == slow_set:  # the call is made again after the kill
                store.set = save
                time.sleep(5)
            save(*args, **kwargs)

        store.set = slow_set

    with pytest.raises(AirflowTaskTimeout), airflows_limit(0.5):
        run_to_the_end(operator(run_ids), context(ti=TaskInstance(1, 3), task_state_store=store))

    assert len(flowservice.retriggers) == 2
    stored = [value["new_run_id"] for value in store.values.values()]
    assert sorted(stored) == sorted(new for _, new in flowservice.retriggers)
    flowservice.clear_faults()
    execute(operator(run_ids), store, try_number=2)
    assert sorted(source for source, _ in flowservice.retriggers) == sorted(run_ids)


def test_a_kill_ends_a_search(flowservice, failed_runs):
    (run_id,) = failed_runs(flows=1)
    flowservice.fail(Fault("POST /runs/.*/action", kind="close_before"))
    store, began = StateStore(), time.monotonic()
    task_context = context(ti=TaskInstance(1, 3), task_state_store=store)

    with pytest.raises(AirflowTaskTimeout), airflows_limit(1):
        run_to_the_end(operator([run_id], settle_time=60), task_context)

    assert time.monotonic() - began < 20
    new_run_ids, _ = execute(operator([run_id]), store, try_number=2)
    assert flowservice.retriggers == [(run_id, *new_run_ids)]


def test_a_cleared_task_does_it_again(flowservice, failed_runs):
    run_ids = failed_runs(flows=2)
    for run_id in run_ids:
        flowservice.plan(run_id, ["success"])
    store = StateStore()
    first, _ = execute(operator(run_ids), store)

    second, _ = execute(operator(run_ids), store, try_number=2, max_tries=4)

    assert not set(first) & set(second)
    assert len(flowservice.retriggers) == 4
