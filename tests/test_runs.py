"""What a run is, and what its status means, however the service writes it."""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_flowservice.runs import DataflowRun, RunError

SUCCESSFUL = ["success", "Success", "SUCCESS", "succeeded", "completed", "COMPLETED", "finished"]
PARTIAL = ["partialSuccess", "PARTIAL_SUCCESS", "partial-failure", "Partial Success", "warning"]
FAILED = ["failed", "Failed", "failure", "FAILURE", "error", "cancelled", "canceled", "aborted"]
UNFINISHED = ["inProgress", "IN_PROGRESS", "in progress", "scheduled", "Processing", "Waiting"]
UNFINISHED += ["pending", "queued", "running", "started", ""]
UNKNOWN = ["retrying", "active", "loading", "stalled", "7", "success!", "not failed"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def run(metrics=None, **fields):
    return DataflowRun.from_api({"id": "r1", "flowId": "f1", "metrics": metrics, **fields})


def run_with(status, **fields):
    return run({"statusSummary": {"status": status}, **fields})


def test_any_mapping_is_read_like_a_dict():
    summary = {"statusSummary": {"status": "failed"}, "recordSummary": {"inputRecordCount": 7}}
    activity = {"statusSummary": {"extensions": {"errors": [{"code": "C-1", "message": "No"}]}}}
    item = {"id": "r1", "flowId": "f1", "metrics": summary, "activities": [activity]}

    def read_only(value):
        if isinstance(value, dict):
            return MappingProxyType({key: read_only(each) for key, each in value.items()})
        return [read_only(each) for each in value] if isinstance(value, list) else value

    found = DataflowRun.from_api(read_only(item))

    assert found == DataflowRun.from_api(item)
    assert (found.status, found.input_records, found.errors[0].code) == ("failed", 7, "C-1")


# Statuses


@pytest.mark.parametrize("status", SUCCESSFUL)
def test_success_is_success_however_it_is_spelt(status):
    found = run_with(status)

    assert (found.is_terminal, found.is_successful) == (True, True)
    assert (found.is_partial, found.is_failed) == (False, False)


@pytest.mark.parametrize("status", PARTIAL)
def test_success_in_part_is_neither_success_nor_failure(status):
    found = run_with(status)

    assert (found.is_terminal, found.is_partial) == (True, True)
    assert (found.is_successful, found.is_failed) == (False, False)


@pytest.mark.parametrize("status", FAILED)
def test_failure_is_failure_however_it_is_spelt(status):
    found = run_with(status)

    assert (found.is_terminal, found.is_failed) == (True, True)
    assert (found.is_successful, found.is_partial) == (False, False)


@pytest.mark.parametrize("status", UNFINISHED)
def test_a_run_on_its_way_is_not_at_its_end(status):
    found = run_with(status)

    assert not found.is_terminal
    assert found.is_status_known


@pytest.mark.parametrize("status", [*UNKNOWN, 7, True, ["success"], {"value": "success"}])
def test_an_unknown_status_counts_as_running(status):
    found = run_with(status)

    assert not found.is_terminal
    assert not found.is_status_known


def test_the_end_is_not_told_by_a_time():
    # A failed run may lack its end, and a running one is no end without its status.
    assert not run({"durationSummary": {"completedAtUTC": 1_700_000_000_000}}).is_terminal
    assert run_with("failed", durationSummary={}).is_failed


# Numbers and times


@pytest.mark.parametrize(
    ("value", "number"),
    [(7, 7), ("7", 7), (7.0, 7), (0, 0), ("0", 0)]
    + [(value, None) for value in (-1, "-1", None, "many", True, [], {}, "", 1e400, 2**70)],
)
def test_numbers_may_be_text_missing_or_unknown(value, number):
    found = run({"recordSummary": {"inputRecordCount": value}})

    assert found.input_records == number


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        (1_590_512_053_000, 1_590_512_053_000),
        (1_590_512_053, 1_590_512_053_000),  # seconds, as some samples write it
        ("1590512053", 1_590_512_053_000),
        ("1590512053000", 1_590_512_053_000),
        *((value, None) for value in (0, -1, None, "yesterday", 10**18, True)),
    ],
)
def test_times_may_be_seconds_or_text(value, milliseconds):
    found = run({"durationSummary": {"startedAtUTC": value}}, createdAt=value)

    assert found.started_at == found.created_at == milliseconds


