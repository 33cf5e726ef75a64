"""Whether a run may be re-triggered: what is refused, what is doubted, and what is left to the service."""

from __future__ import annotations

import logging
import re
from types import SimpleNamespace

import pytest

from airflow_provider_flowservice._selection.eligibility import (
    Eligibility,
    check_eligible,
    judge,
)
from airflow_provider_flowservice.exceptions import (
    DataflowRunNotRetriggerableError,
    FlowServiceAuthError,
    FlowServiceNotFoundError,
)
from airflow_provider_flowservice.flows import STREAMING_FLOW_SPECS, Dataflow
from airflow_provider_flowservice.runs import DataflowRun

log = logging.getLogger(__name__)


def run(status="failed", **counts):
    return DataflowRun("r1", "f1", status, **counts)


def flow(**fields):
    """A flow with nothing against it, but for what is said."""
    fields = {
        "state": "enabled",
        "flow_spec_id": "a-batch-specification",
        "is_source": True,
        "is_destination": None,
        "has_schedule": True,
        **fields,
    }
    return Dataflow("f1", "Orders", **fields)


@pytest.mark.parametrize(
    "ended",
    [
        run("failed"),
        run("failure"),
        run("cancelled"),
        run("success", output_records=0),
        run("success", input_records=0),
    ],
)
@pytest.mark.parametrize(
    "of_flow",
    [
        flow(),
        flow(state="Enabled"),
        flow(is_source=None),
        flow(is_source=False, is_destination=False),
        flow(flow_spec_id=None),
    ],
)
def test_what_adobe_documents_is_neither_refused_nor_doubted(ended, of_flow):
    assert judge(ended, of_flow) == Eligibility()


@pytest.mark.parametrize(
    ("of_run", "words"),
    [
        (run("success", output_records=7), "ingested data .records: 7"),
        (run("success", input_records=9, output_records=7), "ingested data .records: 7"),
        (run("inProgress"), "not ended.*inProgress.*DataflowRunSensor"),
        (run("scheduled"), "not ended.*scheduled"),
        (run(""), "not ended.*not shown yet"),
    ],
)
@pytest.mark.parametrize(
    "of_flow", [None, flow(), flow(state="disabled")], ids=["unread", "enabled", "disabled"]
)
def test_a_run_that_certainly_cannot_be_is_refused_whatever_its_flow(of_run, words, of_flow):
    eligibility = judge(of_run, of_flow)

    assert re.search(words, eligibility.refusal)
    assert eligibility.doubts == ()


@pytest.mark.parametrize(
    ("of_flow", "words"),
    [
        (flow(state="disabled"), "its flow 'Orders' (f1) is disabled; enable it"),
        (flow(state="Disabled"), "is disabled"),
        (flow(is_destination=True), "sends to a destination"),
        *((flow(flow_spec_id=spec), "streams") for spec in sorted(STREAMING_FLOW_SPECS)),
    ],
)
@pytest.mark.parametrize("status", ["failed", "partialSuccess", "somethingNew"])
def test_a_run_is_refused_for_its_flow(status, of_flow, words):
    eligibility = judge(run(status), of_flow)

    assert words in eligibility.refusal
    assert eligibility.doubts == ()


@pytest.mark.parametrize(
    ("of_run", "of_flow", "words"),
    [
        (run("somethingNew"), flow(), ["'somethingNew' is unknown"]),
        (run("partialSuccess"), flow(), ["succeeded in part"]),
        (run("success"), flow(), ["does not show how many records"]),
        (run(), None, ["its flow could not be read"]),
        (run(), flow(state="draft"), ["the state of its flow is draft"]),
        (run(), flow(state=""), ["the state of its flow is not shown"]),
        (run(), flow(has_schedule=False), ["no schedule"]),
        (run("success"), None, ["how many records", "could not be read"]),
        (
            run("partialSuccess", output_records=7),
            flow(state="draft", has_schedule=False),
            ["in part", "draft", "no schedule"],
        ),
    ],
)
def test_what_is_not_certain_is_doubted_and_not_refused(of_run, of_flow, words):
    eligibility = judge(of_run, of_flow)

    assert eligibility.refusal is None
    for doubt, word in zip(eligibility.doubts, words, strict=True):
        assert word in doubt


# What a task makes of it


def hook_that_finds(found):
    """A hook whose one flow is this, or whose reading of it meets this error."""

    def get_flow(flow_id):
        assert flow_id == "f1"
        if isinstance(found, Exception):
            raise found
        return found

    return SimpleNamespace(get_flow=get_flow)


def test_a_refused_run_is_named_with_the_reason():
    with pytest.raises(DataflowRunNotRetriggerableError, match="run r1 cannot be.*is disabled"):
        check_eligible(hook_that_finds(flow(state="disabled")), log, run())


def test_each_doubt_is_a_warning_and_stops_nothing(caplog):
    check_eligible(hook_that_finds(flow(state="draft", has_schedule=False)), log, run())

    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert all("r1 may be refused" in message for message in caplog.messages)


def test_a_run_with_nothing_against_it_is_not_talked_about(caplog):
    check_eligible(hook_that_finds(flow()), log, run())

    assert caplog.messages == []


@pytest.mark.parametrize(
    "error",
    [
        FlowServiceNotFoundError("hidden", 404),
        FlowServiceAuthError("no permission", 403),
        ValueError("no ID of a flow"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_flow_that_cannot_be_read_leaves_the_decision_to_the_service(error, caplog):
    check_eligible(hook_that_finds(error), log, run())

    assert str(error) in caplog.text
    assert "may be refused: its flow could not be read" in caplog.text


def test_a_run_that_has_not_ended_is_refused_though_its_flow_cannot_be_read():
    with pytest.raises(DataflowRunNotRetriggerableError, match="has not ended"):
        check_eligible(hook_that_finds(FlowServiceNotFoundError("x", 404)), log, run("inProgress"))
