"""ListDataflowRunsOperator against the emulator."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airflow_provider_flowservice.exceptions import FlowServiceNotFoundError
from airflow_provider_flowservice.operators.flowservice import ListDataflowRunsOperator
from helpers.support import run_to_the_end

MINUTE = 60_000


def found(**kwargs):
    return run_to_the_end(ListDataflowRunsOperator(task_id="list", **kwargs))


@pytest.fixture
def add(flowservice):
    """Return a function that adds a run that began so many minutes ago."""

    def add_run(flow_id, status="failed", age=10, **facts):
        created_at = flowservice.now_ms() - age * MINUTE
        return flowservice.add_run(flow_id, status, created_at=created_at, **facts)

    return add_run


def test_failed_runs_of_the_sandboxs_sources_oldest_first(flowservice, add):
    flow_a, flow_b = flowservice.add_flow("a"), flowservice.add_flow("b")
    add(flowservice.add_flow("to a destination", source=False))
    add(flowservice.add_flow("system", source=False, inheritedAttributes={"properties": {}}))
    add(flow_a, "success")
    add(flow_a, "inProgress")
    newest, oldest, middle = add(flow_a, age=1), add(flow_a, "Failed", age=30), add(flow_b, age=20)

    assert found() == [oldest, middle, newest]


def test_runs_that_cannot_be_retriggered_are_left_out_unless_wanted(flowservice, add):
    disabled = add(flowservice.add_flow("disabled", state="disabled"), age=2)
    streaming = add(flowservice.add_flow("streaming", batch=False), age=1)

    assert found() == []
    assert found(retriggerable_only=False) == [disabled, streaming]


def test_flows_by_pattern_and_by_id(flowservice, add):
    orders, loyalty = flowservice.add_flow("Orders EU"), flowservice.add_flow("Loyalty")
    destination = flowservice.add_flow("CRM", source=False)
    run_ids = [add(flow, age=age) for flow, age in [(orders, 3), (loyalty, 2), (destination, 1)]]

    assert found(flow_name="orders*") == run_ids[:1]
    assert found(flow_id=loyalty) == run_ids[1:2]
    assert found(flow_id=[orders, loyalty]) == run_ids[:2]
    assert found(flow_id=destination, retriggerable_only=False) == run_ids[2:]
    assert found(all_kinds=True, retriggerable_only=False) == run_ids


def test_a_flow_that_does_not_exist_is_an_error(flowservice):
    with pytest.raises(FlowServiceNotFoundError, match="no-such-flow"):
        found(flow_id="no-such-flow")


def test_a_name_that_no_flow_has_is_no_quiet_night(flowservice, add):
    for name in ("Orders nightly", "Loyalty", "Web events", "Stores"):
        add(flowservice.add_flow(name))

    with pytest.raises(ValueError, match="flow_name='ordres nigthly' matches no flow") as caught:
        found(flow_name="ordres nigthly")

    assert "The nearest names are 'Orders nightly', " in str(caught.value)
    assert "Correct flow_name, or the sandbox name in the connection." in str(caught.value)
    assert flowservice.count("GET /runs") == 0


def test_a_name_that_only_other_kinds_of_flows_have_says_how_to_include_them(flowservice, add):
    run_id = add(flowservice.add_flow("Customers to CRM", source=False))
    add(flowservice.add_flow("Orders"))

    with pytest.raises(
        ValueError, match=r"only flows to destinations .* 'Customers to CRM'\. Set all"
    ):
        found(flow_name="*crm")

    assert found(flow_name="*crm", all_kinds=True, retriggerable_only=False) == [run_id]


def test_a_flow_of_that_name_without_a_failed_run_is_a_quiet_night(flowservice, add):
    add(flowservice.add_flow("Orders"), "success")

    assert found(flow_name="orders") == []


def test_a_sandbox_without_flows_has_no_quiet_night_either(flowservice):
    with pytest.raises(ValueError, match="the sandbox shows no flow that loads from a source"):
        found(flow_name="orders")

    assert found() == []


def test_a_span_of_time(flowservice, add):
    flow = flowservice.add_flow()
    old, middle, new = (add(flow, age=age) for age in (48 * 60, 60, 1))

    def ago(minutes):
        moment = datetime.fromtimestamp(flowservice.now_ms() / 1000 - minutes * 60, timezone.utc)
        return str(moment)

    assert found() == [middle, new]
    assert found(created_after=ago(72 * 60)) == [old, middle, new]
    assert found(created_after=ago(72 * 60), created_before=ago(30)) == [old, middle]
    assert found(created_after=ago(30)) == [new]


def test_the_beginning_of_the_span_belongs_to_it(flowservice):
    moment = datetime(2026, 9, 1, tzinfo=timezone.utc)
    created_at = round(moment.timestamp() * 1000)
    run_id = flowservice.add_run(flowservice.add_flow(), created_at=created_at)

    assert found(created_after=moment) == [run_id]
    assert found(created_after=moment, created_before=moment) == []


def test_all_pages_are_read_and_the_oldest_are_kept(flowservice, add, logged):
    flow = flowservice.add_flow()
    run_ids = [add(flow, age=1000 - number) for number in range(250)]

    assert found() == run_ids
    assert found(limit=20) == run_ids[:20]
    assert "Newer runs left out because of the argument limit: 230." in logged()


def test_many_flows_are_asked_for_in_batches(flowservice, add):
    run_ids = [add(flowservice.add_flow(f"orders {n}"), age=100 - n) for n in range(60)]

    assert found(flow_name="orders*") == run_ids
    assert flowservice.count("GET /runs") == 2


def test_a_repaired_run_is_not_found_again(flowservice, add):
    flow = flowservice.add_flow()
    window = (1, 2)
    add(flow, age=9, window=window)
    add(flow, "success", age=8, window=window)

    assert found() == []


def test_runs_of_our_own_client_are_left_out_on_demand(flowservice, add):
    """A failed re-trigger without a window is no failure of its own while its repair goes on."""
    flow = flowservice.add_flow()
    scheduled = add(flow, age=3)
    ours = add(flow, age=2, created_client=flowservice.client_id)
    theirs = add(flow, age=1, created_client="a person")

    assert found(unless_ours=True) == [scheduled, theirs]
    assert found() == [scheduled, ours, theirs]


def test_a_failed_retrigger_stands_for_its_source_and_is_left_out(flowservice, add):
    flow = flowservice.add_flow()
    add(flow, age=2, window=(1, 2))
    ours = add(flow, age=1, window=(1, 2), created_client=flowservice.client_id)

    assert found(unless_ours=True) == []
    assert found() == [ours]


def test_summaries_instead_of_ids(flowservice, add):
    run_id = add(flowservice.add_flow())

    (summary,) = found(summaries=True)

    assert summary["run_id"] == run_id
    assert summary["error_message"]


def test_its_arguments_are_template_fields():
    assert {"flow_id", "flow_name", "status", "created_after", "created_before"} <= set(
        ListDataflowRunsOperator.template_fields
    )
