"""What to do about a re-trigger that an earlier try may have begun: each row of the table."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_flowservice._exactly_once.candidates import (
    Candidates,
    find_candidates,
    had_ended,
)
from airflow_provider_flowservice._exactly_once.decisions import (
    Decision,
    Record,
    Try,
    after_check,
    after_read,
    after_search,
    among_siblings,
    begin,
)
from airflow_provider_flowservice._exactly_once.siblings import Claim
from airflow_provider_flowservice.runs import DataflowRun

WINDOW, OTHER_WINDOW = (0, 100), (100, 200)
FIRST, RETRY, CLEARED = Try(1, 2, 2), Try(2, 2, 2), Try(4, 5, 2)
RETRY_AFTER_CLEAR, HELD_UP = Try(5, 5, 2), Try(1, 2, 2, was_held_up=True)
INTENT = Record("source", "source", max_tries=2, requested_ms=1000)
SENT = INTENT.with_run("new", max_tries=2)
SUCCESSOR = replace(INTENT, target_run_id="new", known_run_ids=("new",))


def run(run_id="new", status="inProgress", **facts):
    return DataflowRun(run_id, "flow", status, created_at=2000, **facts)


SOURCE = run("source", "failed", window=WINDOW)


def row(name, decision, action, run_id=""):
    return pytest.param(decision, (action, run_id), id=name)


def matching(*runs):
    return Candidates(matching=runs)


BEGIN = [
    row("no try has begun", begin(None, "source", FIRST, True), "send", "source"),
    row("a try crashed before the intent", begin(None, "source", RETRY, True), "settle", "source"),
    row("a retry without a store", begin(None, "source", RETRY, False), "search"),
    row("a first try without a store", begin(None, "source", FIRST, False), "send", "source"),
    row("a test of the task", begin(None, "source", Try(0, 0, 0), False), "send", "source"),
    row("held up, without a store", begin(None, "source", HELD_UP, False), "search"),
    row("held up, with a store", begin(None, "source", HELD_UP, True), "send", "source"),
    row("a Clear without a store", begin(None, "source", CLEARED, False), "settle", "source"),
    row("a Clear, nothing stored", begin(None, "source", CLEARED, True), "settle", "source"),
    row("a retry after a Clear", begin(None, "source", RETRY_AFTER_CLEAR, True), "search"),
    row("a Clear, a record of another run", begin(SENT, "other", CLEARED, True), "send", "other"),
    row("a retry, store illegible", begin(None, "source", RETRY, True, False), "search"),
    row(
        "a Clear, store illegible",
        begin(None, "source", CLEARED, True, False),
        "settle",
        "source",
    ),
    row("a record of another run", begin(SENT, "other", RETRY, True), "send", "other"),
    row("an intent", begin(INTENT, "source", RETRY, True), "search"),
    row("an intent, cleared", begin(INTENT, "source", CLEARED, True), "search"),
    row("a new run", begin(SENT, "source", RETRY, True), "read", "new"),
    row("a new run, cleared", begin(SENT, "source", CLEARED, True), "read", "new"),
]


def look(seen, this_try=RETRY, is_settled=True, record=SENT):
    return after_read(record, seen, SOURCE, this_try, is_settled)


FOUND = replace(SENT, is_certain=False)
LOOK = [
    row("not shown", look(None), "reattach", "new"),
    row("not shown yet, cleared", look(None, CLEARED, False), "reattach", "new"),
    row("gone, cleared", look(None, CLEARED), "send", "source"),
    row("under way", look(run()), "reattach", "new"),
    row("under way, cleared", look(run(), CLEARED), "reattach", "new"),
    row("unknown status", look(run(status="odd")), "reattach", "new"),
    row("failed", look(run(status="failed")), "send", "new"),
    row("failed, cleared", look(run(status="failed"), CLEARED), "send", "new"),
    row("succeeded", look(run(status="success")), "return", "new"),
    row("succeeded, cleared", look(run(status="success"), CLEARED), "send", "source"),
    row("in part", look(run(status="partialSuccess")), "return", "new"),
    row("in part, cleared", look(run(status="partialSuccess"), CLEARED), "send", "source"),
    row("found, same window", look(run(window=WINDOW), record=FOUND), "reattach", "new"),
    row("found, other window", look(run(window=OTHER_WINDOW), record=FOUND), "search"),
    row("named, other window", look(run(window=OTHER_WINDOW)), "reattach", "new"),
]


def search(candidates, has_record, this_try=RETRY):
    return after_search(candidates, "source", this_try, has_record)


A, B = run("a"), run("b")
FAILED, NEWER = run("f", "failed"), replace(run("g", "failed"), created_at=3000)
DONE = run("d", "success", window=WINDOW)
SEARCH = [
    row("none", search(matching(), True), "send", "source"),
    row("one", search(matching(A), True), "adopt", "a"),
    row("one that failed", search(matching(FAILED), True), "adopt", "f"),
    row("one that succeeded", search(matching(DONE), True), "adopt", "d"),
    row("one, and a doubtful one", search(Candidates((A,), (B,)), True), "adopt", "a"),
    row("several", search(matching(A, B), True), "stop"),
    row("a doubtful one", search(Candidates((), (B,)), True), "stop"),
    row("no record: none", search(matching(), False), "send", "source"),
    row("no record: one", search(matching(A), False), "adopt", "a"),
    row("no record: one not failed", search(matching(FAILED, A), False), "adopt", "a"),
    row("no record: one succeeded", search(matching(DONE), False), "adopt", "d"),
    row("no record: failed ones", search(matching(FAILED, NEWER), False), "send", "g"),
    row("no record: several", search(matching(A, DONE), False), "stop"),
    row("no record: doubtful", search(Candidates((FAILED,), (B,)), False), "stop"),
    row("no record: ended, cleared", search(matching(DONE), False, RETRY_AFTER_CLEAR), "stop"),
    row("no record: one, cleared", search(matching(A), False, RETRY_AFTER_CLEAR), "adopt", "a"),
]


def check(*runs, doubtful=(), done_before=(), shared=()):
    found = Candidates(runs, doubtful, frozenset(shared))
    return after_check(found, SOURCE, done_before, {"ours"})


SAME = run("s", window=WINDOW)
EMPTY = run("e", "success", window=WINDOW, input_records=0)
CHECK = [
    row("nobody", check(), "send", "source"),
    row("same window under way", check(SAME), "adopt", "s"),
    row("same window loaded", check(DONE), "adopt", "d"),
    row("same window loaded before a Clear", check(DONE, done_before="d"), "send", "source"),
    row("same window, nothing loaded", check(EMPTY), "send", "source"),
    row("same window failed", check(FAILED), "send", "source"),
    row("own client, no window yet", check(A), "stop"),
    row("other client, no window yet", check(doubtful=(A,)), "send", "source"),
    row("of a sibling, no window yet", check(A, shared="a"), "adopt", "a"),
    row("of a sibling, failed", check(FAILED, shared="f"), "send", "source"),
]


def claim(map_index, state="asks", **facts):
    return Claim("source", "flow", WINDOW, map_index, 2, 1000, state, **facts)


def beside(*others, mine="asks", known=()):
    return among_siblings(claim(5, mine), others, known)


OVER = claim(1, "over", new_run_id="new")
LATER = replace(OVER, map_index=2, new_run_id="newer", asked_ms=2000)
BEFORE_CLEAR = replace(OVER, max_tries=1)
AFTER_CLEAR = replace(OVER, max_tries=3)
SIBLINGS = [
    row("nobody", beside(), "send"),
    row("one has the new run", beside(OVER), "adopt", "new"),
    row("two have", beside(LATER, OVER), "adopt", "newer"),
    row("one has the run that failed", beside(OVER, known={"new"}), "send"),
    row("one had it before a Clear", beside(BEFORE_CLEAR), "send"),
    row("one has been cleared", beside(AFTER_CLEAR), "adopt", "new"),
    row("one has it, another asks", beside(claim(1), LATER), "adopt", "newer"),
    row("one has failed", beside(claim(1, "over")), "send"),
    row("one before asks", beside(claim(1)), "yield"),
    row("one after asks", beside(claim(9)), "wait"),
    row("one before and one after ask", beside(claim(1), claim(9)), "yield"),
    row("others yield", beside(claim(1, "yields"), claim(9, "yields")), "send"),
    row("yielded, one before asks", beside(claim(1), mine="yields"), "wait"),
    row("yielded, one after asks", beside(claim(9), mine="yields"), "ask"),
    row("yielded, nobody asks", beside(claim(1, "over"), mine="yields"), "ask"),
]


@pytest.mark.parametrize(("decision", "expected"), BEGIN)
def test_begins_from_what_is_stored(decision, expected):
    assert (decision.action, decision.run_id) == expected


@pytest.mark.parametrize(("decision", "expected"), LOOK)
def test_looks_at_the_stored_run(decision, expected):
    assert (decision.action, decision.run_id) == expected


@pytest.mark.parametrize(("decision", "expected"), SEARCH)
def test_searches_for_the_run_of_an_earlier_request(decision, expected):
    assert (decision.action, decision.run_id) == expected


@pytest.mark.parametrize(("decision", "expected"), CHECK)
def test_checks_for_somebody_elses_request_before_each_request(decision, expected):
    assert (decision.action, decision.run_id) == expected


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"created_client": "ours"}, "this connection's own client created it at 1970-01-01 00:00"),
        ({"created_client": "theirs"}, "the client theirs created it"),
        ({}, "a client that the service does not show created it"),
        ({"created_at": None}, "created it at an unknown time"),
        ({"status": "success"}, "requests another run"),
        ({"status": "inProgress"}, "requests another run once this one has ended"),
    ],
)
def test_says_who_has_retriggered_the_run_already(facts, text):
    assert text in check(replace(SAME, **facts)).reason


@pytest.mark.parametrize(("decision", "expected"), SIBLINGS)
def test_one_of_those_for_the_same_data_has_its_turn(decision, expected):
    assert (decision.action, decision.run_id) == expected


def steps(claims, nexts, number):
    """Let one of several requests take its next step: to publish, to read and decide, or to send."""
    mine, step = claims[number], nexts[number]
    if step == "send":
        mine, step = replace(mine, state="over", new_run_id="new"), "end"
    elif step in ("asks", "yields"):
        mine, step = replace(mine or claim(number), state=step), "read"
    elif step == "read":
        others = [other for other in claims if other and other != mine]
        action = among_siblings(mine, others, ()).action
        follows = {"yield": "yields", "ask": "asks", "wait": "read", "adopt": "end"}
        if action == "adopt":
            mine = replace(mine, state="over")
        step = follows.get(action, action)
    return (
        (*claims[:number], mine, *claims[number + 1 :]),
        (*nexts[:number], step, *nexts[number + 1 :]),
    )


@pytest.mark.parametrize("number", [2, 3, 4])
def test_in_no_order_of_their_steps_do_two_requests_send(number):
    begin_state = ((None,) * number, ("asks",) * number)
    reached, waiting, came_from = {begin_state}, [begin_state], {}
    while waiting:
        state = waiting.pop()
        claims, nexts = state
        sent = [c for c in claims if c and c.new_run_id]
        assert nexts.count("send") + len(sent) <= 1
        for each in range(number):
            after = steps(claims, nexts, each)
            came_from.setdefault(after, set()).add(state)
            if after not in reached:
                reached.add(after)
                waiting.append(after)
    # And from all of them it goes on to the end, in which one has sent.
    ends = [s for s in reached if set(s[1]) == {"end"}]
    assert ends
    assert all(sum(bool(c.new_run_id) for c in claims) == 1 for claims, _ in ends)
    can_end, waiting = set(ends), list(ends)
    while waiting:
        for state in came_from.get(waiting.pop(), ()):
            if state not in can_end:
                can_end.add(state)
                waiting.append(state)
    assert can_end == reached


@pytest.mark.parametrize(
    ("this_try", "is_automatic_retry", "is_cleared"),
    [
        (Try(0, 0, 0), False, False),
        (Try(0, 3, 3), False, False),
        (Try(1, 0, 0), False, False),
        (Try(1, 3, 3), False, False),
        (Try(2, 3, 3), True, False),
        (Try(2, 4, 3), False, True),  # cleared after its first try
        (Try(3, 4, 3), True, True),
        (Try(5, 4, 0), False, True),  # cleared, and has no retries
        (Try(2, 1, 3), True, False),  # the author has allowed more retries in between
        (Try(2, 5, 1), True, True),  # or fewer
    ],
)
def test_a_retry_is_told_from_a_clear(this_try, is_automatic_retry, is_cleared):
    assert this_try.is_automatic_retry == is_automatic_retry
    assert this_try.is_cleared == is_cleared


def candidates(*runs, target=SOURCE, known=()):
    found = find_candidates(runs, target, 1500, {"ours"}, known)
    return [r.run_id for r in found.matching], [r.run_id for r in found.doubtful]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (run("x", created_client="ours"), (["x"], [])),
        (run("x"), (["x"], [])),
        (run("x", created_client="theirs"), ([], ["x"])),
        (run("x", "failed", created_client="theirs"), ([], [])),
        (run("x", created_client="theirs", window=WINDOW), (["x"], [])),
        (run("x", created_client="ours", window=OTHER_WINDOW), ([], [])),
        (run("x", created_client="ours", window=(1, 101), is_window_asked=True), (["x"], [])),
        (run("x", created_client="ours", window=OTHER_WINDOW, is_window_asked=True), ([], [])),
        (replace(run("x"), created_at=1499), ([], [])),
        (replace(run("x"), created_at=1500), (["x"], [])),
        (replace(run("x"), created_at=None), (["x"], [])),
        (SOURCE, ([], [])),
    ],
)
def test_a_candidate_is_of_our_client_or_shows_the_window(seen, expected):
    assert candidates(seen) == expected


@pytest.mark.parametrize(
    ("facts", "is_before"),
    [
        ({"status": "success", "completed_at": 2999}, True),
        ({"status": "success", "completed_at": 3000}, False),
        ({"status": "success"}, False),
        ({"status": "inProgress", "completed_at": 2999}, False),
    ],
)
def test_only_a_run_that_shows_its_end_had_ended_before(facts, is_before):
    assert had_ended(run(**facts), 3000) is is_before


def test_a_run_whose_origin_is_known_is_no_candidate():
    assert candidates(run("x"), known={"x"}) == ([], [])


def test_a_run_of_a_sibling_for_the_same_data_is_a_candidate():
    theirs = run("x", "failed", created_client="theirs")

    found = find_candidates([theirs], SOURCE, 1500, {"ours"}, (), shared_run_ids={"x"})

    assert found.matching == (theirs,)


def test_a_source_without_a_window_leaves_only_the_client():
    ours = run("x", created_client="ours", window=OTHER_WINDOW)

    assert candidates(ours, target=replace(SOURCE, window=None)) == (["x"], [])


@pytest.mark.parametrize("record", [INTENT, SENT, SUCCESSOR, FOUND])
def test_a_record_survives_the_store(record):
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(json_values, st.sampled_from(sorted(INTENT.to_json())))
def test_a_malformed_record_is_none_or_a_record_that_can_be_stored_again(value, field_name):
    record = Record.from_json({**SENT.to_json(), field_name: value})

    assert Record.from_json(value) is None
    assert record is None or Record.from_json(record.to_json()) == record


# Sequences of crashes, with nothing but the decisions and a service made of values.

CRASHES = ("before the intent", "after the intent", "lost before", "acted", "in the wait", "none")


@dataclass
class World:
    """A service that shows runs at once, and a store that may not be there."""

    has_store: bool
    runs: list[DataflowRun] = field(default_factory=list)
    record: Record | None = None
    requests: int = 0

    def seen(self, known=()):
        return find_candidates(self.runs, SOURCE, 0, {"ours"}, known)

    def send(self, target, this_try, crash):
        """Do as the engine does around a request."""
        if crash == "before the intent":
            return
        known = self.record.known_run_ids if self.record else ()
        earlier = tuple(r.run_id for r in self.seen(known).all)
        intent = Record("source", target, this_try.max_tries, 0, None, True, known, earlier)
        self.remember(intent)
        if crash in ("after the intent", "lost before"):
            return
        self.requests += 1
        new = replace(run(f"new{self.requests}"), created_at=2000 + self.requests)
        self.runs.append(replace(new, created_client="ours"))
        if crash != "acted":
            self.remember(intent.with_run(new.run_id, this_try.max_tries))

    def remember(self, record):
        self.record = record if self.has_store else None

    def decide(self, this_try) -> Decision:
        decision = begin(self.record, "source", this_try, self.has_store)
        if decision.action == "read":
            (seen,) = [r for r in self.runs if r.run_id == decision.run_id]
            return after_read(self.record, seen, SOURCE, this_try, True)
        if decision.action == "search":
            record = self.record
            known = (*record.known_run_ids, *record.earlier_run_ids) if record else ()
            target = record.target_run_id if record else "source"
            return after_search(self.seen(known), target, this_try, record is not None)
        return decision

    def end_runs(self, status):
        self.runs = [r if r.is_terminal else replace(r, status=status) for r in self.runs]


@given(
    st.booleans(),
    st.lists(
        st.tuples(st.sampled_from(CRASHES), st.sampled_from(["inProgress", "failed", "success"])),
        min_size=1,
        max_size=8,
    ),
)
def test_no_sequence_of_crashes_sends_twice_what_has_not_failed(has_store, tries):
    world = World(has_store)

    for number, (crash, what_runs_do) in enumerate(tries, start=1):
        decision = world.decide(Try(number, 20, 20))
        if decision.action in ("send", "settle"):
            world.send(decision.run_id, Try(number, 20, 20), crash)
        elif decision.action in ("adopt", "reattach", "return"):
            record = world.record or INTENT
            world.remember(record.with_run(decision.run_id, 20))
        world.end_runs(what_runs_do)

        alive = [r for r in world.runs if not r.is_failed]
        assert len(alive) <= 1
        assert decision.action != "stop"


@given(
    st.booleans(),
    st.lists(st.sampled_from(CRASHES), max_size=6),
    st.sampled_from(["failed", "success"]),
)
def test_after_any_crashes_one_good_try_has_the_newest_run(has_store, crashes, what_runs_do):
    world = World(has_store)
    for number, crash in enumerate(crashes, start=1):
        this_try = Try(number, 20, 20)
        decision = world.decide(this_try)
        if decision.action in ("send", "settle"):
            world.send(decision.run_id, this_try, crash)

    last = Try(len(crashes) + 1, 20, 20)
    world.end_runs(what_runs_do)
    decision = world.decide(last)
    if decision.action in ("send", "settle"):
        world.send(decision.run_id, last, "none")
        assert world.runs[-1].status == "inProgress"
    else:
        assert decision.run_id == world.runs[-1].run_id