def test_destinations_have_another_word_for_the_end():
    assert run({"durationSummary": {"stoppedAtUTC": 1_700_000_000_000}}).completed_at


NOTHING_OUT = {
    "sizeSummary": {"inputBytes": 0, "outputBytes": 0},
    "fileSummary": {"outputFileCount": 0},
}


@pytest.mark.parametrize(
    ("metrics", "ingested"),
    [
        ({"recordSummary": {"inputRecordCount": 0}}, 0),  # and no output count at all
        ({"recordSummary": {"inputRecordCount": 5, "outputRecordCount": 4}}, 4),
        ({"recordSummary": {"inputRecordCount": 5}}, None),
        ({"recordSummary": {}}, None),
        ({}, None),
        # No `recordSummary` at all, as in a sample of Adobe's page on notifications.
        (NOTHING_OUT, 0),
        ({"sizeSummary": {"outputBytes": 0}}, None),
        ({"fileSummary": {"outputFileCount": 0}}, None),
        ({**NOTHING_OUT, "sizeSummary": {"outputBytes": -1}}, None),
        ({**NOTHING_OUT, "recordSummary": {"outputRecordCount": 3}}, 3),
        # Runs of identities and profiles update what is there.
        (
            {
                "recordSummary": {
                    "inputRecordCount": 1,
                    "outputRecordCount": 0,
                    "updatedRecordCount": 1,
                }
            },
            1,
        ),
        ({"recordSummary": {"outputRecordCount": 9, "updatedRecordCount": 2}}, 9),
        ({"recordSummary": {"inputRecordCount": 9, "createdRecordCount": 9}}, 9),
        ({"recordSummary": {"outputRecordCount": 0, "createdRecordCount": 1}}, 1),
        ({"recordSummary": {"inputRecordCount": 9, "updatedRecordCount": 0}}, None),
        ({**NOTHING_OUT, "recordSummary": {"inputRecordCount": 9}}, None),
        # A filter skips all that was read.
        ({"recordSummary": {"inputRecordCount": 7, "skippedRecordCount": 7}}, 0),
        ({"recordSummary": {"inputRecordCount": 7, "skippedRecordCount": 6}}, None),
        (
            {
                "recordSummary": {
                    "inputRecordCount": 7,
                    "skippedRecordCount": 6,
                    "failedRecordCount": 1,
                }
            },
            0,
        ),
    ],
)
def test_how_many_records_arrived(metrics, ingested):
    assert run(metrics).ingested_records == ingested


@pytest.mark.parametrize("place", ["metrics", "activities"])
def test_the_window_is_found_where_it_stands(place):
    duration = {
        "durationSummary": {"extensions": {"windowStart": 1_700_000_000, "windowEnd": "1700003600"}}
    }
    fields = {"metrics": duration} if place == "metrics" else {"activities": [{}, duration]}

    assert run(**fields).window == (1_700_000_000_000, 1_700_003_600_000)


def test_the_window_of_an_on_demand_run_stands_in_its_parameters():
    params = {"windowStartTime": "1700000000", "windowEndTime": "1700003600", "startTime": "1"}
    found = run(params=params)

    assert found.window == (1_700_000_000_000, 1_700_003_600_000)
    assert found.used_window is None


def test_the_window_that_was_used_goes_before_the_one_that_was_asked_for():
    used = {"extensions": {"windowStart": 1_700_000_000_000, "windowEnd": 1_700_003_600_000}}
    params = {"windowStartTime": "1600000000", "windowEndTime": "1600003600"}

    found = run({"durationSummary": used}, params=params)

    assert found.window == found.used_window == (1_700_000_000_000, 1_700_003_600_000)


@pytest.mark.parametrize(
    "extensions", [None, {}, {"windowStart": 1_700_000_000}, {"windowEnd": -1}]
)
def test_half_a_window_is_none(extensions):
    assert run({"durationSummary": {"extensions": extensions}}).window is None


