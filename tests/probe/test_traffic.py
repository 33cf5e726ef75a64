"""Findings about headers and clocks, from all replies together."""

from __future__ import annotations

import json
from dataclasses import replace
from email.utils import formatdate

import pytest

from airflow_provider_flowservice._probe.traffic import clock, patience
from helpers.replies import NOTHING, reply

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("replies", "verdict", "seen"),
    [
        ([reply(), NOTHING], "as assumed", "in 1 responses: none of them"),
        ([], "as assumed", "in 0 responses: none of them"),
        ([reply(status=503, headers={"Retry-After": "7"})], "as assumed", "Retry-After: 7, with"),
        ([reply(status=500, headers={"retry-after": "7"})], "differs", "with HTTP 500"),
        ([reply(headers={"X-RateLimit-Remaining": "3"})], "differs", "X-RateLimit-Remaining: 3"),
        ([reply(headers={"RateLimit": "9;w=1"})], "differs", "RateLimit: 9;w=1"),
        ([reply(headers={"x-rate-limit-limit": "9"})] * 5, "differs", "x-rate-limit-limit: 9"),
        ([reply(status=429, headers={"Retry-After": "60"})] * 2, "differs", "HTTP 429: 2; R"),
    ],
)
def test_patience(replies, verdict, seen):
    finding = patience(replies)

    assert finding.verdict == verdict
    assert seen in finding.seen


def test_who_is_throttled_is_told_to_poll_less():
    assert patience([reply(status=429)]).advice.startswith("Set poll_interval higher")


def dated(ahead, at=NOW, took=0.0):
    headers = {"Date": formatdate(at + ahead, usegmt=True)}
    return replace(reply(headers=headers), asked_at=at, came_at=at + took)


@pytest.mark.parametrize(
    ("replies", "verdict", "seen"),
    [
        ([dated(0)], "as assumed", "by less than 1 s"),
        ([dated(3)], "as assumed", "by less than 4 s"),
        ([dated(20, took=30)], "as assumed", "less than 1 s"),  # it may have answered late
        ([dated(20, took=30), dated(20, took=0.5)], "differs", "20 s ahead of this machine"),
        ([dated(90)], "differs", "the service is 90 s ahead of this machine"),
        ([dated(-90)], "differs", "the service is 89 s behind this machine"),
        ([reply(headers={"Date": "yesterday"}), reply(), NOTHING], "not seen", "no response has"),
        ([], "not seen", "no response has"),
    ],
)
def test_clock(replies, verdict, seen):
    finding = clock(replies)

    assert finding.verdict == verdict
    assert seen in finding.seen


def test_many_responses_show_the_difference_within_less_than_a_second():
    replies = [dated(7.5, NOW + part / 10) for part in range(10)]

    assert clock(replies).seen == "the service is 8 s ahead of this machine"


def test_a_finding_can_be_written_as_json():
    assert "ahead" in json.dumps(vars(clock([dated(90)])))
