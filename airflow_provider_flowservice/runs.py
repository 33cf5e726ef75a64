"""What a dataflow run is, and what its status means."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, TypedDict

from airflow_provider_flowservice._json import (
    count,
    identifier,
    line,
    mapping,
    mappings,
    milliseconds,
)

__all__ = ["NON_RETRYABLE_CODES", "DataflowRun", "RunError", "RunSummary", "meaning_of"]

# Compared in lower case without "_", "-" and blanks, see `_normalized`. Only `success`, `failed`,
# `partialSuccess`, `inProgress` and `failure` are evidenced for runs; the others are near relatives.
SUCCESSFUL = frozenset({"success", "succeeded", "completed", "complete", "finished"})
PARTIAL = frozenset(
    {"partialsuccess", "partialfailure", "partiallycompleted", "completedwitherrors", "warning"}
)
UNSUCCESSFUL = frozenset(
    {"failed", "failure", "error", "cancelled", "canceled", "aborted", "timedout"}
)
UNFINISHED = frozenset(
    {"inprogress", "scheduled", "processing", "waiting", "pending", "queued", "running", "started"}
)


NON_RETRYABLE_CODES = (
    "ACTIVATION_BATCH-",  # of a destination, whose runs cannot be re-triggered
    "CONNECTOR-2001-",  # the data could not be parsed, validated or transformed
    "INGEST-",  # the lake rejected the data
    "MAPPER-",  # the mapping does not fit the data
)
"""How error codes begin that no re-trigger mends: it loads the same data with the same mapping."""


_LONGEST_DETAIL = 4000


@dataclass(frozen=True)
class RunError:
    """
    One reason the service gives for what went wrong in a run.

    :param code: The service's code, such as ``CONNECTOR-1001-500``.
    :param message: The service's words.
    :param records: Number of records it concerns, where the service says so.
    """

    code: str
    message: str
    records: int | None = None

    def __str__(self) -> str:
        number = "" if self.records is None else f" ({self.records} records)"
        return f"{self.code}: {self.message}{number}"


class RunSummary(TypedDict):
    """A run as XCom and trigger events carry it: small, and JSON only."""

    run_id: str
    flow_id: str
    status: str
    created_at: str | None
    started_at: str | None
    completed_at: str | None
    input_records: int | None
    output_records: int | None
    failed_records: int | None
    input_files: int | None
    output_files: int | None
    output_bytes: int | None
    error_code: str | None
    error_message: str | None


@dataclass(frozen=True)
class DataflowRun:
    """
    A dataflow run, as the service last reported it.

    A status the package does not know counts as still running. Times are epoch milliseconds. A
    number the service does not know, or writes as ``-1``, is ``None``.

    :param details: What the source's or target's own software said. It may name the customer's
        hosts, so it is for the task's log only.
    """

    run_id: str
    flow_id: str
    status: str
    created_at: int | None = None
    created_client: str | None = None
    started_at: int | None = None
    completed_at: int | None = None
    window: tuple[int, int] | None = None
    input_records: int | None = None
    output_records: int | None = None
    failed_records: int | None = None
    input_files: int | None = None
    output_files: int | None = None
    output_bytes: int | None = None
    errors: tuple[RunError, ...] = ()
    details: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def from_api(cls, item: Mapping[str, Any]) -> DataflowRun:
        """
        Read a run as the service writes it; all but its ID may be missing.

        :raises ValueError: There is no run ID.
        """
        if not (run_id := identifier(item.get("id"))):
            raise ValueError("a dataflow run without an ID")
        metrics = mapping(item, "metrics")
        times, records, files = (
            mapping(metrics, name) for name in ("durationSummary", "recordSummary", "fileSummary")
        )
        return cls(
            run_id=run_id,
            flow_id=identifier(item.get("flowId")),
            # A status that is no text is an unknown one, and not none.
            status=line(mapping(metrics, "statusSummary").get("status"), longest=100),
            created_at=milliseconds(item.get("createdAt")),
            created_client=identifier(item.get("createdClient")) or None,
            started_at=milliseconds(times.get("startedAtUTC")),
            # `stoppedAtUTC` is the name in the schema of destination runs.
            completed_at=milliseconds(times.get("completedAtUTC") or times.get("stoppedAtUTC")),
            window=_window(item),
            input_records=count(records.get("inputRecordCount")),
            output_records=count(records.get("outputRecordCount")),
            failed_records=count(records.get("failedRecordCount")),
            input_files=count(files.get("inputFileCount")),
            output_files=count(files.get("outputFileCount")),
            output_bytes=count(mapping(metrics, "sizeSummary").get("outputBytes")),
            errors=tuple(dict.fromkeys(_errors_in(item))),
            details=tuple(dict.fromkeys(_details_in(item))),
        )

    @classmethod
    def from_summary(cls, summary: Mapping[str, Any]) -> DataflowRun:
        """
        Read a run back from its summary; keys of other releases are passed over.

        :raises ValueError: There is no run ID.
        """
        if not (run_id := identifier(summary.get("run_id"))):
            raise ValueError("a summary without a run ID")
        code, message = line(summary.get("error_code")), line(summary.get("error_message"))
        numbers: dict[str, Any] = {
            **{name: _from_iso(summary.get(name)) for name in _TIMES},
            **{name: count(summary.get(name)) for name in _COUNTS},
        }
        return cls(
            run_id=run_id,
            flow_id=identifier(summary.get("flow_id")),
            status=line(summary.get("status")),
            errors=(RunError(code, message),) if code or message else (),
            **numbers,
        )

    @property
    def is_successful(self) -> bool:
        """Whether the run ended, and the service calls it a success."""
        return _normalized(self.status) in SUCCESSFUL

    @property
    def is_partial(self) -> bool:
        """Whether the run ended, and the service calls it a success in part."""
        return _normalized(self.status) in PARTIAL

    @property
    def is_failed(self) -> bool:
        """Whether the run ended without success."""
        return _normalized(self.status) in UNSUCCESSFUL

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended."""
        return self.is_successful or self.is_partial or self.is_failed

    @property
    def is_status_known(self) -> bool:
        """Whether the package knows the status; a run that shows none yet has only begun."""
        return self.is_terminal or _normalized(self.status) in UNFINISHED | {""}

    @property
    def ingested_records(self) -> int | None:
        """Number of records that arrived; a run that read none shows no output count at all."""
        return 0 if self.input_records == 0 else self.output_records

    @property
    def error_codes(self) -> tuple[str, ...]:
        """Codes of all errors it shows, most telling first."""
        return tuple(error.code for error in self.errors)

    @property
    def summary(self) -> RunSummary:
        """The run for XCom and trigger events."""
        error = self.errors[0] if self.errors else None
        return RunSummary(
            run_id=self.run_id,
            flow_id=self.flow_id,
            status=self.status,
            created_at=_to_iso(self.created_at),
            started_at=_to_iso(self.started_at),
            completed_at=_to_iso(self.completed_at),
            input_records=self.input_records,
            output_records=self.output_records,
            failed_records=self.failed_records,
            input_files=self.input_files,
            output_files=self.output_files,
            output_bytes=self.output_bytes,
            error_code=error.code if error else None,
            error_message=error.message if error else None,
        )

    @property
    def description(self) -> str:
        """One line for people: which run, its status, why, and how many records."""
        reason = f" Reason: {self.errors[0]}" if self.errors else ""
        counts = (
            ("read", self.input_records),
            ("written", self.output_records),
            ("rejected", self.failed_records),
        )
        facts = [self.status or "no status yet"]
        facts += [f"{value} records {what}" for what, value in counts if value is not None]
        flow = self.flow_id or "(unknown)"
        return f"Dataflow run {self.run_id} of flow {flow}: {', '.join(facts)}.{reason}"


