"""What a report says of each failed run: whether it can be re-triggered, and what to do about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_flowservice._commands.report import Counts, judge_failure, report
from airflow_provider_flowservice.flows import Dataflow
from airflow_provider_flowservice.runs import DataflowRun, RunError

FLOW = Dataflow("f1", "Orders", "enabled", None, True, False, has_schedule=True)
FAILED = DataflowRun("r1", "f1", "failed", created_at=1000, window=(1, 2))
AGAIN = replace(FAILED, run_id="r2", created_at=2000)
LOADED = replace(AGAIN, status="success", output_records=5)
RETRIGGER = "Re-trigger it with RetriggerDataflowRunOperator, or with Retry in Experience Platform."
CHANGE = "Re-triggering cannot fix this; the data or its mapping has to change first."


def failed_with(*codes, message="Copying failed.", **changes):
    return replace(FAILED, errors=tuple(RunError(code, message) for code in codes), **changes)


def test_a_failed_run_is_to_be_retriggered():
    verdict = judge_failure(FAILED, FLOW, [])

    assert (verdict.retrigger, verdict.reason, verdict.advice) == ("possible", "", RETRIGGER)


@pytest.mark.parametrize(
    ("later", "retrigger", "reason", "advice"),
    [
        ({"status": "success", "output_records": 5}, "loaded", "loaded since by run r2", "Nothing"),
        ({"status": "success"}, "loaded", "loaded since by run r2", "Nothing: its data is there."),
        ({"status": "failed"}, "repeated", "as r2, which failed", "See run r2."),
        ({"status": "inProgress"}, "repeated", "as r2, which is under way", "Wait for run r2."),
        ({"status": "partialSuccess"}, "repeated", "as r2, which succeeded in part", "See run r2."),
        (
            {"status": "success", "output_records": 0},
            "repeated",
            "as r2, which loaded no record",
            "See run r2.",
        ),
    ],
)
def test_a_retrigger_of_the_run_says_what_became_of_it(later, retrigger, reason, advice):
    verdict = judge_failure(FAILED, FLOW, [replace(AGAIN, **later)])

    assert verdict.retrigger == retrigger
    assert verdict.reason.endswith(reason)
    assert verdict.advice.startswith(advice)
    assert verdict.later_run_id == "r2"


@pytest.mark.parametrize("third", ["failed", "inProgress"])
def test_a_retrigger_that_loaded_the_data_counts_more_than_a_later_one(third):
    later = [LOADED, replace(AGAIN, run_id="r3", status=third)]

    assert judge_failure(FAILED, FLOW, later).later_run_id == "r2"


def test_the_last_of_several_failed_retriggers_stands_for_all():
    later = [AGAIN, replace(AGAIN, run_id="r3")]

    assert judge_failure(FAILED, FLOW, later).later_run_id == "r3"


@pytest.mark.parametrize(
    ("run", "advice"),
    [
        (failed_with("MAPPER-3700-400"), CHANGE),
        (failed_with("INGEST-1211-400", "CONNECTOR-2001-500"), CHANGE),
        (
            failed_with("2200", message="AADSTS7000222: expired"),
            "The source refuses the credential",
        ),
    ],
)
def test_what_would_fail_alike_is_to_be_mended_first(run, advice):
    verdict = judge_failure(run, FLOW, [])

    assert verdict.retrigger == "later"
    assert verdict.reason == "it would fail alike until its cause is removed"
    assert verdict.advice.startswith(advice)


def test_a_credential_that_may_be_refused_is_to_be_checked_and_stands_in_no_way():
    verdict = judge_failure(failed_with("2200", message="Access denied"), FLOW, [])

    assert verdict.retrigger == "possible"
    assert verdict.advice.startswith("The source may refuse the credential of its account. Check")


@pytest.mark.parametrize(
    ("changes", "reason", "advice"),
    [
        ({"state": "disabled"}, "its flow 'Orders' (f1) is disabled", "Enable its flow, then"),
        ({"is_destination": True}, "its flow 'Orders' (f1) sends to a dest", "Mend what the error"),
        (
            {"flow_spec_id": "c1a19761-d2c7-4702-b9fa-fe91f0613e81"},
            "its flow 'Orders' (f1) streams",
            "Mend what the error names",
        ),
    ],
)
def test_a_run_that_cannot_be_retriggered_says_why(changes, reason, advice):
    verdict = judge_failure(FAILED, replace(FLOW, **changes), [])

    assert verdict.retrigger == "refused"
    assert verdict.reason.startswith(reason)
    assert verdict.advice.startswith(advice)


def test_what_the_service_may_refuse_is_told():
    verdict = judge_failure(FAILED, replace(FLOW, has_schedule=False), [])

    assert verdict.retrigger == "doubtful"
    assert "shows no schedule" in verdict.reason
    assert verdict.advice == RETRIGGER


@pytest.mark.parametrize(
    ("run", "advice"),
    [
        (failed_with("INGEST-1211-400"), CHANGE),
        (FAILED, RETRIGGER),
    ],
)
def test_rejected_rows_are_told_after_the_advice(run, advice):
    run = replace(run, failed_records_url="https://example.com/rows")

    assert judge_failure(run, FLOW, []).advice == (
        f"{advice} The rejected rows are at https://example.com/rows (kept for up to 30 days)."
    )


def test_failures_come_by_age_and_counts_by_the_name_of_the_flow():
    other = replace(FLOW, flow_id="f2", name="archive")
    runs = [
        replace(FAILED, run_id="new", created_at=9000, window=None),
        replace(FAILED, run_id="old", created_at=10, flow_id="f2"),
        replace(FAILED, run_id="done", status="success"),
        replace(FAILED, run_id="half", status="partialSuccess"),
        replace(FAILED, run_id="begun", status="inProgress"),
    ]

    found = report(runs, {"f1": FLOW, "f2": other}, "{}/{}".format)

    assert [(each.run.run_id, each.url) for each in found.failures] == [
        ("old", "f2/old"),
        ("new", "f1/new"),
    ]
    assert found.counts == [
        Counts("f2", "archive", total=1, success=0, failed=1, partial=0),
        Counts("f1", "Orders", total=4, success=1, failed=1, partial=1),
    ]
