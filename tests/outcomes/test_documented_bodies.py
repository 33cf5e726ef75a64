"""What a task makes of each body that Adobe's documents show, and what a person reads of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._compat import AirflowFailException
from airflow_provider_flowservice._outcomes.table import OutcomePolicy, outcome_of
from airflow_provider_flowservice._waiting.rules import WaitResult
from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator
from airflow_provider_flowservice.runs import DataflowRun, RunError
from airflow_provider_flowservice.sensors.flowservice import DataflowRunSensor
from helpers.support import airflows_limit, both_ways, context, defer, execute, run_to_the_end

COPY_FAILED = {"code": "CONNECTOR-1001-500", "message": "Error in copying the data from Source."}
PROMOTION_FAILED = {"code": "CONNECTOR-2001-500", "message": "Error occurred at promotion."}
URL = "https://platform.adobe.io/data/foundation/export/batches/01A/meta?path="
MANIFEST = {
    "failedRecords": f"{URL}row_errors",
    "sampleErrors": f"{URL}row_error_samples.json",
}
FILTERED = {"code": "S-1", "message": "Did not match the attribute filter.", "count": 7}


def copied(detail: str, *errors: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON of a run that failed while it copied."""
    extensions = {"errorDetail": detail, "errors": list(errors)}
    status = {"status": "failed", "errors": [COPY_FAILED]}
    activity = {
        "name": "Azure Copy Activity",
        "statusSummary": {**status, "extensions": extensions},
    }
    return {"metrics": {"statusSummary": status}, "activities": [activity]}


def failed(*errors: dict[str, Any], **extensions: Any) -> dict[str, Any]:
    status = {"status": "failed", "errors": list(errors), "extensions": extensions}
    return {"metrics": {"statusSummary": status}, "activities": []}


def succeeded(records: dict[str, Any] | None = None, **metrics: Any) -> dict[str, Any]:
    summary = {} if records is None else {"recordSummary": records}
    return {"metrics": {"statusSummary": {"status": "success"}, **summary, **metrics}}


@dataclass(frozen=True)
class Body:
    """
    A run's JSON.

    :param fields: Its ``metrics`` and ``activities``.
    :param error: What ends a task with ``on_empty="fail"``; ``None`` if it succeeds.
    :param says: What log and error say.
    :param summary: Facts in the summary.
    :param is_retried: Whether Airflow retries an operator that fails so.
    """

    fields: dict[str, Any]
    error: type[BaseException] | None = None
    says: tuple[str, ...] = ()
    summary: dict[str, Any] = field(default_factory=dict)
    is_retried: bool = False


FAILED = exceptions.DataflowRunFailedError
EMPTY = exceptions.DataflowRunIncompleteError
REFUSED = exceptions.SourceCredentialError
RENEW = "The source refuses the credential of its account. Renew"
CHECK = "The source may refuse the credential of its account. Check"