def meaning_of(status: str) -> str:
    """
    Return what a status means, however the service spells it today.

    :return: ``success``, ``partial``, ``failed`` or ``unfinished``; the word itself, in lower case,
        where the package does not know it.
    """
    word = _normalized(status)
    return next((meaning for meaning, words in _MEANINGS.items() if word in words), word)


def are_non_retryable(
    codes: Collection[str], hopeless: tuple[str, ...] = NON_RETRYABLE_CODES
) -> bool:
    """
    Return whether no re-trigger mends a run that shows these error codes.

    One code that may pass is enough to try again: a cause such as missing files comes together
    with a code that says no more than that the processing failed.

    :param hopeless: How the codes begin that no re-trigger mends.
    """
    return bool(codes) and all(code.startswith(hopeless) for code in codes)


_MEANINGS = {
    "success": SUCCESSFUL,
    "partial": PARTIAL | {"partial"},
    "failed": UNSUCCESSFUL,
    "unfinished": UNFINISHED | {""},
}
_TIMES = ("created_at", "started_at", "completed_at")
_COUNTS = (
    "input_records",
    "output_records",
    "failed_records",
    "input_files",
    "output_files",
    "output_bytes",
)


def _normalized(status: str) -> str:
    return status.lower().translate({ord(char): None for char in "_- "})


def _to_iso(epoch_milliseconds: int | None) -> str | None:
    if epoch_milliseconds is None:
        return None
    return datetime.fromtimestamp(epoch_milliseconds / 1000, timezone.utc).isoformat()


def _from_iso(text: object) -> int | None:
    try:
        return round(datetime.fromisoformat(str(text)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _window(item: Mapping[str, Any]) -> tuple[int, int] | None:
    """Find the span of time whose data the run loads."""
    for place in (mapping(item, "metrics"), *_activities(item)):
        extensions = mapping(mapping(place, "durationSummary"), "extensions")
        start = milliseconds(extensions.get("windowStart"))
        end = milliseconds(extensions.get("windowEnd"))
        if start is not None and end is not None:
            return start, end
    return None


def _activities(item: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Go through the activities of a run as the service writes it."""
    # The published schema misspells the key.
    yield from mappings(item.get("activities") or item.get("activites"))


def _errors_in(item: Mapping[str, Any]) -> Iterator[RunError]:
    """List what went wrong, most telling first: an activity's own errors name the cause."""
    metrics = mapping(item, "metrics")
    summaries = [mapping(activity, "statusSummary") for activity in _activities(item)]
    for summary in summaries:
        yield from _errors(mapping(summary, "extensions").get("errors"))
    yield from _errors(mapping(metrics, "recordSummary").get("failedInfo"))
    for summary in (*summaries, mapping(metrics, "statusSummary")):
        yield from _errors(summary.get("errors"))


def _details_in(item: Mapping[str, Any]) -> Iterator[str]:
    """List what the source's or target's own software said; it may name the customer's hosts."""
    for activity in _activities(item):
        extensions = mapping(mapping(activity, "statusSummary"), "extensions")
        if detail := line(extensions.get("errorDetail"), longest=_LONGEST_DETAIL):
            yield detail


def _errors(entries: object) -> Iterator[RunError]:
    for entry in mappings(entries):
        code, message = line(entry.get("code"), longest=100), line(entry.get("message"))
        if code or message:
            records = entry.get("recordCount", entry.get("count"))
            yield RunError(code or "(no code)", message or "(no message)", count(records))
