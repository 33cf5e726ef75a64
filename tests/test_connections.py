"""Source and target connections, in the shapes the service writes them."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice.exceptions import FlowServiceNotFoundError
from airflow_provider_flowservice.flows import SourceConnection, TargetConnection
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook


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