@pytest.mark.parametrize(
    ("group", "key", "name"),
    [
        ("recordSummary", "createdRecordCount", "created_records"),
        ("recordSummary", "updatedRecordCount", "updated_records"),
        ("recordSummary", "skippedRecordCount", "skipped_records"),
        ("recordSummary", "failedRecordCount", "failed_records"),
        ("sizeSummary", "inputBytes", "input_bytes"),
        ("sizeSummary", "outputBytes", "output_bytes"),
        ("fileSummary", "failedFileCount", "failed_files"),
        ("fileSummary", "skippedFileCount", "skipped_files"),
    ],
)
@pytest.mark.parametrize(("value", "number"), [(7, 7), ("7", 7), (-1, None), (None, None)])
def test_each_count_is_read_and_in_the_summary(group, key, name, value, number):
    found = run({group: {key: value}})

    assert getattr(found, name) == found.summary[name] == number


# Where the data landed


def target(*ids, kind="Batch"):
    return {"id": "t1", "type": "TargetConnection", "reference": {"type": kind, "ids": list(ids)}}


@pytest.mark.parametrize("activities", ["activities", "activites"])
@pytest.mark.parametrize("kind", ["Batch", "batch", "BATCH"])
def test_the_batches_are_those_that_activities_refer_to(activities, kind):
    steps = [
        {"sourceInfo": [target("adf-1", kind="AdfRunId")], "targetInfo": None},
        {"targetInfo": [target("01A", "01B", kind=kind), target("01A", 7, None, kind=kind)]},
        {"targetInfo": [target("x1", kind="Profile"), {"reference": None}, None]},
    ]

    assert run(**{activities: steps}).batch_ids == ("01A", "01B")


def test_few_of_many_batches_are_described_and_a_hundred_are_in_the_summary():
    found = run_with("success")
    many = run(activities=[{"targetInfo": [target(*map(str, range(250)))]}])

    assert "batch" not in found.description
    assert many.description.endswith("no status yet, batch 0, 1, 2 and 247 more.")
    assert many.summary["batch_ids"] == [str(number) for number in range(100)]
    assert len(many.batch_ids) == 250


BATCH_URL = "https://platform.adobe.io/data/foundation/export/batches/01A/meta?path="
MANIFEST = {
    "manifest": {
        "failedRecords": f"{BATCH_URL}row_errors",
        "sampleErrors": f"{BATCH_URL}row_error_samples.json",
    }
}


@pytest.mark.parametrize("place", ["metrics", "activities"])
def test_the_addresses_of_rejected_rows_are_found_where_they_stand(place):
    status = {"statusSummary": {"status": "success", "extensions": MANIFEST}}
    fields = {"metrics": status} if place == "metrics" else {"activities": [{}, status]}
    found = run(**fields)

    assert found.failed_records_url == f"{BATCH_URL}row_errors"
    assert found.sample_errors_url == f"{BATCH_URL}row_error_samples.json"


@pytest.mark.parametrize("value", [None, 7, "", "row_errors", ["https://x"], "https://a b", "x:y"])
def test_what_is_no_address_is_none(value):
    extensions = {"manifest": {"failedRecords": value}}

    assert run({"statusSummary": {"extensions": extensions}}).failed_records_url is None


# Nearly nothing


@pytest.mark.parametrize(
    "metrics", [None, {}, [], "x", {"statusSummary": None}, {"recordSummary": 7}]
)
def test_a_run_may_lack_nearly_everything(metrics):
    found = run(metrics, activities=None, predecessors=None, latencySummary=None)

    assert (found.status, found.errors, found.input_records) == ("", (), None)
    assert found.description == "Dataflow run r1 of flow f1: no status yet."


@pytest.mark.parametrize("item", [{}, {"id": None}, {"id": ""}, {"id": 7}, {"id": " \n"}])
def test_a_run_without_an_id_is_none(item):
    with pytest.raises(ValueError, match="without an ID"):
        DataflowRun.from_api(item)


def test_what_the_package_does_not_need_is_passed_over():
    assert run({}, params={"dataSetId": "d1"}, providerRefId=7, flowSpec=None) == run({})


# Why


def failed_run(**statuses):
    activity = {
        "statusSummary": {
            "status": "failed",
            "errors": [{"code": "CONNECTOR-1001-500", "message": "Error in copying the data."}],
            "extensions": {
                "errorDetail": "ErrorCode=SftpNetworkIssue, host sftp.customer.example",
                "errors": [{"code": "2200", "message": "A connection attempt failed."}],
            },
        }
    }
    return run(
        {
            "recordSummary": {"inputRecordCount": 5, "failedRecordCount": 5},
            "statusSummary": {
                "status": "failed",
                "errors": [{"code": "CONNECTOR-1001-500", "message": "Error in copying the data."}],
            },
        },
        **{"activities": [activity], **statuses},
    )


