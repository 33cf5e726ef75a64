"""What a dataflow and its connections are, however the service writes them."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice.exceptions import FlowServiceNotFoundError
from airflow_provider_flowservice.flows import Dataflow, SourceConnection, TargetConnection
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook


def flow(**fields):
    return Dataflow.from_api({"id": "f1", **fields})


@pytest.mark.parametrize(
    ("kind", "is_source", "is_destination", "has_schedule", "is_streaming"),
    [
        ({}, True, None, True, False),
        ({"batch": False}, True, None, False, True),
        ({"source": False}, None, True, False, False),
    ],
)
def test_reads_what_tells_a_batch_source(
    flowservice, kind, is_source, is_destination, has_schedule, is_streaming
):
    found = FlowServiceHook().get_flow(flowservice.add_flow(**kind))

    assert found.state == "enabled"
    assert found.is_source is is_source
    assert found.is_destination is is_destination
    assert found.has_schedule is has_schedule
    assert found.is_streaming is is_streaming
    assert len(found.source_connection_ids) == len(found.target_connection_ids) == 1


@pytest.mark.parametrize(
    ("overrides", "has_schedule"),
    [
        ({"lastRunDetails": ...}, True),
        ({"scheduleParams": ...}, False),
        ({"scheduleParams": {"cronExpression": "0 4 */1 * *"}}, True),
        ({"transformations": ..., "inheritedAttributes": ..., "flowSpec": ..., "state": ...}, True),
        ({"inheritedAttributes": None, "scheduleParams": None, "sourceConnectionIds": None}, False),
    ],
)
def test_a_flow_may_lack_nearly_everything(flowservice, overrides, has_schedule):
    flow_id = flowservice.add_flow(**overrides)

    found = FlowServiceHook().get_flow(flow_id)

    assert found.flow_id == flow_id
    assert found.has_schedule is has_schedule


@pytest.mark.parametrize(
    ("value", "spec_id"),
    [({"id": "s1", "version": "1.0"}, "s1"), ("s1", "s1"), (None, None), (7, None)],
)
def test_the_specification_is_an_object_or_a_bare_id(value, spec_id):
    assert flow(flowSpec=value).flow_spec_id == spec_id


@pytest.mark.parametrize("value", ["true", 1, None, []])
def test_only_a_flag_is_a_flag(value):
    assert flow(inheritedAttributes={"properties": {"isSourceFlow": value}}).is_source is None


@pytest.mark.parametrize("item", [{}, {"id": None}, {"id": 7}])
def test_a_flow_without_an_id_is_none(item):
    with pytest.raises(ValueError, match="without an ID"):
        Dataflow.from_api(item)


# Source and target connections


def test_the_hook_reads_where_a_flow_reads_and_writes(flowservice):
    hook = FlowServiceHook()
    flow = hook.get_flow(flow_id := flowservice.add_flow())

    (source,) = map(hook.get_source_connection, flow.source_connection_ids)
    (target,) = map(hook.get_target_connection, flow.target_connection_ids)

    assert source.name == f"/emulator/{flow_id}/"
    assert len(target.dataset_ids) == 1


def test_a_connection_that_is_not_there_is_named(flowservice):
    with pytest.raises(FlowServiceNotFoundError, match="no-such-connection"):
        FlowServiceHook().get_target_connection("no-such-connection")


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"path": "/acme/sales/"}, "/acme/sales/"),
        ({"tableName": "dbo.ORDERS"}, "dbo.ORDERS"),
        ({"path": None}, ""),
        (None, ""),
    ],
)
def test_a_source_is_a_path_or_a_table(params, name):
    assert SourceConnection.from_api({"id": "s1", "params": params}).name == name


@pytest.mark.parametrize(
    ("params", "dataset_ids"),
    [
        ({"dataSetId": "5f1a"}, ("5f1a",)),
        ({"datasetId": "5f1a"}, ("5f1a",)),
        ({"datasets": [{"dataSetId": "5f1a"}, {"datasetId": "6b2c"}]}, ("5f1a", "6b2c")),
        ({"datasets": [{"dataSetId": "profile_export"}, "orders"]}, ("profile_export", "orders")),
        ({"dataSetId": "5f1a", "datasets": [{"dataSetId": "5f1a"}, None, 7]}, ("5f1a",)),
        ({"datasets": "5f1a"}, ()),
        (None, ()),
    ],
)
def test_a_targets_datasets_are_found_in_every_spelling(params, dataset_ids):
    assert TargetConnection.from_api({"id": "t1", "params": params}).dataset_ids == dataset_ids


@pytest.mark.parametrize("kind", [SourceConnection, TargetConnection])
def test_a_connection_without_an_id_is_refused(kind):
    with pytest.raises(ValueError, match="without an ID"):
        kind.from_api({"params": {}})
