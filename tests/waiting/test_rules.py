"""The rules of a wait, on values alone: when to look at a run again, and when to stop."""

from __future__ import annotations

import json
from itertools import chain, islice, repeat

import pytest

from airflow_provider_flowservice._waiting.rules import (
    NotYet,
    WaitResult,
    WaitRules,
    WaitState,
    judge,
    wait_flow,
)
from airflow_provider_flowservice.exceptions import (
    FlowServiceAnswerError,
    FlowServiceApiError,
    FlowServiceAuthError,
    FlowServiceConnectionError,
    FlowServiceError,
    FlowServiceNotFoundError,
    FlowServiceThrottledError,
    FlowServiceUnavailableError,
)
from airflow_provider_flowservice.runs import DataflowRun
from helpers.fake_clock import FakeClock

NOW = 1_800_000_000.0
RULES = WaitRules(poll_interval=60, outage_timeout=1800, missing_grace=120)

GOES_ON = DataflowRun("r1", "f1", "inProgress")
SUCCESS = DataflowRun("r1", "f1", "success")
NOT_FOUND = FlowServiceNotFoundError("not there", 404)
NO_ANSWER = FlowServiceConnectionError("no answer")
REFUSED = FlowServiceAuthError("refused", 403)
REJECTED = FlowServiceApiError("bad request", 400)
PASSING = (
    NO_ANSWER,
    FlowServiceThrottledError("too many", 429),
    FlowServiceUnavailableError("down", 503),
    FlowServiceAnswerError("nonsense", 200),
)

each_passing_error = pytest.mark.parametrize("error", PASSING, ids=lambda error: str(error))


def rules(**changes):
    return WaitRules(
        **{"poll_interval": 60, "outage_timeout": 1800, "missing_grace": 120, **changes}
    )


def sight(answered=0.0, missing=None, run=GOES_ON):
    """What a wait remembers: when there was an answer, and since when the run is missing, in seconds ago."""
    return WaitState(NOW - answered, None if missing is None else NOW - missing, run)


def judged(before, seen, **changes):
    """Return what is remembered after a look, and the kind of the end if it is one."""
    after, result = judge("r1", before, seen, NOW, rules(**changes))
    return after, result.kind if result else None


def play(seen, first_poll=0.0, **changes):
    """Show a wait one thing after the other; return its delays and how it ended, if it did."""
    clock = FakeClock(NOW)
    flow = wait_flow("r1", rules(**changes), first_poll, clock)
    delays = [next(flow)]
    try:
        for each in islice(seen, 1000):  # a wait that does not end is to fail here
            clock.sleep(delays[-1])
            delays.append(flow.send(each))
    except StopIteration as end:
        return delays, end.value
    return delays, None


# One poll


def test_nothing_yet_is_contact_and_goes_on_until_the_deadline():
    lost = WaitState(NOW - 1700, None, None)

    state, result = judge("a success", lost, NotYet(), NOW, rules())
    _, late = judge("a success", lost, NotYet(), NOW, rules(deadline=NOW))

    assert (state, result) == (WaitState(NOW), None)
    assert late == WaitResult("late", "a success")


@pytest.mark.parametrize("status", ["success", "failed", "partialSuccess"])
def test_a_run_that_has_ended_ends_the_wait(status):
    run = DataflowRun("r1", "f1", status)

    assert judge("r1", sight(), run, NOW, RULES)[1] == WaitResult("ended", "r1", run)


@pytest.mark.parametrize("status", ["inProgress", "", "somethingNew"])
def test_a_run_that_has_not_ended_is_remembered_and_nothing_else(status):
    run = DataflowRun("r1", "f1", status)

    after, kind = judged(sight(answered=1700, missing=100), run)

    assert (after, kind) == (WaitState(contact_at=NOW, run=run), None)


@each_passing_error
def test_a_passing_error_changes_nothing_of_what_is_remembered(error):
    before = sight(answered=1799, missing=500)

    assert judged(before, error) == (before, None)


@each_passing_error
@pytest.mark.parametrize(
    ("answered", "outage_timeout", "kind"),
    [(1799, 1800, None), (1800, 1800, "lost"), (0, 0, "lost"), (0, 1, None)],
)
def test_sight_is_lost_after_so_long_without_an_answer(error, answered, outage_timeout, kind):
    assert judged(sight(answered), error, outage_timeout=outage_timeout)[1] == kind