def test_the_activities_own_errors_come_first():
    found = failed_run()

    assert found.errors == (
        RunError("2200", "A connection attempt failed."),
        RunError("CONNECTOR-1001-500", "Error in copying the data."),
    )


def test_the_digest_is_one_line_with_status_reason_and_counts():
    assert failed_run().description == (
        "Dataflow run r1 of flow f1: failed, 5 records read, 5 records rejected. "
        "Reason: 2200: A connection attempt failed."
    )


def test_one_record_is_no_records():
    metrics = {
        "statusSummary": {"status": "success"},
        "recordSummary": {"inputRecordCount": 1, "outputRecordCount": 0},
    }

    assert ": success, 1 record read, 0 records written." in run(metrics).description


def test_what_names_the_customers_hosts_is_kept_apart():
    found = failed_run()

    assert "sftp.customer.example" in found.details[0]
    for shown in (repr(found), found.description, json.dumps(found.summary)):
        assert "sftp.customer.example" not in shown


def test_the_misspelt_key_of_the_published_schema_is_read():
    activity = {"statusSummary": {"errors": [{"code": "133", "message": "No files."}]}}

    assert run(activites=[activity]).errors == (RunError("133", "No files."),)


def test_a_success_may_have_errors():
    found = run(
        {
            "recordSummary": {"failedRecordCount": 1},
            "statusSummary": {"status": "success", "errors": [{"code": "CONNECTOR-2001-500"}]},
        }
    )

    assert found.is_successful
    assert found.failed_records == 1
    assert str(found.errors[0]) == "CONNECTOR-2001-500: (no message)"


@pytest.mark.parametrize(("number", "words"), [("3", "3 records"), ("1", "1 record")])
def test_records_an_error_concerns_are_told(number, words):
    entry = {"code": "MAPPER-3700-400", "message": "Transform", "recordCount": number}
    found = run({"recordSummary": {"failedInfo": [entry]}})

    assert str(found.errors[0]) == f"MAPPER-3700-400: Transform ({words})"


def test_errors_of_the_lake_are_read_where_they_stand_and_as_they_are_worded():
    # As in a sample of Adobe's page on notifications.
    field = "The field: _id does not exist in the target schema. Remove the field and try again."
    found = run(
        {
            "statusSummary": {
                "status": "failed",
                "errors": [{"code": "CTOR-2001-500", "message": "Internal error in Promotion."}],
                "extensions": {"errors": [{"code": "INGEST-1205-400", "description": field}]},
            }
        }
    )

    assert found.error_codes == ("INGEST-1205-400", "CTOR-2001-500")
    assert found.description.endswith(f"failed. Reason: INGEST-1205-400: {field}")
    assert found.summary["error_message"] == field


@pytest.mark.parametrize(
    "place",
    [
        lambda errors: {"metrics": {"statusSummary": {"errors": errors}}},
        lambda errors: {"metrics": {"statusSummary": {"extensions": {"errors": errors}}}},
        lambda errors: {"metrics": {"recordSummary": {"failedInfo": errors}}},
        lambda errors: {"activities": [{"statusSummary": {"errors": errors}}]},
        lambda errors: {"activities": [{"statusSummary": {"extensions": {"errors": errors}}}]},
        lambda errors: {"activities": [{"recordSummary": {"failedInfo": errors}}]},
    ],
)
def test_an_error_without_a_message_is_described(place):
    found = run(**place([{"code": "INGEST-1", "description": "No such field."}]))

    assert found.errors == (RunError("INGEST-1", "No such field."),)


def test_a_code_that_names_no_cause_comes_last():
    codes = ["CTOR-2001-500", "INGEST-1205-400", "CONNECTOR-2001-500", "133"]
    errors = [{"code": code, "message": "no"} for code in codes]

    assert run({"statusSummary": {"errors": errors}}).error_codes == (
        "INGEST-1205-400",
        "133",
        "CTOR-2001-500",
        "CONNECTOR-2001-500",
    )


@pytest.mark.parametrize("place", ["metrics", "activities"])
def test_reasons_for_skipping_are_no_errors(place):
    entry = {"code": "SKIP-1", "message": "Did not match the attribute filter.", "count": 7}
    records = {"recordSummary": {"skippedRecordCount": 7, "skippedInfo": [entry]}}
    fields = {"metrics": records} if place == "metrics" else {"activities": [records]}
    found = run(**fields)

    assert list(map(str, found.skip_reasons)) == [
        "SKIP-1: Did not match the attribute filter. (7 records)"
    ]
    assert found.errors == ()


