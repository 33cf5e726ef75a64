"""Findings about single resources, filters and fields: for each form of an answer, what is said of it."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice._probe import reading
from airflow_provider_flowservice._probe.reading import (
    CREATED_FILTER,
    RUN_ENVELOPE,
    TWO_FILTERS,
)
from airflow_provider_flowservice.runs import DataflowRun
from helpers.replies import NOTHING, listed, refused, reply, run

BOUND = 1_800_000_000_000
HTML = reply(None, 404, text="<html>not here</html>")


def runs(*items):
    return [DataflowRun.from_api(item) for item in items]


@pytest.mark.parametrize(
    ("answer", "verdict", "advice"),
    [
        (reply({"items": [run()]}), "as assumed", ""),
        (reply(run()), "differs", "Nothing to set"),
        (reply([run()]), "differs", "Nothing to set"),
        (reply({"items": []}), "differs", "Open an issue"),
        (reply({"items": [run(), run()]}), "differs", "Open an issue"),
        (reply({"run": {}}), "differs", "Open an issue"),
        (reply(None, text="<html>"), "differs", "Open an issue"),
        (refused("FLOW-2120-403", 403), "not seen", ""),
        (NOTHING, "not seen", ""),
        (None, "not seen", ""),
    ],
)
def test_envelope(answer, verdict, advice):
    finding = reading.envelope(RUN_ENVELOPE, answer, "the sandbox shows no run")

    assert finding.verdict == verdict
    assert finding.advice.startswith(advice)
    assert bool(finding.advice) == (verdict == "differs")
    assert finding.seen


@pytest.mark.parametrize(
    ("answer", "verdict", "seen"),
    [
        (listed(run("a"), run("b")), "as assumed", "2 of 2 came"),
        (listed(run("a")), "differs", "only the first ID counts"),
        (listed(run("b")), "differs", "1 of 2 came"),
        (listed(), "differs", "0 of 2 came"),
        (listed(run("x"), run("y")), "differs", "0 of 2 came, and 2 others"),
        (listed(run("a"), run("b"), run("c")), "differs", "the filter is not honoured"),
        (refused(), "differs", "refused: HTTP 400, FLOW-1449-400"),
        (refused(status=422), "differs", "refused: HTTP 422"),
        (refused(status=429), "not seen", "HTTP 429"),
        (refused(status=503), "not seen", "HTTP 503"),
        (NOTHING, "not seen", "no response"),
        (None, "not seen", "too few"),
    ],
)
def test_id_filter(answer, verdict, seen):
    finding = reading.id_filter(["a", "b"], answer, "too few")

    assert finding.verdict == verdict
    assert seen in finding.seen


def test_a_refused_id_filter_needs_no_setting_if_it_is_http_400():
    assert reading.id_filter(["a", "b"], refused()).advice == (
        "Nothing to set: deferred waits then read each run by itself. With hundreds of waits, set "
        "poll_interval higher."
    )
    assert "Open an issue" in reading.id_filter(["a", "b"], refused(status=422)).advice


@pytest.mark.parametrize(
    ("hundred", "more", "verdict", "seen"),
    [
        (listed(*[run()] * 100), listed(*[run()] * 100), "as assumed", "limit=1000: 100 runs"),
        (listed(*[run()] * 100), listed(*[run()] * 700), "as assumed", "limit=1000: 700 runs"),
        (listed(*[run()] * 100), refused(), "as assumed", "refused, HTTP 400, FLOW-1449-400"),
        (listed(*[run()] * 100), NOTHING, "as assumed", "limit=1000: no response: reset"),
        (listed(*[run()] * 250), listed(), "differs", "250 runs came for limit=100"),
        (listed(*[run()] * 20, href="/runs?x"), listed(), "differs", "20 runs came, with a link"),
        (listed(run()), refused(), "not seen", "only 1 run; limit=1000: refused"),
        (listed(), listed(), "not seen", "only 0 runs"),
    ],
)
def test_page_size(hundred, more, verdict, seen):
    finding = reading.page_size(hundred, more, 1000)

    assert finding.verdict == verdict
    assert seen in finding.seen


@pytest.mark.parametrize(
    ("answer", "verdict", "seen"),
    [
        (listed(run("new", created_at=BOUND + 1)), "as assumed", "1 run came"),
        (listed(run("new", created_at="x"), run("new2")), "as assumed", "2 runs came"),
        (listed(run("new"), run("old", created_at=BOUND)), "differs", "1 run not newer"),
        (listed(), "differs", "1 newer run did not come"),
        (refused("FLOW-1452-400"), "differs", "refused: HTTP 400, FLOW-1452-400"),
        (refused(status=500), "not seen", "HTTP 500"),
        (NOTHING, "not seen", "no response"),
        (None, "not seen", "too few"),
    ],
)
def test_created_filter(answer, verdict, seen):
    finding = reading.created_filter(CREATED_FILTER, BOUND, ["new"], answer, "too few")

    assert finding.verdict == verdict
    assert seen in finding.seen
    assert ("search after a lost response" in finding.advice) == (verdict == "differs")


def test_two_filters_leave_out_other_flows():
    newer = [run("a", "f", BOUND + 1), run("b", "g", BOUND + 1)]

    assert (
        reading.created_filter(TWO_FILTERS, BOUND, ["a"], listed(*newer), flow_id="f").seen
        == "runs of other flows came"
    )
    assert (
        reading.created_filter(TWO_FILTERS, BOUND, ["a"], listed(newer[0]), flow_id="f").verdict
        == "as assumed"
    )


FALLING = [run("c", created_at=BOUND + 2), run("b"), run("a", created_at=BOUND)]


@pytest.mark.parametrize(
    ("newest", "oldest", "verdict", "advice"),
    [
        (FALLING, listed(*FALLING[::-1]), "as assumed", ""),
        (FALLING[::-1], listed(*FALLING[::-1]), "differs", "Open an issue"),
        (FALLING, listed(*FALLING), "differs", "Nothing to set"),
        (FALLING, listed(*FALLING[:1]), "differs", "Nothing to set"),  # rising, from the newest
        (FALLING, refused("FLOW-1433-400"), "differs", "Nothing to set"),
        (FALLING, NOTHING, "not seen", ""),
        (FALLING[:2], listed(), "not seen", ""),
        ([], listed(), "not seen", ""),
    ],
)
def test_order(newest, oldest, verdict, advice):
    finding = reading.order(newest, oldest)

    assert finding.verdict == verdict
    assert finding.advice.startswith(advice)


@pytest.mark.parametrize(
    ("same", "changed", "verdict", "said"),
    [
        (listed(run()), listed(run()), "as assumed", "both find runs"),
        (listed(run()), listed(), "differs", "Write failed in status="),
        (listed(run()), refused(), "differs", "is refused"),
        (listed(), listed(run()), "differs", "==failed finds nothing"),
        (refused(), listed(), "not seen", "==failed: HTTP 400"),
        (listed(run()), NOTHING, "not seen", "==Failed: "),
        (None, None, "not seen", "no run"),
    ],
)
def test_status_case(same, changed, verdict, said):
    finding = reading.status_case("failed", "Failed", same, changed, "no run")

    assert finding.verdict == verdict
    assert said in f"{finding.seen} {finding.advice}"


@pytest.mark.parametrize(
    ("items", "verdict", "seen"),
    [
        ([run("a", created_at=1), run("b", created_at="2")], "as assumed", "in 2 runs"),
        ([run(7, created_at=1), run("b", created_at=1)], "differs", "form: id: in 1 of 2 runs"),
        ([run("a", 8, created_at=1)], "differs", "form: flowId: in 1 of 1 run"),
        ([run("a", created_at="2026-11-29T10:00:00Z")], "differs", "createdAt: in 1 of 1 run"),
        ([run("a"), {}], "differs", "id: in 1 of 2 runs; flowId: in 1 of 2 runs; createdAt: in 2"),
        ([], "not seen", "there are no runs"),
    ],
)
def test_fields(items, verdict, seen):
    finding = reading.fields(items)

    assert finding.verdict == verdict
    assert seen in finding.seen


def test_statuses_are_counted():
    finding = reading.statuses(
        runs(run(status="Failed"), run(status="success"), run(status="success"), run(status="")),
        "in the last 30 days",
    )

    assert finding.verdict == "as assumed"
    assert finding.seen == "in the last 30 days: success 2, Failed 1, (none) 1"


def test_an_unknown_status_is_an_issue():
    finding = reading.statuses(runs(run(status="napping"), run(status="success")), "at all")

    assert finding.verdict == "differs"
    assert "A run in status 'napping' counts as under way" in finding.advice


def test_no_run_has_no_status_and_no_key():
    assert reading.statuses([], "at all").verdict == "not seen"
    assert reading.keys([]).verdict == "not seen"


def test_undocumented_keys_are_named_and_their_values_are_not():
    finding = reading.keys([run(etag="e", retriggerOf="a-value")])

    assert finding.verdict == "differs"
    assert finding.seen == (
        "not read, and not documented: retriggerOf; 1 documented key not needed"
    )


def test_documented_keys_are_counted_only():
    assert reading.keys([run(etag="e")]).seen == "in 1 run: 1 documented key not needed"


def test_many_undocumented_keys_are_not_all_named():
    finding = reading.keys([run(**{f"key{number}": 1 for number in range(50)})])

    assert " and 20 more; " in finding.seen


@pytest.mark.parametrize(
    ("clients", "verdict", "seen"),
    [
        (["me", "other", None], "as assumed", "1 run of 3"),
        (["other", "third"], "not seen", "none of 2 runs, 2 other clients named"),
        ([], "not seen", "none of 0 runs"),
    ],
)
def test_own_client(clients, verdict, seen):
    found = runs(*(run(createdClient=client) for client in clients))

    finding = reading.own_client(found, {"me", "my-key"})

    assert finding.verdict == verdict
    assert seen in finding.seen


@pytest.mark.parametrize(
    ("answer", "verdict", "advice"),
    [
        (refused("FLOW-1439-404", 404), "as assumed", ""),
        (refused("FLOW-1101-404", 404), "differs", "Nothing to set: each 404 in JSON"),
        (reply({"items": []}), "differs", "Nothing to set: an empty answer"),
        (HTML, "differs", "Open an issue with this row. A missing run then counts as an outage"),
        (refused(status=503), "differs", "Open an issue with this row. A missing run then counts"),
        (refused(), "differs", "Open an issue with this row. A wait for a new run fails"),
        (refused("FLOW-2120-403", 403), "differs", "Open an issue with this row. A wait for a"),
        (reply(run("another")), "differs", "Open an issue with this row. A wait for a new run"),
        (NOTHING, "not seen", ""),
    ],
)
def test_missing_run(answer, verdict, advice):
    finding = reading.missing_run(answer)

    assert finding.verdict == verdict
    assert finding.advice.startswith(advice)
