"""What a run's JSON says about its outcome, in the shapes seen in published samples."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_flowservice.emulator.flows import Flow
from airflow_provider_flowservice.emulator.messages import JSON

COPY_ACTIVITY = "4f008a00-3a04-11eb-adc1-0242ac120002"
PROMOTION_ACTIVITY = "37b34f84-1ada-11eb-adc1-0242ac120002"

_COPY_ERROR = ("CONNECTOR-1001-500", "Error in copying the data from Source.")
_COPY_CAUSE = {
    "code": "2200",
    "message": "A connection attempt failed because the connected party did not respond.",
}
_PROMOTION_ERROR_PREFIX = "CONNECTOR-2"
_PROMOTION_CAUSE = {
    "code": "133",
    "message": "We are unable to locate any files uploaded for this batch.",
}
_PROMOTION_ERROR = (
    "CONNECTOR-2001-500",
    "Error in processing (parsing, validation or transformation) the copied data.",
)
_DATA_ERROR_PREFIXES = ("INGEST-", "MAPPER-")
_BYTES_PER_RECORD = 240


@dataclass(frozen=True)
class Facts:
    """What happened to a run; times are milliseconds since the epoch."""

    status: str
    started_at: int
    changed_at: int
    window: tuple[int, int]
    batch_id: str
    records: int | None
    failed_records: int
    error: tuple[str, str] | None

    @property
    def ended(self) -> JSON:
        """Duration of a run that has ended."""
        return {"startedAtUTC": self.started_at, "completedAtUTC": self.changed_at}

    @property
    def status_summary(self) -> JSON:
        """Status of an activity without errors."""
        return {"status": self.status, "extensions": {}}

    def counts(self) -> JSON:
        """Return the record counts of a run that has read its source."""
        read = 100 if self.records is None else self.records
        written = read - self.failed_records
        return {
            "inputRecordCount": read,
            "outputRecordCount": written,
            "createdRecordCount": written,
            "failedRecordCount": self.failed_records,
        }


def outcome(flow: Flow, facts: Facts) -> JSON:
    """Return ``metrics`` and ``activities`` of a run."""
    status = facts.status.lower()
    if status in {"failed", "failure", "error"}:
        return _failed(flow, facts)
    if status == "success" and facts.records == 0:
        return _found_nothing(facts)
    if status in {"success", "partialsuccess"}:
        return _success(flow, facts)
    return {"metrics": {"statusSummary": {"status": facts.status}}, "activities": []}


def _success(flow: Flow, facts: Facts) -> JSON:
    counts = facts.counts()
    size = counts["inputRecordCount"] * _BYTES_PER_RECORD
    status: JSON = {"status": facts.status, "activityRefs": [PROMOTION_ACTIVITY]}
    if facts.failed_records:
        message = "Error occurred at promotion activity."
        status["errors"] = [{"code": "CONNECTOR-2001-500", "message": message}]
    metrics = {
        "durationSummary": facts.ended,
        "sizeSummary": {"inputBytes": size, "outputBytes": size * 7 // 10},
        "recordSummary": counts,
        "fileSummary": {"inputFileCount": 1, "outputFileCount": 1},
        "statusSummary": status,
    }
    return {"metrics": metrics, "activities": [_copied(flow, facts), _promoted(flow, facts)]}


def _found_nothing(facts: Facts) -> JSON:
    # There is no output count at all, not a zero.
    nothing = {"inputRecordCount": 0}
    activity = {
        "id": COPY_ACTIVITY,
        "name": "Amazon S3 Copy Activity",
        "updatedAtUTC": 0,
        "durationSummary": _with_window(facts),
        "recordSummary": nothing,
        "fileSummary": {},
        "statusSummary": facts.status_summary,
    }
    metrics = {
        "durationSummary": facts.ended,
        "sizeSummary": {"inputBytes": 0},
        "recordSummary": nothing,
        "statusSummary": {"status": facts.status},
    }
    return {"metrics": metrics, "activities": [activity]}


def _failed(flow: Flow, facts: Facts) -> JSON:
    if not flow.source:
        return _destination_failed(facts)
    code, _ = facts.error or _COPY_ERROR
    if code.startswith(_PROMOTION_ERROR_PREFIX):
        return _promotion_failed(flow, facts, facts.error or _COPY_ERROR, _PROMOTION_CAUSE)
    if facts.error and code.startswith(_DATA_ERROR_PREFIXES):
        cause = dict(zip(("code", "message"), facts.error, strict=True))
        return _promotion_failed(flow, facts, _PROMOTION_ERROR, cause)
    return _copy_failed(facts)


def _copy_failed(facts: Facts) -> JSON:
    code, message = facts.error or _COPY_ERROR
    errors = [{"code": code, "message": message}]
    records: JSON = {"failedInfo": [_COPY_CAUSE]}
    if facts.records is not None:
        records |= {"inputRecordCount": facts.records, "failedRecordCount": facts.failed_records}
    detail = f"ErrorCode=SourceNetworkIssue,'Type=HybridDeliveryException,Message={message}'"
    activity = {
        "id": COPY_ACTIVITY,
        "name": "Amazon S3 Copy Activity",
        "updatedAtUTC": 0,
        "durationSummary": _with_window(facts),
        "statusSummary": {
            "status": facts.status,
            "errors": errors,
            "extensions": {"errorDetail": detail, "errors": [_COPY_CAUSE]},
        },
    }
    metrics = {
        "durationSummary": facts.ended,
        "recordSummary": records,
        "statusSummary": {
            "status": facts.status,
            "errors": errors,
            "activityRefs": [COPY_ACTIVITY],
        },
    }
    return {"metrics": metrics, "activities": [activity]}


def _promotion_failed(flow: Flow, facts: Facts, error: tuple[str, str], cause: JSON) -> JSON:
    # Such a run has no end, and -1 for all it could not count.
    code, message = error
    errors = [{"code": code, "message": message}]
    activity = {
        "id": PROMOTION_ACTIVITY,
        "name": "Promotion Activity",
        "updatedAtUTC": 0,
        "durationSummary": {"startedAtUTC": facts.started_at},
        "statusSummary": {
            "status": facts.status,
            "errors": errors,
            "extensions": {"errors": [cause]},
        },
    }
    copied = _copied(flow, facts)
    copied["statusSummary"] = {"status": "success", "extensions": {}}
    metrics = {
        "durationSummary": {"startedAtUTC": facts.started_at},
        "sizeSummary": {"inputBytes": -1},
        "fileSummary": {"inputFileCount": -1},
        "statusSummary": {"status": facts.status, "errors": errors},
    }
    return {"metrics": metrics, "activities": [copied, activity]}


def _destination_failed(facts: Facts) -> JSON:
    code, message = facts.error or ("ACTIVATION_BATCH-0000-FAILED", "Job aborted.")
    errors = [{"code": code, "message": message}]
    metrics = {
        "durationSummary": facts.ended,
        "statusSummary": {"status": facts.status, "errors": errors},
    }
    return {"metrics": metrics, "activities": []}


def _copied(flow: Flow, facts: Facts) -> JSON:
    return {
        "id": COPY_ACTIVITY,
        "name": "Amazon S3 Copy Activity",
        "updatedAtUTC": 0,
        "durationSummary": _with_window(facts),
        "latencySummary": {},
        "recordSummary": {},
        "fileSummary": {"inputFileCount": 1, "outputFileCount": 1},
        "statusSummary": facts.status_summary,
        "sourceInfo": [
            {
                "id": flow.source_connection_id,
                "type": "SourceConnection",
                "reference": {"type": "AdfRunId", "ids": [f"adf-{facts.started_at}"]},
            }
        ],
    }


def _promoted(flow: Flow, facts: Facts) -> JSON:
    status = facts.status_summary
    if facts.failed_records:
        status["extensions"] = _rejections(facts)
    return {
        "id": PROMOTION_ACTIVITY,
        "name": "Promotion Activity",
        "updatedAtUTC": 0,
        "durationSummary": facts.ended,
        "recordSummary": facts.counts(),
        "fileSummary": {"inputFileCount": 2, "outputFileCount": 1},
        "statusSummary": status,
        "targetInfo": [
            {
                "id": flow.target_connection_id,
                "type": "TargetConnection",
                "reference": {"type": "Batch", "ids": [facts.batch_id]},
            }
        ],
    }


def _rejections(facts: Facts) -> JSON:
    batch = f"https://platform.adobe.io/data/foundation/export/batches/{facts.batch_id}"
    count = facts.failed_records
    written = facts.counts()["outputRecordCount"]
    message = f"Encountered {count} errors in the data. Successfully ingested {written} rows."
    return {
        "manifest": {
            "failedRecords": f"{batch}/meta?path=row_errors",
            "sampleErrors": f"{batch}/meta?path=row_error_samples.json",
        },
        "errors": [
            {"code": "INGEST-1212-400", "message": message},
            {"code": "MAPPER-3700-400", "recordCount": count, "message": "Mapper Transform Error"},
        ],
    }


def _with_window(facts: Facts) -> JSON:
    start, end = facts.window
    return {**facts.ended, "extensions": {"windowStart": start, "windowEnd": end}}