BODIES = {
    "rejects some": Body(
        {
            **succeeded({"inputRecordCount": 100, "outputRecordCount": 99, "failedRecordCount": 1}),
            "activities": [
                {
                    "statusSummary": {
                        "status": "success",
                        "extensions": {
                            "manifest": MANIFEST,
                            "errors": [
                                {"code": "INGEST-1212-400", "message": "Encountered 1 errors."},
                                {"code": "MAPPER-3700-400", "recordCount": 1, "message": "Mapper"},
                            ],
                        },
                    },
                    "targetInfo": [{"reference": {"type": "Batch", "ids": ["01A"]}}],
                }
            ],
        },
        says=(
            "99 records written, 1 record rejected, batch 01A. Reason: INGEST-1212-400",
            "MAPPER-3700-400: Mapper (1 record)",
            f"rejected rows are at {URL}row_errors (kept for up to 30 days).",
        ),
        summary={
            "batch_ids": ["01A"],
            "failed_records_url": f"{URL}row_errors",
            "sample_errors_url": f"{URL}row_error_samples.json",
            "failed_records": 1,
        },
    ),
    "loads nothing, without any record count": Body(
        succeeded(
            sizeSummary={"inputBytes": 0, "outputBytes": 0}, fileSummary={"outputFileCount": 0}
        ),
        EMPTY,
        ("No record arrived.",),
        {"input_bytes": 0, "output_bytes": 0, "output_files": 0},
    ),
    "shows no number at all": Body(succeeded(), says=(": success.",)),
    "counts only what is new": Body(
        succeeded({"inputRecordCount": 9, "createdRecordCount": 9, "updatedRecordCount": 0}),
        summary={"created_records": 9, "updated_records": 0},
    ),
    "shows only a sample of the errors": Body(
        {
            **succeeded({"inputRecordCount": 9, "outputRecordCount": 8, "failedRecordCount": 1}),
            "activities": [
                {
                    "statusSummary": {
                        "extensions": {"manifest": {"sampleErrors": f"{URL}row_error_samples.json"}}
                    }
                }
            ],
        },
        says=(
            f"A sample of the rows' errors is at {URL}row_error_samples.json (for up to 30 days).",
        ),
        summary={"failed_records_url": None},
    ),
    "updates only": Body(
        succeeded({"inputRecordCount": 1, "outputRecordCount": 0, "updatedRecordCount": 1}),
        says=("0 records written, 1 record updated",),
        summary={"updated_records": 1},
    ),
    "skips some": Body(
        succeeded(
            {
                "inputRecordCount": 9,
                "outputRecordCount": 2,
                "skippedRecordCount": 7,
                "skippedInfo": [FILTERED],
            }
        ),
        says=("7 records skipped", "S-1: Did not match the attribute filter. (7 records)"),
        summary={"skipped_records": 7},
    ),
    "skips all": Body(
        succeeded(
            {"inputRecordCount": 7, "skippedRecordCount": 7, "skippedInfo": [FILTERED]},
        ),
        EMPTY,
        ("No record arrived. The first reason for skipping: S-1: Did not match",),
    ),
    "skips and fails files": Body(
        succeeded(
            {"outputRecordCount": 1}, fileSummary={"skippedFileCount": 2, "failedFileCount": "3"}
        ),
        summary={"skipped_files": 2, "failed_files": 3},
    ),
    "fails, and only the lake says why": Body(
        failed(
            {"code": "CTOR-2001-500", "message": "Internal error in Promotion activity step"},
            errors=[
                {"code": "INGEST-1205-400", "description": "The field: _id does not exist."},
                {"code": "INGEST-1205-400", "description": "The field: person does not exist."},
            ],
            manifest=MANIFEST,
        ),
        FAILED,
        (
            "Reason: INGEST-1205-400: The field: _id does not exist.",
            "INGEST-1205-400: The field: person does not exist.",
            "the data or its mapping has to change first",
            f"rejected rows are at {URL}row_errors (kept for up to 30 days).",
        ),
        {"error_code": "INGEST-1205-400", "failed_records_url": f"{URL}row_errors"},
    ),
    "fails in processing, for no known cause": Body(
        failed(PROMOTION_FAILED), FAILED, ("Reason: CONNECTOR-2001-500",), is_retried=True
    ),
    "is of a destination": Body(
        failed({"code": "ACTIVATION_BATCH-0000-FAILED", "message": "Job aborted."}),
        FAILED,
        ("Runs of destinations cannot be re-triggered.",),
    ),
    "cannot reach its source": Body(
        copied("ErrorCode=SftpNetworkIssue, SocketErrorCode: 'TimedOut'", {"code": "2200"}),
        FAILED,
        ("SftpNetworkIssue",),
        is_retried=True,
    ),
    "has a source whose secret has expired": Body(
        copied(
            "ErrorCode=AdlsGen2OperationFailed,Message=AADSTS7000222: The provided client secret "
            "keys for app 'a1' are expired.",
            {"code": "2200", "message": "The operation failed."},
        ),
        REFUSED,
        (RENEW, "AADSTS7000222"),
    ),
    "has a source whose client is unknown": Body(
        copied("", {"code": "2200", "message": '{"error":"invalid_client"}'}), REFUSED, (RENEW,)
    ),
    "has a source whose keys are unknown": Body(
        copied("Amazon.S3 ... ErrorCode: InvalidAccessKeyId, StatusCode: 403"), REFUSED, (RENEW,)
    ),
    "has a source whose token ran out": Body(
        copied("Amazon.S3 ... ErrorCode: ExpiredToken"), FAILED, (CHECK,), is_retried=True
    ),
    "failed on data that looks like such words": Body(
        copied("Cannot copy /landing/invalid_client_records/AADSTS7000222.csv: TimedOut"),
        FAILED,
        ("TimedOut",),
        is_retried=True,
    ),
    "was denied access by its source": Body(
        copied("Error Code: AccessDenied, HTTP Status Code: Forbidden"),
        FAILED,
        (CHECK,),
        is_retried=True,
    ),
}


def show_running(flowservice, run_id, times=1):
    """Let a run that has ended look as if it still ran."""
    running = {"id": run_id, "metrics": {"statusSummary": {"status": "inProgress"}}}
    flowservice.fail(Fault(f"GET /runs/{run_id}", status=200, body=running, times=times))


@both_ways
@pytest.mark.parametrize("operator", [DataflowRunSensor, RetriggerDataflowRunOperator])
@pytest.mark.parametrize("name", BODIES)
def test_a_documented_body_ends_a_task_and_is_told(flowservice, name, operator, deferrable, logged):
    body = BODIES[name]
    flow_id = flowservice.add_flow()
    run_id = flowservice.add_run(flow_id, **{"activities": [], **body.fields})
    is_sensor = operator is DataflowRunSensor
    which = {"run_id": run_id} if is_sensor else {"run_id": "any", "adopt_run_id": run_id}
    task = operator(task_id="wait", on_empty="fail", deferrable=deferrable, **which)
    task_context = context()

    act = partial(execute, task, task_context)
    if deferrable:  # and seen ended in the triggerer only, from which a summary comes back
        show_running(flowservice, run_id, times=1 if is_sensor else 2)
        act = defer(task, task_context)

    raised = None
    try:
        act()
    except exceptions.FlowServiceError as error:
        raised = error

    told = f"{logged()} {raised}"
    assert [words for words in body.says if words not in told] == []
    assert (body.error is None) == (raised is None)
    if raised and body.error:
        assert type(raised).__name__ == body.error.__name__
        assert isinstance(raised, AirflowFailException) is (is_sensor or not body.is_retried)
    summary = task_context["ti"].xcoms["summary"]
    assert {key: summary[key] for key in body.summary} == body.summary
    hook = FlowServiceHook()
    assert summary["dataset_ids"] == list(hook.get_dataset_ids(hook.get_flow(flow_id))) != []


