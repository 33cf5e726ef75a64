"""The named lifecycles, whose JSON is documented and easily read wrong."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice.emulator import Lifecycle
from airflow_provider_flowservice.emulator.filters import values_at

NAMED = {
    "rejects": Lifecycle.rejects(3, of=1200),
    "skips": Lifecycle.skips(40),
    "skips all": Lifecycle.skips(100),
    "updates only": Lifecycle.updates_only(),
    "loads nothing": Lifecycle.loads_nothing(),
    "fails on a field": Lifecycle.fails_on_field(),
    "fails without a cause": Lifecycle.fails_without_cause(),
    "source credential expired": Lifecycle.source_credential_expired(),
    "source access denied": Lifecycle.source_access_denied(),
}
COUNTS = "metrics.recordSummary"
STATUS = "metrics.statusSummary"
IN_ACTIVITIES = "activities[].statusSummary.extensions"


def values(run, path):
    return list(values_at(run, path))


@pytest.mark.parametrize("how", ["planned", "added"])
@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        ("rejects", f"{STATUS}.status", ["success"]),
        ("rejects", f"{COUNTS}.inputRecordCount", [1200]),
        ("rejects", f"{COUNTS}.outputRecordCount", [1197]),
        ("rejects", f"{COUNTS}.failedRecordCount", [3]),
        ("rejects", f"{STATUS}.errors[].code", ["CONNECTOR-2001-500"]),
        ("rejects", f"{IN_ACTIVITIES}.errors[].code", ["INGEST-1212-400", "MAPPER-3700-400"]),
        ("skips", f"{STATUS}.status", ["success"]),
        ("skips", f"{COUNTS}.outputRecordCount", [60]),
        ("skips", f"{COUNTS}.skippedRecordCount", [40]),
        ("skips", f"{COUNTS}.skippedInfo[].count", [40]),
        ("skips", f"{COUNTS}.skippedInfo[].code", ["SSING-1500-405"]),
        ("skips", f"{STATUS}.errors[]", []),
        ("skips all", f"{COUNTS}.outputRecordCount", [0]),
        ("skips all", "metrics.fileSummary.outputFileCount", [0]),
        ("skips all", "activities[].targetInfo[]", []),
        ("updates only", f"{STATUS}.status", ["success"]),
        ("updates only", f"{COUNTS}.inputRecordCount", [1]),
        ("updates only", f"{COUNTS}.outputRecordCount", [0]),
        ("updates only", f"{COUNTS}.updatedRecordCount", [1]),
        ("loads nothing", f"{STATUS}.status", ["success"]),
        ("loads nothing", COUNTS, []),
        ("loads nothing", "metrics.sizeSummary.inputBytes", [0]),
        ("loads nothing", "metrics.sizeSummary.outputBytes", [0]),
        ("loads nothing", "metrics.fileSummary.outputFileCount", [0]),
        ("fails on a field", f"{STATUS}.status", ["failed"]),
        ("fails on a field", f"{STATUS}.errors[].code", ["CTOR-2001-500"]),
        ("fails on a field", f"{STATUS}.extensions.errors[].code", ["INGEST-1205-400"]),
        ("fails on a field", f"{STATUS}.extensions.errors[].message", []),
        (
            "fails on a field",
            f"{STATUS}.extensions.errors[].description",
            ["The field: _id does not exist in the target schema. Remove the field and try again."],
        ),
        ("fails without a cause", f"{STATUS}.errors[].code", ["CONNECTOR-2001-500"]),
        ("fails without a cause", f"{IN_ACTIVITIES}.errors[]", []),
        ("source credential expired", f"{STATUS}.errors[].code", ["CONNECTOR-1001-500"]),
        ("source credential expired", f"{IN_ACTIVITIES}.errors[].code", ["2200"]),
        ("source access denied", f"{STATUS}.errors[].code", ["CONNECTOR-1001-500"]),
        ("source access denied", f"{IN_ACTIVITIES}.errors[].code", ["2200"]),
    ],
)
def test_a_named_lifecycle_ends_as_documented(emulator, client, flow_id, how, name, path, expected):
    if how == "added":
        run_id = emulator.add_run(flow_id, ended=NAMED[name])
    else:
        emulator.plan(flow_id, NAMED[name])
        _, started = client.retrigger(emulator.add_run(flow_id))
        run_id = started["id"]
        assert client.status_of(run_id) == "inProgress"

    assert values(emulator.run(run_id), path) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("source credential expired", "AADSTS7000222: The provided client secret keys for app '"),
        ("source credential expired", "invalid_client"),
        ("source access denied", "(403) Forbidden"),
    ],
)
def test_the_source_says_in_its_own_words_why_it_lets_nobody_in(emulator, flow_id, name, text):
    run = emulator.run(emulator.add_run(flow_id, ended=NAMED[name]))
    (detail,) = values(run, f"{IN_ACTIVITIES}.errorDetail")

    assert text in detail


def test_the_rejected_rows_are_found_under_the_batch_that_was_written(emulator, flow_id):
    emulator.step_seconds = 0
    runs = [emulator.run(emulator.add_run(flow_id, ended=NAMED["rejects"])) for _ in range(2)]
    batches = [values(run, "activities[].targetInfo[].reference.ids[]") for run in runs]
    for run, (batch,) in zip(runs, batches, strict=True):
        start = f"https://platform.adobe.io/data/foundation/export/batches/{batch}/meta?path="

        assert values(run, f"{IN_ACTIVITIES}.manifest.failedRecords") == [f"{start}row_errors"]
        assert values(run, f"{IN_ACTIVITIES}.manifest.sampleErrors") == [
            f"{start}row_error_samples.json"
        ]
    assert batches[0] != batches[1]


def test_the_batch_stays_the_same_when_statuses_begin_anew(emulator, flow_id):
    run_id = emulator.add_run(flow_id, "success")
    path = "activities[].targetInfo[].reference.ids[]"
    before = values(emulator.run(run_id), path)
    emulator.script(run_id, ["success"])

    assert values(emulator.run(run_id), path) == before != []


def test_a_destination_skips_by_its_filter(emulator):
    flow_id = emulator.add_flow(source=False)
    run = emulator.run(emulator.add_run(flow_id, ended=Lifecycle.skips(24, of=600)))
    reason = {
        "code": "ACTIVATION_BATCH-0000-SKIP",
        "message": "Records didn't match attribute filter.",
        "count": 24,
    }

    assert values(run, f"{STATUS}.status") == ["success"]
    assert values(run, f"{COUNTS}.createdRecordCount") == [576]
    assert values(run, f"{COUNTS}.skippedInfo[]") == [reason]
    assert values(run, "activities[].recordSummary.skippedInfo[]") == [reason]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("loads nothing", 200),
        ("skips all", 200),
        ("fails without a cause", 200),
        ("source credential expired", 200),
        ("skips", 400),
        ("rejects", 400),
        ("updates only", 400),
    ],
)
def test_what_has_ingested_nothing_can_be_run_again(emulator, client, flow_id, name, status):
    assert client.retrigger(emulator.add_run(flow_id, ended=NAMED[name]))[0] == status


@pytest.mark.parametrize(
    "make",
    [
        lambda: Lifecycle.rejects(101),
        lambda: Lifecycle.skips(3, of=2),
        lambda: Lifecycle(records=5, failed_records=3, skipped_records=3),
    ],
)
def test_no_more_can_be_rejected_and_skipped_than_is_read(make):
    with pytest.raises(ValueError, match="records read"):
        make()


def test_a_run_that_has_ended_shows_its_last_status_at_once(emulator, client, flow_id):
    run_id = emulator.add_run(flow_id, ended=Lifecycle(["scheduled", "inProgress", "failed"]))

    assert client.status_of(run_id) == "failed"


def test_named_lifecycles_can_be_asked_for_over_http(emulator, client, flow_id):
    named = {"named": "rejects", "failed_records": 3, "of": 1200}
    _, added = client.control("POST", "runs", {"flow_id": flow_id, "ended": named})
    failed = emulator.add_run(flow_id)
    client.control("POST", "plan", {"id": failed, "lifecycles": [{"named": "loads_nothing"}]})
    _, started = client.retrigger(failed)

    assert values(emulator.run(added["id"]), f"{COUNTS}.failedRecordCount") == [3]
    assert client.status_of(started["id"]) == "inProgress"
    assert values(emulator.run(started["id"]), "metrics.sizeSummary.outputBytes") == [0]