def test_what_is_lost_is_told_as_it_was_last_seen():
    _, result = judge("r1", sight(answered=1800), NO_ANSWER, NOW, RULES)

    assert result == WaitResult("lost", "r1", GOES_ON, "no answer")


def test_a_refused_credential_ends_the_wait_at_once():
    _, result = judge("r1", sight(), REFUSED, NOW, RULES)

    assert result == WaitResult("refused", "r1", GOES_ON, "refused")


@pytest.mark.parametrize("deadline", [None, NOW - 1])
def test_an_error_that_waiting_does_not_mend_ends_the_wait_whatever_the_deadline(deadline):
    _, result = judge("r1", sight(), REJECTED, NOW, rules(deadline=deadline))

    assert result == WaitResult("error", "r1", GOES_ON, "bad request")
    assert result.error is REJECTED


@pytest.mark.parametrize(
    ("missing", "grace", "kind"),
    [
        (None, 120, None),
        (119, 120, None),
        (120, 120, "missing"),
        (None, 0, "missing"),
    ],
)
def test_a_run_is_missing_when_its_grace_is_over(missing, grace, kind):
    after, found = judged(sight(answered=500, missing=missing), NOT_FOUND, missing_grace=grace)

    assert found == kind
    assert after.missing_at == NOW - (missing or 0)
    assert after.contact_at == NOW  # it is an answer, too


@pytest.mark.parametrize(
    ("seen", "before", "kind"),
    [
        (SUCCESS, sight(), "ended"),
        (GOES_ON, sight(), "late"),
        (NO_ANSWER, sight(), "late"),
        (NO_ANSWER, sight(answered=1800), "lost"),
        (NOT_FOUND, sight(), "late"),
        (NOT_FOUND, sight(missing=120), "missing"),
        (REFUSED, sight(), "refused"),
    ],
)
def test_at_the_deadline_what_was_seen_tells_more_than_that_time_is_up(seen, before, kind):
    assert judged(before, seen, deadline=NOW)[1] == kind


@pytest.mark.parametrize(
    ("seen", "detail"), [(GOES_ON, ""), (NO_ANSWER, "no answer"), (NOT_FOUND, "not there")]
)
def test_a_wait_that_is_late_says_what_it_met_last(seen, detail):
    _, result = judge("r1", sight(), seen, NOW, rules(deadline=NOW))

    assert result == WaitResult("late", "r1", GOES_ON, detail)


def test_before_the_deadline_the_wait_goes_on():
    assert judged(sight(), GOES_ON, deadline=NOW + 0.001)[1] is None


# From look to look


@pytest.mark.parametrize("first_poll", [0.0, 7.0])
def test_the_first_look_comes_when_it_is_asked_for(first_poll):
    assert play([], first_poll) == ([first_poll], None)


@pytest.mark.parametrize(
    ("poll_interval", "delays"),
    [
        (60, [0, 5, 10, 20, 40, 60, 60]),
        (15, [0, 5, 10, 15, 15, 15, 15]),
        (5, [0, 5, 5, 5, 5, 5, 5]),
        (3, [0, 3, 3, 3, 3, 3, 3]),
        (0, [0, 0, 0, 0, 0, 0, 0]),
    ],
)
@pytest.mark.parametrize("seen", [GOES_ON, NO_ANSWER, NOT_FOUND], ids=["run", "error", "missing"])
def test_early_looks_double_up_to_the_poll_interval(seen, poll_interval, delays):
    assert play([seen] * 6, poll_interval=poll_interval, missing_grace=1000) == (delays, None)


@pytest.mark.parametrize("kind", [FlowServiceThrottledError, FlowServiceUnavailableError])
@pytest.mark.parametrize(
    ("wish", "outage_timeout", "delay"),
    [
        (None, 1800, 5),
        (1, 1800, 5),  # sooner than planned is no wish
        (90, 1800, 90),
        (900, 1800, 900),
        (901, 1800, 900),  # no more than half of what may pass without an answer
        (86_400, 1800, 900),
        (86_400, 100, 50),
        (86_400, 4, 5),
    ],
)
def test_a_wish_to_wait_is_met_up_to_half_the_patience(kind, wish, outage_timeout, delay):
    delays, _ = play([kind("busy", 503, retry_after=wish)], outage_timeout=outage_timeout)

    assert delays == [0, delay]


def test_after_a_wish_the_looks_go_on_in_their_rhythm():
    wish = FlowServiceThrottledError("too many", 429, retry_after=90)

    assert play([wish, GOES_ON, GOES_ON])[0] == [0, 90, 10, 20]