@both_ways
def test_updates_count_in_the_share_of_rejected_records(flowservice, deferrable):
    counts = {"outputRecordCount": 0, "updatedRecordCount": 99, "failedRecordCount": 1}
    run_id = flowservice.add_run(flowservice.add_flow(), **{"activities": [], **succeeded(counts)})
    task = DataflowRunSensor(
        task_id="wait", run_id=run_id, deferrable=deferrable, max_failed_share=0.05
    )

    assert run_to_the_end(task)["updated_records"] == 99


def test_an_answer_from_before_the_end_does_not_undo_it(flowservice):
    run_id = flowservice.add_run(flowservice.add_flow(), "failed")
    show_running(flowservice, run_id)
    resume = defer(DataflowRunSensor(task_id="wait", run_id=run_id, deferrable=True), context())
    show_running(flowservice, run_id)

    with pytest.raises(exceptions.DataflowRunFailedError, match="failed"):
        resume()


@pytest.mark.parametrize(("is_abridged", "outcome"), [(False, "non-retryable"), (True, "failed")])
def test_the_one_error_in_a_summary_does_not_forbid_a_retry(is_abridged, outcome):
    run = DataflowRun("r1", "f1", "failed", errors=(RunError("INGEST-1", "no"),))
    seen = replace(run, is_abridged=is_abridged)

    assert outcome_of(WaitResult("ended", "run", seen), OutcomePolicy("operator"), False) == outcome


# Where the data landed


@both_ways
@pytest.mark.parametrize("path", ["/flows", "/targetConnections"])
@pytest.mark.parametrize(
    "trouble", [{"status": 403, "body": {}}, {"status": 503}, {"kind": "close_before"}]
)
def test_datasets_that_cannot_be_read_cost_the_task_nothing(
    flowservice, deferrable, path, trouble, logged
):
    run_id = flowservice.add_run(flowservice.add_flow(), "success")
    flowservice.fail(Fault(f"GET {path}", times=None, **trouble))
    task = DataflowRunSensor(task_id="wait", run_id=run_id, deferrable=deferrable)

    summary = run_to_the_end(task)

    assert (summary["status"], summary["dataset_ids"]) == ("success", [])
    assert "The datasets of flow" in logged()
    assert (
        flowservice.count(method="GET", path_regex=f"{path}/") <= 2
    )  # once more with another token at most


@both_ways
def test_a_limit_that_passes_while_datasets_are_read_does_not_undo_a_success(
    flowservice, deferrable
):
    run_id = flowservice.add_run(flowservice.add_flow(), "success")
    flowservice.fail(Fault("GET /flows", kind="slow", delay=5))
    task = DataflowRunSensor(task_id="wait", run_id=run_id, deferrable=deferrable)
    task_context = context()
    act = partial(execute, task, task_context)
    if deferrable:
        show_running(flowservice, run_id)
        act = defer(task, task_context)

    with airflows_limit(0.5):
        act()

    summary = task_context["ti"].xcoms["summary"]
    assert (summary["status"], summary["dataset_ids"]) == ("success", [])


@both_ways
def test_a_task_that_ends_reads_its_datasets_with_two_requests(flowservice, deferrable):
    run_id = flowservice.add_run(flowservice.add_flow(), "success")

    run_to_the_end(DataflowRunSensor(task_id="wait", run_id=run_id, deferrable=deferrable))

    around = flowservice.count(method="GET", path_regex="/(flows|targetConnections)/")
    assert (around, flowservice.count("GET /flows/{id}")) == (2, 1)


# The log


@both_ways
def test_no_more_than_fifty_reasons_of_each_kind_are_logged(flowservice, deferrable, logged):
    def entries(word):
        return [{"code": f"{word}-{number}", "message": "no"} for number in range(60)]

    counts = {"outputRecordCount": 1, "skippedRecordCount": 60, "skippedInfo": entries("SKIP")}
    body = succeeded({**counts, "failedInfo": entries("FAIL")})
    run_id = flowservice.add_run(flowservice.add_flow(), **{"activities": [], **body})
    task = DataflowRunSensor(task_id="wait", run_id=run_id, deferrable=deferrable)
    task_context = context()
    act = partial(execute, task, task_context)
    if deferrable:
        show_running(flowservice, run_id)
        act = defer(task, task_context)

    act()

    written = logged()
    assert (written.count("SKIP-"), written.count("FAIL-")) == (50, 51)  # the first one twice over
    assert "reason for skipping records: 10 more." in written
    assert "error: 9 more." in written
