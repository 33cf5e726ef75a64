"""Findings about links and tokens, and which flow shows most about them."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice._probe.paging import (
    Choice,
    choose_flow,
    next_link,
    next_page,
    token_alone,
    token_query,
)
from airflow_provider_flowservice.runs import DataflowRun
from helpers.replies import NOTHING, listed, refused, reply, run

CHOICE = Choice("f", "first", is_telling=True)


@pytest.mark.parametrize(
    ("flows", "expected"),
    [
        ("", None),
        ("a", None),
        ("ab", None),
        ("aa", ("a", "0", False)),  # whatever the token carries, this flow's run comes
        ("abab", ("a", "0", True)),
        ("aabcb", ("b", "2", True)),  # without the filter: the second run, or that after the first
        ("abba", ("a", "0", True)),
        ("aabb", ("a", "0", False)),
        ("abb", ("b", "1", False)),
    ],
)
def test_the_flow_is_chosen_that_shows_a_lost_filter(flows, expected):
    runs = [DataflowRun.from_api(run(str(n), flow)) for n, flow in enumerate(flows)]

    assert choose_flow(runs) == expected


def test_runs_without_a_flow_are_no_choice():
    assert choose_flow([DataflowRun.from_api(run(str(n), "")) for n in range(3)]) is None


@pytest.mark.parametrize(
    ("href", "verdict", "seen"),
    [
        (
            "/runs?continuationToken=a%2Bb==",
            "as assumed",
            "relative to the service; its token has % =",
        ),
        ("/runs?continuationToken=abc", "as assumed", "its token has letters and digits only"),
        ("/runs?property=a==b&continuationToken=a+b&limit=1", "as assumed", "its token has +"),
        ("/data/foundation/flowservice/runs?x=1", "differs", "relative to the host"),
        ("https://platform.adobe.io/data/runs?x=1", "differs", "absolute"),
        ("?x=1", "differs", "a query only"),
        ("runs?x=1", "differs", "relative to the page"),
        ("/flows?x=1", "differs", "relative to the service"),
        ("/runs", "differs", "without a query"),
        (7, "differs", "no text, but a int"),
    ],
)
def test_next_link(href, verdict, seen):
    finding = next_link(listed(run(), href=href))

    assert finding.verdict == verdict
    assert seen in finding.seen
    assert bool(finding.advice) == (verdict == "differs")


def test_a_link_that_leads_elsewhere_needs_no_setting():
    assert next_link(listed(run(), href="/data/x/runs?a")).advice.startswith("Nothing to set")
    assert next_link(listed(run(), href="/runs")).advice.startswith("Open an issue")


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (listed(run()), "differs"),
        (reply({"items": [run()]}), "differs"),
        (listed(run(), run()), "not seen"),
        (refused(), "not seen"),
        (NOTHING, "not seen"),
        (None, "not seen"),
    ],
)
def test_no_next_link(answer, verdict):
    assert next_link(answer, "no flow shows two runs").verdict == verdict


PAGES = [
    (listed(run("second", "f")), "as assumed", "the next run"),
    (listed(run("second", "f"), run("other", "g")), "differs", "runs of other flows"),
    (listed(run("first", "f")), "differs", "the first page came again"),
    (listed(), "differs", "an empty page"),
    (refused("FLOW-1451-400"), "differs", "refused: HTTP 400, FLOW-1451-400"),
    (refused(status=500), "not seen", "HTTP 500"),
    (NOTHING, "not seen", "no response"),
    (None, "not seen", "no link"),
]


@pytest.mark.parametrize(("answer", "verdict", "seen"), PAGES)
def test_next_page(answer, verdict, seen):
    finding = next_page(CHOICE, answer, "no link")

    assert finding.verdict == verdict
    assert seen in finding.seen
    assert ("would be incomplete" in finding.advice) == (verdict == "differs")


@pytest.mark.parametrize(("answer", "verdict", "seen"), PAGES)
def test_token_alone(answer, verdict, seen):
    finding = token_alone(CHOICE, answer, "no link")

    assert finding.verdict == verdict
    assert seen in finding.seen
    assert finding.advice.startswith("Nothing to set") == (verdict == "differs")


def test_a_token_shows_nothing_if_the_next_run_is_of_the_flow_anyway():
    untold = CHOICE._replace(is_telling=False)

    assert token_alone(untold, listed(run("second", "f"))).verdict == "not seen"
    assert token_alone(untold, listed(run("x", "g"))).verdict == "differs"
    assert (
        token_alone(untold, listed(*[run(str(n), "f") for n in range(2)])).verdict == "as assumed"
    )


def test_a_token_is_taken_byte_for_byte():
    query = "property=flowId==f&continuationToken=a%2B+/==&limit=1&orderby=-createdAt#x"

    assert token_query(query) == "continuationToken=a%2B+/=="