def test_a_wish_that_is_repeated_for_ever_is_no_wait_for_ever():
    wish = FlowServiceThrottledError("too many", 429, retry_after=86_400)

    delays, result = play(repeat(wish))

    assert result.kind == "lost"
    assert delays == [0, 900, 900]


def test_the_last_look_comes_at_the_deadline():
    delays, result = play(repeat(GOES_ON), deadline=NOW + 12)

    assert delays == [0, 5, 7]
    assert result.kind == "late"


def test_no_wish_to_wait_leads_beyond_the_deadline():
    wish = FlowServiceThrottledError("too many", 429, retry_after=90)

    delays, result = play(repeat(wish), deadline=NOW + 30)

    assert delays == [0, 30]
    assert (result.kind, result.detail) == ("late", "too many")


@pytest.mark.parametrize(("seen", "kind"), [(SUCCESS, "ended"), (GOES_ON, "late")])
def test_after_the_deadline_there_is_one_look(seen, kind):
    delays, result = play(repeat(seen), deadline=NOW - 100)

    assert (delays, result.kind) == ([0], kind)


@each_passing_error
def test_an_outage_is_sat_out_until_patience_ends_it(error):
    delays, result = play(chain([GOES_ON], repeat(error)))

    assert result == WaitResult("lost", "r1", GOES_ON, str(error))
    assert 1800 <= sum(delays) < 1800 + 60


@pytest.mark.parametrize("answer", [GOES_ON, NOT_FOUND], ids=["run", "missing"])
def test_each_answer_begins_patience_anew(answer):
    outage = [NO_ANSWER] * 29  # at a look a minute, nearly all of the outage_timeout

    delays, result = play([*outage, answer, *outage, SUCCESS])

    assert sum(delays) > 1.5 * 1800
    assert result == WaitResult("ended", "r1", SUCCESS)


def test_without_patience_the_first_error_ends_the_wait():
    delays, result = play([GOES_ON, NO_ANSWER, GOES_ON], outage_timeout=0)

    assert (delays, result.kind) == ([0, 5], "lost")


def test_a_run_that_never_shows_is_missing_after_its_grace():
    delays, result = play(repeat(NOT_FOUND))

    assert result == WaitResult("missing", "r1", None, "not there")
    assert delays == [0, 5, 10, 20, 40, 60]  # 120 seconds after the first look, and not before


def test_a_run_that_shows_late_is_waited_for():
    assert play([NOT_FOUND, NOT_FOUND, GOES_ON, SUCCESS])[1].kind == "ended"


@each_passing_error
def test_grace_that_an_outage_interrupts_keeps_its_start(error):
    delays, result = play([NOT_FOUND, *[error] * 20, NOT_FOUND, GOES_ON])

    assert result.kind == "missing"
    assert len(delays) == 22  # the first look after the outage was the last


def test_grace_begins_anew_when_the_run_was_seen_in_between():
    assert play([NOT_FOUND, *[GOES_ON] * 20, NOT_FOUND])[1] is None


def test_a_refused_credential_is_told_with_the_run_as_last_seen():
    assert play([GOES_ON, NO_ANSWER, REFUSED])[1] == WaitResult("refused", "r1", GOES_ON, "refused")


# As a trigger event


@pytest.mark.parametrize(
    "result",
    [
        WaitResult("ended", "r1", DataflowRun("r1", "f1", "success", output_records=7)),
        WaitResult("late", "r1", GOES_ON),
        WaitResult("lost", "r1", None, "no answer"),
    ],
    ids=lambda result: result.kind,
)
def test_a_result_comes_out_of_its_event_as_it_went_in(result):
    assert WaitResult.from_event(json.loads(json.dumps(result.to_event()))) == result


@pytest.mark.parametrize(
    "error",
    [
        FlowServiceApiError("no", 400, "FLOW-1-400", "request-1", 9.5, ("1-400", "2-400")),
        FlowServiceApiError("moved", 302, sent="no"),
        FlowServiceError("the connection is not complete"),
    ],
    ids=str,
)
def test_the_error_in_an_event_keeps_its_class_its_words_and_its_facts(error):
    event = json.loads(json.dumps(WaitResult("error", "r1", None, str(error), error).to_event()))

    carried = WaitResult.from_event(event).error

    assert (type(carried), str(carried), vars(carried)) == (type(error), str(error), vars(error))
