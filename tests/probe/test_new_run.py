"""Findings about a re-trigger: what its answer proves, and what becomes of the new run."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice._probe.new_run import (
    Followed,
    Outcome,
    answer,
    findings,
    nothing_new,
    operation,
    other_op,
    outcome_of,
    second,
)
from airflow_provider_flowservice._probe.replies import Reply
from airflow_provider_flowservice.exceptions import FlowServiceAuthError, FlowServiceConnectionError
from helpers.replies import listed, refused, reply, run

STARTED = reply({"id": "new", "etag": '"e"'})
UNSENT = Reply("POST", None, FlowServiceConnectionError("no route", sent="no"))
LOST = Reply("POST", None, FlowServiceConnectionError("reset", sent="maybe"))
NO_TOKEN = Reply("POST", None, FlowServiceAuthError("expired", 400, sent="no"))
PLACE = "Look for it."


def by_text(code):
    """Make a refusal that wraps the error of the connector."""
    text = f"Error from flow provider: {code}"
    return reply(
        {"type": "https://ns.adobe.com/aep/errors/FLOW-1100-400", "errorMessage": text}, 400
    )


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (STARTED, "started"),
        (reply({"items": [{"id": "new"}]}, 201), "started"),
        (reply({"id": "OLD"}), "uncertain"),
        (reply({"etag": "e"}), "uncertain"),
        (reply(None), "uncertain"),
        (reply(None, text="<html>"), "uncertain"),
        (reply(None, 500), "uncertain"),
        (reply(None, 504, text="<html>"), "uncertain"),
        (reply(None, 503), "uncertain"),
        (reply(None, 408), "uncertain"),
        (reply(None, 404, text="<html>"), "uncertain"),
        (LOST, "uncertain"),
        (UNSENT, "unsent"),
        (NO_TOKEN, "unsent"),
        (refused("FLOW-1103-503", 503), "refused"),
        (reply(None, 429), "refused"),
        (refused("FLOW-1439-404", 404), "refused"),
        (refused("1387-400"), "refused"),
        (by_text("1388-400"), "refused"),
        (refused("FLOW-2118-403", 403), "refused"),
        (refused("1398-400"), "unknown"),
        (refused("FLOW-1401-400"), "unknown"),
        (refused("FLOW-1434-400"), "unknown"),
        (by_text("1437-400"), "unknown"),
        (refused("1398-400", 500), "uncertain"),
        (refused("1398-400", 403), "refused"),
        (by_text("1398-400 after 1388-400"), "refused"),
    ],
)
def test_only_a_refused_operation_allows_another_request(said, kind):
    assert outcome_of(said, "old").kind == kind


def test_the_other_spelling():
    assert (other_op("re-trigger"), other_op("RE_TRIGGER")) == ("RE_TRIGGER", "re-trigger")
    assert other_op("retry") == "RE_TRIGGER"


def tried(**replies):
    """Return what each spelling came to."""
    names = {"own": "re-trigger", "other": "RE_TRIGGER"}
    return {names[name]: (said, outcome_of(said, "old")) for name, said in replies.items()}


@pytest.mark.parametrize(
    ("tries", "verdict", "said"),
    [
        (tried(own=STARTED), "as assumed", "re-trigger is accepted"),
        (
            tried(own=refused("1398-400"), other=STARTED),
            "differs",
            'Set hook_params={"retrigger_op": "RE_TRIGGER"} of operators.',
        ),
        (tried(own=refused("1398-400"), other=refused("1398-400")), "differs", "Open an issue"),
        (
            tried(own=refused("1398-400"), other=LOST),
            "differs",
            "RE_TRIGGER: uncertain: no response: reset",
        ),
        (tried(own=refused("1388-400")), "not seen", "its flow is not enabled"),
        (tried(own=LOST), "not seen", "uncertain: no response: reset"),
        (tried(own=UNSENT), "not seen", "not sent: no response: no route"),
    ],
)
def test_operation(tries, verdict, said):
    finding = operation(tries)

    assert finding.verdict == verdict
    assert said in f"{finding.seen} {finding.advice}"


@pytest.mark.parametrize(
    ("said", "verdict", "advice"),
    [
        (STARTED, "as assumed", ""),
        (reply({"id": "new", "etag": "e"}, 201), "differs", "Nothing to set"),
        (reply({"items": [{"id": "new"}]}), "differs", "Nothing to set"),
        (reply(run("new")), "differs", "Nothing to set"),
        (LOST, "differs", "It was not sent again. Look for it."),
        (reply({"etag": "e"}), "differs", "Open an issue with this row. Operators search"),
        (refused("1387-400"), "not seen", ""),
        (UNSENT, "not seen", ""),
    ],
)
def test_answer(said, verdict, advice):
    finding = answer(said, outcome_of(said, "old"), PLACE)

    assert finding.verdict == verdict
    assert finding.advice.startswith(advice)


NEW = run("new", createdClient="me")
OLD = run("old", updatedAt=1)


def told(name, after=None, **seen):
    """Return one finding about a new run."""
    times = {"readable": 0.5, "found": 1.0, "listed": 2.0, "first": NEW, "last": NEW}
    followed = Followed(300.0, **{**times, **seen})
    found = {each.name: each for each in findings(followed, OLD, after or listed(OLD), {"me"})}
    assert len(found) == 7
    return found[name]


def test_a_new_run_as_assumed():
    names = ("readable", "first_status", "found", "listed", "names_old", "old_run", "new_client")

    assert {told(name).verdict for name in names} == {"as assumed"}
    assert [each.name for each in nothing_new("none")] == list(names)


@pytest.mark.parametrize(
    ("seconds", "verdict", "advice"),
    [
        (59.9, "as assumed", ""),
        (60.1, "differs", "Set settle_time=150 of operators"),
        (90.0, "differs", "Set settle_time=180 of operators"),
        (None, "differs", "Set settle_time=600 or more of operators"),
    ],
)
def test_the_settle_time_to_set(seconds, verdict, advice):
    finding = told("listed", listed=seconds)

    assert finding.verdict == verdict
    assert finding.advice.startswith(advice)


@pytest.mark.parametrize(
    ("name", "seen", "verdict", "said"),
    [
        ("readable", {"readable": 121.0}, "differs", "after 121 s"),
        ("readable", {"readable": None}, "differs", "not within 300 s"),
        ("readable", {"readable": None, "problems": {"readable": "HTTP 500"}}, "not seen", "500"),
        ("listed", {"listed": None, "problems": {"listed": "HTTP 400"}}, "not seen", "HTTP 400"),
        ("found", {"found": 9.0}, "differs", "after 9.0 s"),
        ("found", {"found": 9.0, "readable": 8.0}, "as assumed", "after 9.0 s"),
        ("found", {"found": None}, "differs", "not within 300 s"),
        ("found", {"found": None, "problems": {"found": "HTTP 400"}}, "not seen", "HTTP 400"),
        ("first_status", {"first": run("new", status="napping")}, "differs", "napping"),
        ("first_status", {"first": run("new", status="")}, "as assumed", "(none yet)"),
        ("first_status", {"first": None}, "not seen", "was not seen"),
        ("names_old", {"last": run("new", retryOf="old", x=["a/old"])}, "differs", "retryOf, x[]"),
        ("names_old", {"last": None}, "not seen", "was not seen"),
        ("new_client", {"last": run("new", createdClient="x")}, "differs", "another one"),
        ("new_client", {"last": run("new")}, "differs", "there is none"),
        ("new_client", {"last": None}, "not seen", "was not seen"),
        ("old_run", {"after": listed({**OLD, "updatedAt": 2})}, "differs", "changed: updatedAt"),
        ("old_run", {"after": refused(status=500)}, "not seen", "HTTP 500"),
        ("old_run", {"after": listed()}, "not seen", "0 runs came"),
    ],
)
def test_what_becomes_of_a_new_run(name, seen, verdict, said):
    finding = told(name, **seen)

    assert finding.verdict == verdict
    assert said in finding.seen
    assert bool(finding.advice) == (verdict == "differs")


@pytest.mark.parametrize(
    ("said", "verdict", "seen"),
    [
        (reply({"id": "third"}), "as assumed", "started run third"),
        (reply({"id": "new"}), "differs", "the same new run"),
        (refused("1387-400"), "differs", "refused: HTTP 400, 1387-400: it is in a state"),
        (LOST, "not seen", "may have started a run"),
        (UNSENT, "not seen", "not sent"),
    ],
)
def test_a_second_retrigger(said, verdict, seen):
    finding = second(said, outcome_of(said, "old"), "new", PLACE)

    assert finding.verdict == verdict
    assert seen in finding.seen


def test_an_uncertain_second_retrigger_says_where_to_look():
    assert second(LOST, Outcome("uncertain"), "new", PLACE).advice == PLACE


def test_nothing_is_waited_for_that_the_service_refuses():
    assert not Followed(300.0, readable=1.0, listed=1.0).is_complete
    assert Followed(300.0, readable=1.0, listed=1.0, refused=frozenset({"found"})).is_complete
