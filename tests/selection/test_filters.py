"""Which flows and runs are meant, on values alone."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice._selection.filters import (
    FlowChoice,
    RunChoice,
    statuses_of,
)
from airflow_provider_flowservice.flows import Dataflow
from airflow_provider_flowservice.runs import DataflowRun, meaning_of

FAILED = frozenset({"failed"})


def flow(name="orders", **facts):
    facts = {"is_source": True, "is_destination": None, "has_schedule": True, **facts}
    return Dataflow(flow_id=f"flow-{name}", name=name, state="enabled", flow_spec_id=None, **facts)


def run(name, status, created_at, window=None, flow_id="f", **facts):
    return DataflowRun(name, flow_id, status, created_at=created_at, window=window, **facts)


def chosen(runs, **wishes):
    return [run.run_id for run in RunChoice(FAILED, **wishes).choose(runs, {})]


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        ("failed", "failed"),
        ("Failed", "failed"),
        ("failure", "failed"),
        ("success", "success"),
        ("partialSuccess", "partial"),
        ("PARTIAL_SUCCESS", "partial"),
        ("inProgress", "unfinished"),
        ("", "unfinished"),
        ("Meditating", "meditating"),
    ],
)
def test_spellings_of_a_status_mean_the_same(status, meaning):
    assert meaning_of(status) == meaning


@pytest.mark.parametrize(
    ("facts", "is_meant"),
    [
        (dict(), True),
        (dict(is_source=False), False),
        (dict(is_source=None), True),
        (dict(is_source=None, has_schedule=False), False),
        (dict(is_source=None, is_destination=True), False),
    ],
)
def test_flows_that_are_no_sources_are_meant_only_on_demand(facts, is_meant):
    assert FlowChoice.of(None, None, False).admits("x", flow(**facts)) is is_meant
    assert FlowChoice.of(None, None, True).admits("x", flow(**facts))


@pytest.mark.parametrize(
    ("pattern", "is_meant"),
    [
        ("Orders [EU]", True),
        ("orders*", True),
        ("*[eu]", False),
        ("ord", False),
        ("loyalty*", False),
    ],
)
def test_flows_are_meant_by_name_or_pattern(pattern, is_meant):
    assert FlowChoice.of(None, pattern, False).admits("x", flow("Orders [EU]")) is is_meant


def test_a_flow_named_by_its_id_is_meant_whatever_it_is():
    choice = FlowChoice.of(["a", "b"], None, False)

    assert choice.admits("a", flow(is_source=False))
    assert choice.admits("b", None)
    assert not choice.admits("c", flow())


def test_the_oldest_run_comes_first():
    runs = [run("c", "failed", 3), run("a", "failure", 1), run("b", "FAILED", 2, flow_id="g")]

    assert chosen(runs) == ["a", "b", "c"]


def test_only_the_newest_of_each_flow():
    runs = [run("a", "failed", 1), run("b", "failed", 2), run("c", "failed", 1, flow_id="g")]

    assert chosen(runs, newest_per_flow=True) == ["c", "b"]


def test_the_time_itself_is_no_longer_before_it():
    assert chosen([run("a", "failed", 1), run("b", "failed", 2)], created_before=2) == ["a"]


@pytest.mark.parametrize("status", ["success", "inProgress"])
def test_a_run_that_was_retriggered_is_left_out(status):
    runs = [run("a", "failed", 1, (0, 9)), run("b", status, 2, (0, 9)), run("c", "failed", 3)]

    assert chosen(runs) == ["c"]


def test_the_newest_run_of_a_window_stands_for_it():
    runs = [run("a", "failed", 1, (0, 9)), run("b", "failed", 2, (0, 9))]

    assert chosen(runs) == ["b"]


def test_a_later_success_settles_a_failure_only_if_the_user_says_so():
    runs = [run("a", "failed", 1, (0, 9)), run("b", "success", 2, (9, 19)), run("c", "failed", 3)]

    assert chosen(runs) == ["a", "c"]
    assert chosen(runs, unless_loaded_since=True) == ["c"]


def test_a_success_of_another_flow_settles_nothing():
    runs = [run("a", "failed", 1), run("b", "success", 2, flow_id="g")]

    assert chosen(runs, unless_loaded_since=True) == ["a"]


def test_only_an_empty_success_can_be_retriggered():
    runs = [run("full", "success", 1, input_records=1, output_records=1)]
    runs += [run("empty", "success", 2, input_records=0)]
    choice = RunChoice(statuses_of("success"), retriggerable_only=True)

    assert [each.run_id for each in choice.choose(runs, {})] == ["empty"]


CRM = {"is_source": False, "is_destination": True}


@pytest.mark.parametrize(
    ("choice", "flows", "reason"),
    [
        ({}, [], None),
        ({"flow_id": "x"}, [], None),
        ({"flow_name": "ord*"}, [flow("Orders")], None),
        ({"flow_name": "crm"}, [flow("CRM", **CRM)], "only flows to destinations"),
        ({"flow_name": "crm", "all_kinds": True}, [flow("CRM", **CRM)], None),
        ({"flow_name": "crn"}, [flow("CRM", **CRM)], "shows no flow that loads from a source"),
        ({"flow_name": "crn", "all_kinds": True}, [flow("CRM", **CRM)], "names are 'CRM'."),
        ({"flow_name": "crn", "all_kinds": True}, [], "shows no flow. Correct"),
        ({"flow_name": "*nigthly*"}, [flow("Nightly"), flow("Web")], "names are 'Nightly', 'Web'."),
        ({"flow_name": "x*"}, [flow(name) for name in "abcd"], "The nearest names are '"),
    ],
)
def test_a_name_that_matches_no_flow_has_a_reason(choice, flows, reason):
    arguments = {"flow_id": None, "flow_name": None, "all_kinds": False, **choice}
    mismatch = FlowChoice.of(**arguments).mismatch(flows)

    assert mismatch is None if reason is None else reason in mismatch


def test_a_mismatch_names_a_few_flows_only():
    flows = [flow(f"orders {n}", **CRM) for n in range(9)]

    few = FlowChoice.of(None, "order 1", True).mismatch(flows)
    others = FlowChoice.of(None, "orders*", False).mismatch(flows)

    assert few.count("'orders ") == 3
    assert "'orders 0', 'orders 1', 'orders 2' and 6 more" in others