def test_updates_and_skips_are_described_where_there_are_any():
    records = {"inputRecordCount": 9, "updatedRecordCount": 2, "skippedRecordCount": 7}

    assert ": success, 9 records read, 2 records updated, 7 records skipped." in (
        run_with("success", recordSummary=records).description
    )


def test_errors_that_hold_anything_else_are_passed_over():
    entries = [None, 7, "x", [], {}, {"code": None, "message": ""}, {"code": 2200}]
    found = run({"statusSummary": {"errors": entries}})

    assert [error.code for error in found.errors] == ["2200"]


# Through XCom and triggers


def test_a_summary_is_json_and_brings_the_run_back():
    found = run(
        {
            "durationSummary": {
                "startedAtUTC": 1_700_000_000_123,
                "completedAtUTC": 1_700_000_055_456,
                "extensions": {"windowStart": 1_699_999_200_001, "windowEnd": 1_700_000_000_000},
            },
            "recordSummary": {
                "inputRecordCount": 5,
                "outputRecordCount": 4,
                "failedRecordCount": 1,
            },
            "fileSummary": {"inputFileCount": 2, "outputFileCount": 1, "skippedFileCount": 1},
            "sizeSummary": {"inputBytes": 50, "outputBytes": 40},
            "statusSummary": {
                "status": "success",
                "errors": [{"code": "C", "message": "m"}],
                "extensions": MANIFEST,
            },
        },
        createdAt=1_700_000_016_000,
        activities=[{"targetInfo": [target("01A")]}],
    )
    found = replace(found, dataset_ids=("d1",))

    again = DataflowRun.from_summary(json.loads(json.dumps(found.summary)))

    assert again == found
    assert (again.is_abridged, found.is_abridged) == (True, False)
    assert found.summary["started_at"] == "2023-11-14T22:13:20.123000+00:00"
    assert found.summary["window_start"] == "2023-11-14T22:00:00.001000+00:00"
    assert found.summary["window_end"] == "2023-11-14T22:13:20+00:00"


@pytest.mark.parametrize(
    "more",
    [
        {"later": 1},
        {"status": None},
        {"created_at": "x"},
        {"batch_ids": None},
        {"batch_ids": "01A"},
        {"failed_records_url": 7},
    ],
)
def test_a_summary_of_another_release_is_read(more):
    assert DataflowRun.from_summary({"run_id": "r1", **more}).run_id == "r1"


def test_a_summary_without_a_window_says_so():
    summary = run().summary

    assert (summary["window_start"], summary["window_end"]) == (None, None)
    assert DataflowRun.from_summary(summary).window is None


@pytest.mark.parametrize("known", ["window_start", "window_end"])
def test_half_a_window_in_a_summary_is_none(known):
    summary = {"run_id": "r1", known: "2026-11-24T01:00:00+00:00"}

    assert DataflowRun.from_summary(summary).window is None


@given(
    st.dictionaries(
        st.sampled_from(["id", "flowId", "metrics", "activities", "createdAt"]), json_values
    )
)
def test_any_json_is_a_run_or_a_value_error(item):
    try:
        found = DataflowRun.from_api(item)
    except ValueError:
        return
    assert DataflowRun.from_summary(json.loads(json.dumps(found.summary))).status == found.status
    assert found.description.isprintable()


@given(json_values, json_values, json_values)
def test_any_json_under_metrics_is_passed_over_or_read(status, errors, extensions):
    activity = {
        "statusSummary": {"errors": errors, "extensions": extensions},
        "recordSummary": {"skippedInfo": errors},
        "targetInfo": [{"reference": {"type": "Batch", "ids": errors}}, errors],
    }
    found = run_with(status, recordSummary={"failedInfo": errors})
    deep = run({"statusSummary": {"status": status, "errors": errors}}, activities=[activity])

    assert found.status == deep.status
    assert all(error.message.isprintable() for error in deep.errors)


@given(st.text())
def test_a_status_is_of_one_kind_at_most(status):
    found = run_with(status)

    assert found.is_successful + found.is_partial + found.is_failed == found.is_terminal
    assert not (found.is_terminal and not found.is_status_known)
