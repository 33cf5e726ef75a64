"""Many runs at once: their order, how many at a time, and when it makes no sense to go on."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict

import pytest

from airflow_provider_flowservice._exactly_once.bulk import Bulk
from airflow_provider_flowservice._exactly_once.engine import NewRun
from airflow_provider_flowservice._exactly_once.task_thread import TaskThread
from airflow_provider_flowservice.exceptions import (
    DataflowRunNotRetriggerableError,
    FlowServiceAnswerError,
    FlowServiceApiError,
    FlowServiceAuthError,
    FlowServiceConnectionError,
    FlowServiceThrottledError,
    FlowServiceUnavailableError,
    RetriggerAmbiguousError,
)
from helpers.crowd import Crowd

DOWN = FlowServiceUnavailableError("down", 503)
SILENT = FlowServiceConnectionError("no answer")
BUSY = FlowServiceThrottledError("too many", 429)
REFUSED = FlowServiceAuthError("refused", 403)
INELIGIBLE = DataflowRunNotRetriggerableError("it has not ended")
REJECTED = FlowServiceApiError("bad request", 400)
NO_ID = ValueError("no ID of a run")
NONSENSE = FlowServiceAnswerError("nonsense", 200)
UNCLEAR = RetriggerAmbiguousError("perhaps started")
GOOD = "good"


def new_run_of(run_id):
    return NewRun(f"new {run_id}", "flow", (), is_sent=run_id != "d")


class Service:
    """Re-triggers runs, or meets an error, and keeps what it was asked for."""

    def __init__(self, errors=()):
        self.asked = []
        self._errors = dict(errors)

    def retrigger(self, run_id):
        self.asked.append(run_id)
        if error := self._errors.get(run_id):
            raise error
        return new_run_of(run_id)


def bulk(retrigger, groups, concurrency=1):
    return Bulk(retrigger, TaskThread(), concurrency, logging.getLogger(__name__)).run(groups)


def outcomes_of(*met, groups=None):
    """Meet one thing after the other; return the outcomes, and how many runs were asked for."""
    run_ids = [f"r{number}" for number in range(len(met))]
    errors = {run_id: each for run_id, each in zip(run_ids, met, strict=True) if each != GOOD}
    service = Service(errors)
    records = bulk(service.retrigger, groups or [[run_id] for run_id in run_ids])
    return [records[run_id]["outcome"] for run_id in run_ids], len(service.asked)


# What is told


def record(run_id, outcome, new_run_id=None, sent=False, error=None):
    names = ("run_id", "outcome", "new_run_id", "sent", "error")
    return dict(zip(names, (run_id, outcome, new_run_id, sent, error), strict=True))


def test_every_run_of_every_group_is_told_of(caplog):
    caplog.set_level(logging.INFO)
    service = Service({"b": INELIGIBLE, "c": REJECTED})

    records = bulk(service.retrigger, [["a", "b"], [], ["c", "d"]], concurrency=4)

    assert records == {
        "a": record("a", "retriggered", new_run_id="new a", sent=True),
        "b": record("b", "ineligible", error="it has not ended"),
        "c": record("c", "failed", error="bad request"),
        "d": record("d", "retriggered", new_run_id="new d"),
    }
    assert "Dataflow run a is re-triggered as new a." in caplog.text
    assert "The new run of dataflow run d is new d; this try has sent nothing." in caplog.text


def test_without_runs_nothing_is_told():
    assert bulk(Service().retrigger, []) == {}


def test_a_run_that_is_not_tried_says_so_and_is_not_asked_for():
    service = Service({"a": REFUSED})

    records = bulk(service.retrigger, [["a", "b"], ["c"]])

    assert service.asked == ["a"]
    assert records["a"]["outcome"] == "failed"
    for run_id in ("b", "c"):
        record = records[run_id]
        assert (record["outcome"], record["new_run_id"]) == ("not_tried", None)
        assert "stopped before its turn" in record["error"]


# In which order


@pytest.mark.parametrize("concurrency", [1, 2, 8])
def test_the_runs_of_a_group_keep_their_order_and_are_never_at_work_at_once(concurrency):
    groups = [[f"{group}{number}" for number in range(10)] for group in "abcd"]
    asked, at_work, met = defaultdict(list), set(), []
    turn = threading.Event()

    def retrigger(run_id):
        group = run_id[0]
        met.append(group in at_work)
        at_work.add(group)
        asked[group].append(run_id)
        turn.wait(0.001)  # in which others may come
        at_work.remove(group)
        return new_run_of(run_id)

    bulk(retrigger, groups, concurrency)

    assert sorted(asked.values()) == groups
    assert not any(met)
    assert len(met) == 40


def test_groups_are_at_work_at_once():
    meeting = threading.Barrier(3)  # breaks unless three come together

    def retrigger(run_id):
        meeting.wait(10)
        return new_run_of(run_id)

    records = bulk(retrigger, [["a"], ["b"], ["c"]], concurrency=3)

    assert {record["outcome"] for record in records.values()} == {"retriggered"}


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_are_at_work_at_once_than_allowed(concurrency):
    crowd = Crowd(concurrency, 0.01)

    def retrigger(run_id):
        crowd.work()
        return new_run_of(run_id)

    bulk(retrigger, [[f"r{number}"] for number in range(20)], concurrency)

    assert max(crowd.sizes) == concurrency
    assert len(crowd.sizes) == 20


@pytest.mark.parametrize("error", [DOWN, INELIGIBLE, REJECTED, NO_ID])
def test_a_run_that_fails_leaves_the_next_of_its_group_alone(error):
    outcomes, _ = outcomes_of(error, GOOD, groups=[["r0", "r1"]])

    assert outcomes[1] == "retriggered"


# When it makes no sense to go on


@pytest.mark.parametrize(
    "met",
    [
        (REFUSED, GOOD, GOOD),
        (GOOD, REFUSED, GOOD, GOOD),
        (DOWN, REFUSED, GOOD),
    ],
)
def test_a_refused_credential_stops_the_bulk(met):
    outcomes, asked = outcomes_of(*met)

    assert asked == met.index(REFUSED) + 1
    assert outcomes[asked - 1] == "failed"
    assert set(outcomes[asked:]) == {"not_tried"}


@pytest.mark.parametrize(
    "troubles", [(DOWN, DOWN, DOWN), (SILENT, BUSY, DOWN)], ids=["alike", "of all kinds"]
)
@pytest.mark.parametrize("before", [(), (GOOD,), (DOWN, DOWN, GOOD)])
def test_three_troubles_in_a_row_stop_the_bulk(before, troubles):
    outcomes, asked = outcomes_of(*before, *troubles, GOOD, GOOD)

    assert asked == len(before) + 3
    assert outcomes[-5:] == [*["failed"] * 3, *["not_tried"] * 2]


@pytest.mark.parametrize(
    ("between", "outcome"),
    [
        (GOOD, "retriggered"),
        (INELIGIBLE, "ineligible"),
        (REJECTED, "failed"),
        (NONSENSE, "failed"),
        (UNCLEAR, "failed"),
        (NO_ID, "failed"),
    ],
)
def test_whatever_else_is_met_in_between_the_count_begins_anew(between, outcome):
    outcomes, asked = outcomes_of(DOWN, DOWN, between, DOWN, DOWN, GOOD)

    assert outcomes == ["failed", "failed", outcome, "failed", "failed", "retriggered"]
    assert asked == 6


@pytest.mark.parametrize("error", [INELIGIBLE, REJECTED, NONSENSE, UNCLEAR, NO_ID])
def test_what_is_wrong_with_single_runs_never_stops_the_bulk(error):
    outcomes, asked = outcomes_of(*[error] * 10, GOOD)

    assert outcomes[-1] == "retriggered"
    assert asked == 11


@pytest.mark.parametrize(
    ("met", "reason"),
    [
        ((REFUSED, GOOD), "the credential is refused"),
        ((DOWN, DOWN, DOWN, GOOD), "the service is unavailable"),
    ],
)
def test_why_it_stops_is_told_once(caplog, met, reason):
    outcomes_of(*met)

    assert caplog.text.count("No further run is re-triggered") == 1
    assert reason in caplog.text


def test_why_it_stops_is_told_once_though_several_runs_meet_it_at_once(caplog):
    meeting = threading.Barrier(4)

    def retrigger(run_id):
        meeting.wait(10)
        raise REFUSED

    bulk(retrigger, [["a"], ["b"], ["c"], ["d"]], concurrency=4)

    assert caplog.text.count("No further run is re-triggered") == 1


def test_an_error_that_nobody_expects_stops_the_bulk_and_is_raised():
    class Killed(BaseException):
        pass

    service = Service({"a": Killed()})

    with pytest.raises(Killed):
        bulk(service.retrigger, [["a", "b"], ["c"]])
    assert service.asked == ["a"]
