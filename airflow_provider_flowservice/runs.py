"""Dataflow runs, and the meaning of their statuses."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import chain
from typing import Any, TypedDict, cast

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
# `partialSuccess`, `inProgress` and `failure` are documented for runs; the others are variants.
_SPELLINGS = {
    "success": "success succeeded completed complete finished",
    "partial": "partialsuccess partialfailure partiallycompleted completedwitherrors warning",
    "failed": "failed failure error cancelled canceled aborted timedout",
    "unfinished": "inprogress scheduled processing waiting pending queued running started",
}
_MEANINGS = {word: meaning for meaning, words in _SPELLINGS.items() for word in words.split()}
_MEANINGS[""] = "unfinished"  # a run without a status has only begun

# Where the service reports a run's counts: the group under `metrics`, and the name in it.
_COUNTS = {
    "input_records": ("recordSummary", "inputRecordCount"),
    "output_records": ("recordSummary", "outputRecordCount"),
    "failed_records": ("recordSummary", "failedRecordCount"),
    "input_files": ("fileSummary", "inputFileCount"),
    "output_files": ("fileSummary", "outputFileCount"),
    "output_bytes": ("sizeSummary", "outputBytes"),
}
_TIMES = ("created_at", "started_at", "completed_at")
_WINDOW = ("window_start", "window_end")
_LONGEST_DETAIL = 4000

NON_RETRYABLE_CODES = (
    "ACTIVATION_BATCH-",  # of a destination, whose runs cannot be re-triggered
    "CONNECTOR-2001-",  # the data could not be parsed, validated or transformed
    "INGEST-",  # the lake rejected the data
    "MAPPER-",  # the mapping does not fit the data
)
"""
Beginnings of error codes that a re-trigger cannot fix, since it loads the same data with the same
mapping.
"""


@dataclass(frozen=True)
class RunError:
    """
    An error that the service reports for a run.

    :param code: The service's code, such as ``CONNECTOR-1001-500``.
    :param message: The service's text.
    :param records: Number of affected records; ``None`` if the service does not say.
    """

    code: str
    message: str
    records: int | None = None

    def __str__(self) -> str:
        number = "" if self.records is None else f" ({_records(self.records)})"
        return f"{self.code}: {self.message}{number}"


class RunSummary(TypedDict):
    """
    A run in XComs and trigger events: small, and JSON only. Times are ISO 8601 in UTC.

    ``window_start`` and ``window_end`` are ``None`` if the run does not show which data it loads.
    """

    run_id: str
    flow_id: str
    status: str
    created_at: str | None
    started_at: str | None
    completed_at: str | None
    window_start: str | None
    window_end: str | None
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
    A dataflow run as the service reported it.

    A status that the package does not know counts as still running. Times are epoch milliseconds. A
    number that the service does not show, or writes as ``-1``, is ``None``.

    :param details: Texts of the source's or target's own software. They may name the customer's
        hosts, so they belong into the task's log only.
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
        Read a run from the API's JSON, in which all but the ID may be missing.

        :raises ValueError: The ID is missing.
        """
        if not (run_id := identifier(item.get("id"))):
            raise ValueError("a dataflow run without an ID")
        metrics = mapping(item, "metrics")
        times = mapping(metrics, "durationSummary")
        counts: dict[str, Any] = {
            name: count(mapping(metrics, group).get(key)) for name, (group, key) in _COUNTS.items()
        }
        return cls(
            run_id=run_id,
            flow_id=identifier(item.get("flowId")),
            # A status that is no text counts as unknown, and not as missing.
            status=line(mapping(metrics, "statusSummary").get("status"), longest=100),
            created_at=milliseconds(item.get("createdAt")),
            created_client=identifier(item.get("createdClient")) or None,
            started_at=milliseconds(times.get("startedAtUTC")),
            # `stoppedAtUTC` is the name in the schema of destination runs.
            completed_at=milliseconds(times.get("completedAtUTC") or times.get("stoppedAtUTC")),
            window=_window(item),
            errors=tuple(dict.fromkeys(_errors_in(item))),
            details=tuple(dict.fromkeys(_details_in(item))),
            **counts,
        )

    @classmethod
    def from_summary(cls, summary: Mapping[str, Any]) -> DataflowRun:
        """
        Read a run from its summary, and ignore keys of other releases.

        :raises ValueError: The ID is missing.
        """
        if not (run_id := identifier(summary.get("run_id"))):
            raise ValueError("a summary without a run ID")
        code, message = line(summary.get("error_code")), line(summary.get("error_message"))
        start, end = (_from_iso(summary.get(name)) for name in _WINDOW)
        numbers: dict[str, Any] = {
            **{name: _from_iso(summary.get(name)) for name in _TIMES},
            **{name: count(summary.get(name)) for name in _COUNTS},
        }
        return cls(
            run_id=run_id,
            flow_id=identifier(summary.get("flow_id")),
            status=line(summary.get("status")),
            window=None if start is None or end is None else (start, end),
            errors=(RunError(code, message),) if code or message else (),
            **numbers,
        )

    @property
    def _meaning(self) -> str | None:
        return _MEANINGS.get(_normalized(self.status))

    @property
    def is_successful(self) -> bool:
        """Whether the run ended in success."""
        return self._meaning == "success"

    @property
    def is_partial(self) -> bool:
        """Whether the run ended in partial success."""
        return self._meaning == "partial"

    @property
    def is_failed(self) -> bool:
        """Whether the run ended without success."""
        return self._meaning == "failed"

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended."""
        return self._meaning in ("success", "partial", "failed")

    @property
    def is_status_known(self) -> bool:
        """Whether the package knows the status; a run without one has only begun."""
        return self._meaning is not None

    @property
    def ingested_records(self) -> int | None:
        """Number of records that arrived; a run that read no records shows no output count."""
        return 0 if self.input_records == 0 else self.output_records

    @property
    def error_codes(self) -> tuple[str, ...]:
        """Codes of all errors of the run, the most specific first."""
        return tuple(error.code for error in self.errors)

    @property
    def summary(self) -> RunSummary:
        """The run for XComs and trigger events."""
        error = self.errors[0] if self.errors else None
        window = self.window or (None, None)
        summary = {
            "run_id": self.run_id,
            "flow_id": self.flow_id,
            "status": self.status,
            **{name: _to_iso(getattr(self, name)) for name in _TIMES},
            **{name: _to_iso(time_ms) for name, time_ms in zip(_WINDOW, window, strict=True)},
            **{name: getattr(self, name) for name in _COUNTS},
            "error_code": error.code if error else None,
            "error_message": error.message if error else None,
        }
        return cast("RunSummary", summary)

    @property
    def description(self) -> str:
        """One line for people: which run, its status, why, and how many records."""
        reason = f" Reason: {self.errors[0]}" if self.errors else ""
        counts = {
            "read": self.input_records,
            "written": self.output_records,
            "rejected": self.failed_records,
        }
        facts = [self.status or "no status yet"]
        facts += [
            f"{_records(value)} {what}" for what, value in counts.items() if value is not None
        ]
        flow = self.flow_id or "(unknown)"
        return f"Dataflow run {self.run_id} of flow {flow}: {', '.join(facts)}.{reason}"


def meaning_of(status: str) -> str:
    """
    Return the meaning of a status, in any spelling of the service.

    :return: ``success``, ``partial``, ``failed`` or ``unfinished``; an unknown status in lower
        case.
    """
    word = _normalized(status)
    return _MEANINGS.get(word, word)


def is_known_status(status: str) -> bool:
    """Return whether this package knows a status, in any spelling of the service or by its meaning."""
    word = _normalized(status)
    return word in _MEANINGS or word in _SPELLINGS


def are_non_retryable(
    codes: Collection[str], non_retryable: tuple[str, ...] = NON_RETRYABLE_CODES
) -> bool:
    """
    Return whether a re-trigger cannot fix a run with these error codes.

    A re-trigger may help if it can fix one of the codes, since a cause such as missing files comes
    together with a code that only reports that processing failed.

    :param codes: Codes of the run's errors.
    :param non_retryable: Beginnings of codes that a re-trigger cannot fix.
    """
    return bool(codes) and all(code.startswith(non_retryable) for code in codes)


def _normalized(status: str) -> str:
    return status.lower().translate({ord(char): None for char in "_- "})


def _to_iso(time_ms: int | None) -> str | None:
    if time_ms is None:
        return None
    return datetime.fromtimestamp(time_ms / 1000, timezone.utc).isoformat()


def _from_iso(text: object) -> int | None:
    try:
        return round(datetime.fromisoformat(str(text)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _window(item: Mapping[str, Any]) -> tuple[int, int] | None:
    for place in (mapping(item, "metrics"), *_activities(item)):
        extensions = mapping(mapping(place, "durationSummary"), "extensions")
        start = milliseconds(extensions.get("windowStart"))
        end = milliseconds(extensions.get("windowEnd"))
        if start is not None and end is not None:
            return start, end
    return None


def _activities(item: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    # The published schema misspells the key.
    yield from mappings(item.get("activities") or item.get("activites"))


def _records(number: int) -> str:
    return f"{number} record{'' if number == 1 else 's'}"


def _errors_in(item: Mapping[str, Any]) -> Iterator[RunError]:
    """List the errors, the most specific first: an activity's own errors name the cause."""
    metrics = mapping(item, "metrics")
    summaries = [mapping(activity, "statusSummary") for activity in _activities(item)]
    places = [mapping(summary, "extensions").get("errors") for summary in summaries]
    places.append(mapping(metrics, "recordSummary").get("failedInfo"))
    places += [summary.get("errors") for summary in (*summaries, mapping(metrics, "statusSummary"))]
    for entry in chain.from_iterable(map(mappings, places)):
        code, message = line(entry.get("code"), longest=100), line(entry.get("message"))
        if code or message:
            records = entry.get("recordCount", entry.get("count"))
            yield RunError(code or "(no code)", message or "(no message)", count(records))


def _details_in(item: Mapping[str, Any]) -> Iterator[str]:
    for activity in _activities(item):
        extensions = mapping(mapping(activity, "statusSummary"), "extensions")
        if detail := line(extensions.get("errorDetail"), longest=_LONGEST_DETAIL):
            yield detail
