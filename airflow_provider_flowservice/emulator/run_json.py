"""What a run's JSON says about its outcome, in the shapes seen in published samples."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_flowservice.emulator.flows import Flow
from airflow_provider_flowservice.emulator.lifecycle import Lifecycle
from airflow_provider_flowservice.emulator.messages import JSON

COPY_ACTIVITY = "4f008a00-3a04-11eb-adc1-0242ac120002"
PROMOTION_ACTIVITY = "37b34f84-1ada-11eb-adc1-0242ac120002"
_EXPORT_ACTIVITY = "c4f238e3-7334-4933-8b56-64d7ea43ea54"

_COPY_ERROR = ("CONNECTOR-1001-500", "Error in copying the data from Source.")
_COPY_CAUSE = {
    "code": "2200",
    "message": "A connection attempt failed because the connected party did not respond.",
}
_PROMOTION_ERROR_PREFIX = "CONNECTOR-2"
_OLDER_ERROR_PREFIX = "CTOR-"
_PROMOTION_CAUSE = {
    "code": "133",
    "message": "We are unable to locate any files uploaded for this batch.",
}
_PROMOTION_ERROR = (
    "CONNECTOR-2001-500",
    "Error in processing (parsing, validation or transformation) the copied data.",
)
_DATA_ERROR_PREFIXES = ("INGEST-", "MAPPER-")
# The reason of a destination is from a published sample, the text of a source's is made up.
_SKIPPED_BY_DESTINATION = ("ACTIVATION_BATCH-0000-SKIP", "Records didn't match attribute filter.")
_SKIPPED_BY_SOURCE = ("SSING-1500-405", "Entity updates are not stored in the data lake.")
_BYTES_PER_RECORD = 240


@dataclass(frozen=True)
class Facts:
    """
    What happened to a run; times are milliseconds since the epoch.

    :param window: Start and end of the data it covers; ``None`` if its activities do not show them.
    :param batch_id: ID of the batch it writes.
    :param lifecycle: What it comes to.
    """

    status: str
    started_at: int
    changed_at: int
    window: tuple[int, int] | None
    batch_id: str
    lifecycle: Lifecycle

    @property
    def ended(self) -> JSON:
        """Duration of a run that has ended."""
        return {"startedAtUTC": self.started_at, "completedAtUTC": self.changed_at}

    @property
    def status_summary(self) -> JSON:
        """Status of an activity without errors."""
        return {"status": self.status, "extensions": {}}

    def counts(self, skip_reason: tuple[str, str] = _SKIPPED_BY_SOURCE) -> JSON:
        """Return the record counts of a run that has read its source."""
        end = self.lifecycle
        counts: JSON = {
            "inputRecordCount": end.read,
            "outputRecordCount": end.written,
            "createdRecordCount": end.written,
            "failedRecordCount": end.failed_records,
        }
        if end.updated_records:
            counts["updatedRecordCount"] = end.updated_records
        if end.skipped_records:
            code, message = skip_reason
            reason = {"code": code, "message": message, "count": end.skipped_records}
            counts |= {"skippedRecordCount": end.skipped_records, "skippedInfo": [reason]}
        return counts


def outcome(flow: Flow, facts: Facts) -> JSON:
    """Return ``metrics`` and ``activities`` of a run."""
    status = facts.status.lower()
    if status in {"failed", "failure", "error"}:
        return _failed(flow, facts)
    if status == "success" and facts.lifecycle.records == 0:
        return _found_nothing(facts) if facts.lifecycle.counted else _loaded_nothing(flow, facts)
    if status in {"success", "partialsuccess"}:
        return _success(flow, facts) if flow.source else _exported(facts)
    return {"metrics": {"statusSummary": {"status": facts.status}}, "activities": []}


def show_window(metrics: JSON, window: tuple[int, int]) -> None:
    """Let the metrics of a run that has ended show the data it covers."""
    if duration := metrics.get("durationSummary"):
        metrics["durationSummary"] = {**duration, "extensions": _window(*window)}


def _success(flow: Flow, facts: Facts) -> JSON:
    counts = facts.counts()
    status: JSON = {"status": facts.status, "activityRefs": [PROMOTION_ACTIVITY]}
    if facts.lifecycle.failed_records:
        message = "Error occurred at promotion activity."
        status["errors"] = [{"code": "CONNECTOR-2001-500", "message": message}]
    metrics = {
        "durationSummary": facts.ended,
        "sizeSummary": _sizes(facts),
        "recordSummary": counts,
        "fileSummary": {"inputFileCount": 1, "outputFileCount": _files_written(facts)},
        "statusSummary": status,
    }
    return {"metrics": metrics, "activities": [_copied(flow, facts), _promoted(flow, facts)]}


def _exported(facts: Facts) -> JSON:
    summaries = {
        "durationSummary": facts.ended,
        "sizeSummary": _sizes(facts),
        "recordSummary": facts.counts(_SKIPPED_BY_DESTINATION),
        "fileSummary": {"inputFileCount": 2, "outputFileCount": _files_written(facts)},
    }
    activity = {
        "id": _EXPORT_ACTIVITY,
        "name": "Activation Batch XdmProcessor Activity",
        "updatedAtUTC": 0,
        "latencySummary": {},
        **summaries,
        "statusSummary": facts.status_summary,
    }
    status = {"status": facts.status, "activityRefs": [_EXPORT_ACTIVITY]}
    return {"metrics": {**summaries, "statusSummary": status}, "activities": [activity]}


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


def _loaded_nothing(flow: Flow, facts: Facts) -> JSON:
    summaries = {
        "sizeSummary": {"inputBytes": 0, "outputBytes": 0},
        "fileSummary": {"inputFileCount": 1, "outputFileCount": 0},
    }
    metrics = {
        "durationSummary": facts.ended,
        **summaries,
        "statusSummary": {"status": facts.status},
    }
    return {"metrics": metrics, "activities": [{**_copied(flow, facts), **summaries}]}


def _failed(flow: Flow, facts: Facts) -> JSON:
    if not flow.source:
        return _destination_failed(facts)
    error = facts.lifecycle.error or _COPY_ERROR
    code, message = error
    if code.startswith(_OLDER_ERROR_PREFIX):
        return _failed_in_older_words(facts, error)
    if code.startswith(_PROMOTION_ERROR_PREFIX):
        return _promotion_failed(flow, facts, error, _PROMOTION_CAUSE)
    if code.startswith(_DATA_ERROR_PREFIXES):
        return _promotion_failed(flow, facts, _PROMOTION_ERROR, _entry(code, message))
    return _copy_failed(facts, error)


def _copy_failed(facts: Facts, error: tuple[str, str]) -> JSON:
    end = facts.lifecycle
    code, message = error
    errors = [_entry(code, message)]
    causes = _causes(end, _COPY_CAUSE)
    records: JSON = {"failedInfo": causes}
    if end.records is not None:
        records |= {"inputRecordCount": end.records, "failedRecordCount": end.failed_records}
    detail = f"ErrorCode=SourceNetworkIssue,'Type=HybridDeliveryException,Message={message}'"
    activity = {
        "id": COPY_ACTIVITY,
        "name": "Amazon S3 Copy Activity",
        "updatedAtUTC": 0,
        "durationSummary": _with_window(facts),
        "statusSummary": {
            "status": facts.status,
            "errors": errors,
            "extensions": {"errorDetail": end.detail or detail, "errors": causes},
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


def _promotion_failed(flow: Flow, facts: Facts, error: tuple[str, str], usual_cause: JSON) -> JSON:
    # Such a run has no end, and -1 for all it could not count.
    errors = [_entry(*error)]
    causes = _causes(facts.lifecycle, usual_cause)
    activity = {
        "id": PROMOTION_ACTIVITY,
        "name": "Promotion Activity",
        "updatedAtUTC": 0,
        "durationSummary": {"startedAtUTC": facts.started_at},
        "statusSummary": {
            "status": facts.status,
            "errors": errors,
            "extensions": {"errors": causes} if causes else {},
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


def _failed_in_older_words(facts: Facts, error: tuple[str, str]) -> JSON:
    # As the first version of Adobe's page on notifications has it: without activities, and with
    # the text of a cause in ``description``.
    causes = facts.lifecycle.causes or ()
    metrics = {
        "durationSummary": facts.ended,
        "statusSummary": {
            "status": facts.status,
            "errors": [_entry(*error)],
            "extensions": {
                "errors": [{"code": code, "description": text} for code, text in causes]
            },
        },
    }
    return {"metrics": metrics, "activities": []}


def _destination_failed(facts: Facts) -> JSON:
    error = facts.lifecycle.error or ("ACTIVATION_BATCH-0000-FAILED", "Job aborted.")
    metrics = {
        "durationSummary": facts.ended,
        "statusSummary": {"status": facts.status, "errors": [_entry(*error)]},
    }
    return {"metrics": metrics, "activities": []}


def _causes(end: Lifecycle, usual: JSON) -> list[JSON]:
    return [usual] if end.causes is None else [_entry(*cause) for cause in end.causes]


def _entry(code: str, message: str) -> JSON:
    return {"code": code, "message": message}


def _sizes(facts: Facts) -> JSON:
    size = facts.lifecycle.read * _BYTES_PER_RECORD
    return {
        "inputBytes": size,
        "outputBytes": 0 if facts.lifecycle.ingests_nothing else size * 7 // 10,
    }


def _files_written(facts: Facts) -> int:
    return 0 if facts.lifecycle.ingests_nothing else 1


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
    if facts.lifecycle.failed_records:
        status["extensions"] = _rejections(facts)
    activity = {
        "id": PROMOTION_ACTIVITY,
        "name": "Promotion Activity",
        "updatedAtUTC": 0,
        "durationSummary": facts.ended,
        "recordSummary": facts.counts(),
        "fileSummary": {"inputFileCount": 2, "outputFileCount": _files_written(facts)},
        "statusSummary": status,
    }
    if not facts.lifecycle.ingests_nothing or facts.lifecycle.failed_records:
        activity["targetInfo"] = [
            {
                "id": flow.target_connection_id,
                "type": "TargetConnection",
                "reference": {"type": "Batch", "ids": [facts.batch_id]},
            }
        ]
    return activity


def _rejections(facts: Facts) -> JSON:
    # The host is that of the real service, whatever address the run was read from.
    batch = f"https://platform.adobe.io/data/foundation/export/batches/{facts.batch_id}"
    count, written = facts.lifecycle.failed_records, facts.lifecycle.written
    message = f"Encountered {count} errors in the data. Successfully ingested {written} rows."
    return {
        "manifest": {
            "failedRecords": f"{batch}/meta?path=row_errors",
            "sampleErrors": f"{batch}/meta?path=row_error_samples.json",
        },
        "errors": [
            _entry("INGEST-1212-400", message),
            {"code": "MAPPER-3700-400", "recordCount": count, "message": "Mapper Transform Error"},
        ],
    }


def _with_window(facts: Facts) -> JSON:
    if facts.window is None:
        return facts.ended
    return {**facts.ended, "extensions": _window(*facts.window)}


def _window(start: int, end: int) -> JSON:
    return {"windowStart": start, "windowEnd": end}
