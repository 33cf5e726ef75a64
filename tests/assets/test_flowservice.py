"""Datasets of Experience Platform as assets: their URIs, and the events of a task that loads one."""

from __future__ import annotations

import json
from functools import partial
from urllib.parse import urlsplit

import pytest

from airflow_provider_flowservice._compat import AirflowException, Asset
from airflow_provider_flowservice.assets.flowservice import dataset_uri, sanitize_uri
from airflow_provider_flowservice.operators.flowservice import (
    RetriggerDataflowRunOperator,
    RunDataflowOperator,
)
from airflow_provider_flowservice.runs import DataflowRun
from airflow_provider_flowservice.sensors.flowservice import DataflowRunSensor, DataflowSensor
from helpers.support import both_ways, context, run_to_the_end

URI = "aep://A1B2C3/dev/dataset/5f1a"
try:
    from airflow.sdk.execution_time.context import OutletEventAccessors
except ImportError:  # before Airflow 3.0
    from airflow.utils.context import OutletEventAccessors


def test_a_datasets_uri_is_the_same_however_its_parts_are_written():
    assert dataset_uri("A1B2C3@AdobeOrg", "DEV", "5f1a") == URI
    assert (
        dataset_uri("A1B2C3", "dev", "a table/name") == "aep://A1B2C3/dev/dataset/a%20table%2Fname"
    )


@pytest.mark.parametrize(
    "written",
    [URI, "aep://A1B2C3%40AdobeOrg/dev/dataset/5f1a", "aep://A1B2C3@adobeorg/DEV/dataset/5f1a"],
)
def test_a_uri_has_one_form(written):
    assert sanitize_uri(urlsplit(written)).geturl() == URI


def test_airflow_asks_us_for_that_form():
    assert Asset("AEP://A1B2C3%40AdobeOrg/DEV/dataset/5f1a/#part").uri == URI


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("aep://AdobeOrg/dev/dataset/5f1a", "without @AdobeOrg"),
        ("aep:///dev/dataset/5f1a", "organization is missing"),
        ("aep://A1B2C3/dev/5f1a", "not of the form aep://"),
        ("aep://A1B2C3//dataset/5f1a", "not of the form"),
        ("aep://A1B2C3/dev/dataset/", "not of the form"),
        ("aep://A1B2C3/dev/dataset/5f1a?x=1", "not of the form"),
    ],
)
def test_another_uri_is_refused_with_the_form_it_should_have(written, said):
    with pytest.raises(ValueError, match=said):
        sanitize_uri(urlsplit(written))


@both_ways
@pytest.mark.parametrize("request_for", ["re-trigger", "start"])
def test_the_operators_asset_events_carry_the_runs_metrics(flowservice, deferrable, request_for):
    operator = partial(RunDataflowOperator, flow_id=flowservice.add_flow(frequency="once"))
    if request_for == "re-trigger":
        run_id = flowservice.add_run(flowservice.add_flow(), "failed")
        operator = partial(RetriggerDataflowRunOperator, run_id=run_id)
    events = OutletEventAccessors()
    events[Asset(URI)].extra["mine"] = 1
    task = operator(
        task_id="request",
        poll_interval=0.01,
        deferrable=deferrable,
        outlets=[Asset(URI)],
    )

    new_run_id = run_to_the_end(task, context(outlet_events=events))

    extra = json.loads(json.dumps(events[Asset(URI)].extra))
    assert extra["run_id"] == new_run_id
    assert (extra["output_records"], extra["output_bytes"]) == (100, 16800)
    assert extra["mine"] == 1
    assert extra["batch_ids"] == list(DataflowRun.from_api(flowservice.run(new_run_id)).batch_ids)
    assert len(extra["batch_ids"]) == len(extra["dataset_ids"]) == 1


@both_ways
def test_the_sensors_asset_events_carry_the_runs_metrics(flowservice, deferrable):
    run_id = flowservice.add_run(flowservice.add_flow(), "success", records=7)
    events = OutletEventAccessors()
    task = DataflowRunSensor(
        task_id="wait", run_id=run_id, deferrable=deferrable, outlets=[Asset(URI)]
    )

    run_to_the_end(task, context(outlet_events=events))

    assert events[Asset(URI)].extra["output_records"] == 7


@both_ways
def test_the_asset_events_of_a_wait_for_a_flow_carry_the_runs_metrics(flowservice, deferrable):
    flow_id = flowservice.add_flow()
    flowservice.add_run(flow_id, "success", records=7)
    events = OutletEventAccessors()
    task = DataflowSensor(
        task_id="wait",
        flow_id=flow_id,
        completed_after="2020-01-01",
        deferrable=deferrable,
        outlets=[Asset(URI)],
    )

    run_to_the_end(task, context(outlet_events=events))

    assert events[Asset(URI)].extra["output_records"] == 7


def test_a_task_that_fails_leaves_no_metrics(flowservice):
    run_id = flowservice.add_run(flowservice.add_flow(), "failed")
    events = OutletEventAccessors()
    task = DataflowRunSensor(task_id="wait", run_id=run_id, outlets=[Asset(URI)])

    with pytest.raises(AirflowException):
        run_to_the_end(task, context(outlet_events=events))

    assert len(events) == 0
