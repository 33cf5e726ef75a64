"""Which keys of a run are read, by the code itself."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice._probe.keys import (
    changed_paths,
    is_documented,
    paths_naming,
    unread_keys,
)
from airflow_provider_flowservice.emulator import FlowServiceEmulator, Lifecycle
from helpers.replies import run


def test_what_is_read_is_not_reported():
    assert unread_keys([run(createdAt=1, createdClient="c")]) == []


def test_what_is_in_an_unread_key_is_not_reported():
    assert unread_keys([run(extra={"inner": 1, "other": [{"deep": 2}]})]) == ["extra"]


def test_keys_beside_read_ones_are_found_at_any_depth():
    metrics = {
        "statusSummary": {"status": "failed", "phase": 3},
        "recordSummary": {"failedInfo": [{"code": "1", "hint": "x"}, {"code": "2", "help": "y"}]},
    }

    assert unread_keys([run(metrics=metrics)]) == [
        "metrics.recordSummary.failedInfo[].help",
        "metrics.recordSummary.failedInfo[].hint",
        "metrics.statusSummary.phase",
    ]


def test_a_key_that_is_read_in_one_run_is_read():
    target = {"targetInfo": [{"reference": {"type": "Batch", "ids": ["b"]}}]}
    other = {"targetInfo": [{"reference": {"type": "File", "ids": ["f"]}}]}

    assert unread_keys([run(activities=[other])]) == ["activities[].targetInfo[].reference.ids"]
    assert unread_keys([run(activities=[other]), run(activities=[target])]) == []


@pytest.mark.parametrize(
    ("item", "unread"),
    [
        ({}, []),
        ({"id": 7, "x": 1, "metrics": [], "activities": {"a": 1}}, ["activities", "metrics", "x"]),
        (
            {"id": "r", "metrics": [{"x": 1}], "activities": {"a": 1}},
            ["activities.a", "metrics[].x"],
        ),
        ({"id": "r", "activities": [None, 1, [[{"x": []}]]]}, ["activities[][][].x"]),
    ],
)
def test_any_shape_is_survived(item, unread):
    assert unread_keys([item]) == unread


def test_nothing_in_the_emulators_runs_is_undocumented():
    # Its runs have the shapes of Adobe's samples.
    emulator = FlowServiceEmulator(seed=True)
    flow_id = emulator.add_flow(frequency="once")
    ends = [
        Lifecycle(("success",)),
        Lifecycle.rejects(3, of=9),
        Lifecycle.skips(2, of=9),
        Lifecycle.loads_nothing(),
        Lifecycle.fails_on_field("_id"),
        Lifecycle.source_credential_expired(),
    ]
    runs = [emulator.run(emulator.add_run(flow_id, ended=end)) for end in ends]
    runs.append(emulator.run(emulator.add_run(flow_id, "failed", on_demand=True)))

    unread = unread_keys(runs)

    assert "providerRefId" in unread
    assert [path for path in unread if not is_documented(path)] == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("etag", True),
        ("metrics.latencySummary", True),
        ("activities[].latencySummary", True),
        ("latencySummary", False),
        ("activities[].sizeSummary", True),
        ("metrics.sizeSummary.inputBytes", True),
        ("metrics.sizeSummary.inputGigabytes", False),
        ("metrics.recordSummary.sourceSummaries[].entitySummaries", True),
        ("retriggerOf", False),
        ("predecessors[].flowRunId", True),
    ],
)
def test_what_is_documented(path, expected):
    assert is_documented(path) is expected


def test_paths_of_values_that_name_another_run():
    value = {"id": "new", "of": "OLD", "deep": [{"x": "run/old/1"}, {"x": "none"}], "old": 1}

    assert paths_naming(value, "old") == ["deep[].x", "of"]
    assert paths_naming(value, "") == []


def test_paths_that_changed():
    before = {"a": 1, "b": {"c": 1, "d": [1]}, "gone": 0}
    after = {"a": 1, "b": {"c": 2, "d": [2]}, "new": 0}

    assert changed_paths(before, after) == ["b.c", "b.d", "gone", "new"]
    assert changed_paths(before, dict(before)) == []
