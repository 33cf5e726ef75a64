"""
Dataflow runs, and the meaning of their statuses and error codes.

The module is long because it names each fact of a run four times: as a field, in a summary, and how it
is read from either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import chain
from typing import Any, TypedDict, cast

from airflow_provider_flowservice._json import (
    address,
    count,
    identifier,
    identifiers,
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
    "created_records": ("recordSummary", "createdRecordCount"),
    "updated_records": ("recordSummary", "updatedRecordCount"),
    "skipped_records": ("recordSummary", "skippedRecordCount"),
    "failed_records": ("recordSummary", "failedRecordCount"),
    "input_files": ("fileSummary", "inputFileCount"),
    "output_files": ("fileSummary", "outputFileCount"),
    "skipped_files": ("fileSummary", "skippedFileCount"),
    "failed_files": ("fileSummary", "failedFileCount"),
    "input_bytes": ("sizeSummary", "inputBytes"),
    "output_bytes": ("sizeSummary", "outputBytes"),
}
# Where it reports addresses of diagnostics: the name in a `manifest`.
_ADDRESSES = {"failed_records_url": "failedRecords", "sample_errors_url": "sampleErrors"}
_IDS = ("batch_ids", "dataset_ids")
_TIMES = ("created_at", "started_at", "completed_at")
_WINDOW = ("window_start", "window_end")
_LONGEST_DETAIL = 4000
# IDs of each kind in a summary, and in the line that describes a run.
_MOST_IDS = 100
_MOST_SHOWN = 3

DESTINATION_CODES = ("ACTIVATION_BATCH-",)
"""Beginnings of error codes of destinations, whose runs cannot be re-triggered."""

NON_RETRYABLE_CODES = (
    *DESTINATION_CODES,
    "INGEST-",  # the lake rejected the data
    "MAPPER-",  # the mapping does not fit the data
)
"""
Beginnings of error codes that a re-trigger cannot fix: it loads the same data with the same mapping,
and runs of destinations cannot be re-triggered.
"""

# They say that loading the copied data failed, and not why: in one of Adobe's documents through the data,
# in another through a problem of the platform. The cause is another code beside them.
_CODES_WITHOUT_CAUSE = ("CONNECTOR-2001-", "CTOR-2001-")
_NO_CODE = "(no code)"


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
    ``batch_ids`` are the batches it wrote, at most 100. ``dataset_ids`` are the datasets its flow writes
    to; they are there when a task has ended, if the service shows them. ``failed_records_url`` is where
    the rejected rows are, see :meth:`FlowServiceHook.iter_failed_records
    <airflow_provider_flowservice.hooks.flowservice.FlowServiceHook.iter_failed_records>`, and
    ``sample_errors_url`` where a sample of their errors is.
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
    created_records: int | None
    updated_records: int | None
    skipped_records: int | None
    failed_records: int | None
    input_files: int | None
    output_files: int | None
    skipped_files: int | None
    failed_files: int | None
    input_bytes: int | None
    output_bytes: int | None
    batch_ids: list[str]
    dataset_ids: list[str]
    failed_records_url: str | None
    sample_errors_url: str | None
    error_code: str | None
    error_message: str | None


@dataclass(frozen=True)
class DataflowRun:
    """
    A dataflow run as the service reported it.

    A status that the package does not know counts as still running. Times are epoch milliseconds. A
    number that the service does not show, or writes as ``-1``, is ``None``.

    :param window: Data that the run loads; of an on-demand run that does not show it, what it was asked to
        load.
    :param is_window_asked: Whether the window is what an on-demand run was asked to load.
    :param asked_window: What an on-demand run was asked to load.
    :param batch_ids: Batches that the run wrote, as the catalog of Experience Platform calls them.
    :param dataset_ids: Datasets that its flow writes to. A run does not show them: they come from the
        flow, when a task has ended.
    :param failed_records_url: Address of the rejected rows. The service shows it only if error
        diagnostics is on for the flow, and keeps the rows for 30 days.
    :param sample_errors_url: Address of a sample of their errors.
    :param skip_reasons: Why records were skipped.
    :param details: Texts of the source's or target's own software. They may name the customer's
        hosts, so they belong into the task's log only.
    :param is_abridged: Whether the run was read from its summary, which has only the first error.
    """

    run_id: str
    flow_id: str
    status: str
    created_at: int | None = None
    created_client: str | None = None
    started_at: int | None = None
    completed_at: int | None = None
    window: tuple[int, int] | None = None
    is_window_asked: bool = field(default=False, repr=False, compare=False)
    asked_window: tuple[int, int] | None = field(default=None, repr=False, compare=False)
    input_records: int | None = None
    output_records: int | None = None
    created_records: int | None = None
    updated_records: int | None = None
    skipped_records: int | None = None
    failed_records: int | None = None
    input_files: int | None = None
    output_files: int | None = None
    skipped_files: int | None = None
    failed_files: int | None = None
    input_bytes: int | None = None
    output_bytes: int | None = None
    batch_ids: tuple[str, ...] = ()
    dataset_ids: tuple[str, ...] = ()
    failed_records_url: str | None = None
    sample_errors_url: str | None = None
    errors: tuple[RunError, ...] = ()
    skip_reasons: tuple[RunError, ...] = ()
    details: tuple[str, ...] = field(default=(), repr=False)
    is_abridged: bool = field(default=False, repr=False, compare=False)

    @classmethod
    def from_api(cls, item: Mapping[str, Any]) -> DataflowRun:
        """
        Read a run from the API's JSON, in which all but the ID may be missing.

        :raises ValueError: The ID is missing.
        """
        if not (run_id := identifier(item.get("id"))):
            raise ValueError("a dataflow run without an ID")
        metrics = mapping(item, "metrics")
        # The published schema misspells the key.
        activities = list(mappings(item.get("activities") or item.get("activites")))
        places = [*activities, metrics]
        statuses = [mapping(place, "statusSummary") for place in places]
        records = [mapping(place, "recordSummary") for place in places]
        extensions = [mapping(status, "extensions") for status in statuses]
        times = mapping(metrics, "durationSummary")
        used_window, asked_window = _used_window([metrics, *activities]), _asked_window(item)
        counts: dict[str, Any] = {
            name: count(mapping(metrics, group).get(key)) for name, (group, key) in _COUNTS.items()
        }
        addresses: dict[str, Any] = {
            name: _address_in(extensions, key) for name, key in _ADDRESSES.items()
        }
        return cls(
            run_id=run_id,
            flow_id=identifier(item.get("flowId")),
            # A status that is no text counts as unknown, and not as missing.
            status=line(statuses[-1].get("status"), longest=100),
            created_at=milliseconds(item.get("createdAt")),
            created_client=identifier(item.get("createdClient")) or None,
            started_at=milliseconds(times.get("startedAtUTC")),
            # `stoppedAtUTC` is the name in the schema of destination runs.
            completed_at=milliseconds(times.get("completedAtUTC") or times.get("stoppedAtUTC")),
            window=used_window or asked_window,
            is_window_asked=used_window is None,
            asked_window=asked_window,
            batch_ids=tuple(dict.fromkeys(_batch_ids_in(activities))),
            errors=tuple(dict.fromkeys(_errors_in(statuses, extensions, records))),
            skip_reasons=tuple(dict.fromkeys(_skip_reasons_in(records))),
            details=tuple(dict.fromkeys(_details_in(extensions))),
            **counts,
            **addresses,
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
        facts: dict[str, Any] = {
            **{name: _from_iso(summary.get(name)) for name in _TIMES},
            **{name: count(summary.get(name)) for name in _COUNTS},
            **{name: identifiers(summary.get(name)) for name in _IDS},
            **{name: address(summary.get(name)) for name in _ADDRESSES},
        }
        return cls(
            run_id=run_id,
            flow_id=identifier(summary.get("flow_id")),
            status=line(summary.get("status")),
            window=None if start is None or end is None else (start, end),
            errors=(RunError(code, message),) if code or message else (),
            is_abridged=True,
            **facts,
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
    def used_window(self) -> tuple[int, int] | None:
        """
        The window that the run itself shows.

        What an on-demand run was asked to load need not be the same to the millisecond, so it does not
        prove that two runs load different data.
        """
        return None if self.is_window_asked else self.window

    @property
    def ingested_records(self) -> int | None:
        """
        Number of records that arrived, as new ones or as updates.

        A run that loaded nothing may show no output count: only that it read no record, or that it
        skipped or rejected all of them. If it shows no record count at all, no byte and no file came
        out.
        """
        counts = (self.output_records, self.created_records, self.updated_records)
        if arrived := max(count or 0 for count in counts):
            return arrived
        left_out = (self.skipped_records or 0) + (self.failed_records or 0)
        if self.output_records == 0 or (
            self.input_records is not None and self.input_records <= left_out
        ):
            return 0
        is_counted = any(count is not None for count in (self.input_records, *counts))
        return 0 if not is_counted and self.output_bytes == self.output_files == 0 else None

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
            **{name: getattr(self, name) for name in (*_COUNTS, *_ADDRESSES)},
            **{name: list(getattr(self, name)[:_MOST_IDS]) for name in _IDS},
            "error_code": error.code if error else None,
            "error_message": error.message if error else None,
        }
        return cast("RunSummary", summary)

    @property
    def description(self) -> str:
        """One line for people: which run, its status, why, how many records, and which batch."""
        reason = f" Reason: {self.errors[0]}" if self.errors else ""
        counts = {
            "read": self.input_records,
            "written": self.output_records,
            "updated": self.updated_records or None,
            "skipped": self.skipped_records or None,
            "rejected": self.failed_records,
        }
        facts = [self.status or "no status yet"]
        facts += [
            f"{_records(value)} {what}" for what, value in counts.items() if value is not None
        ]
        if self.batch_ids:
            facts.append(f"batch {_listed(self.batch_ids)}")
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

    A re-trigger may help if it can fix one of the causes. ``CONNECTOR-2001-500`` names none: it only
    reports that processing failed. Runs of destinations cannot be re-triggered, whatever the cause.

    :param codes: Codes of the run's errors.
    :param non_retryable: Beginnings of codes that a re-trigger cannot fix.
    """
    if any(map(is_of_destination, codes)):
        return True
    causes = [code for code in codes if code.startswith(non_retryable) or _names_a_cause(code)]
    return bool(causes) and all(code.startswith(non_retryable) for code in causes)


def is_of_destination(code: str) -> bool:
    """Return whether an error code is one of a run of a destination."""
    return code.startswith(DESTINATION_CODES)


def _names_a_cause(code: str) -> bool:
    return code != _NO_CODE and not code.startswith(_CODES_WITHOUT_CAUSE)


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


def _used_window(places: Iterable[Mapping[str, Any]]) -> tuple[int, int] | None:
    for place in places:
        extensions = mapping(mapping(place, "durationSummary"), "extensions")
        if window := _window(extensions, "windowStart", "windowEnd"):
            return window
    return None


def _asked_window(item: Mapping[str, Any]) -> tuple[int, int] | None:
    # A user may ask for all data since 1970.
    names = ("windowStartTime", "windowEndTime")
    return _window(mapping(item, "params"), *names, zero_is_none=False)


def _window(
    place: Mapping[str, Any], *names: str, zero_is_none: bool = True
) -> tuple[int, int] | None:
    start, end = (milliseconds(place.get(name), zero_is_none=zero_is_none) for name in names)
    return None if start is None or end is None else (start, end)


def _batch_ids_in(activities: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for activity in activities:
        for target in mappings(activity.get("targetInfo")):
            reference = mapping(target, "reference")
            if line(reference.get("type")).lower() == "batch":
                yield from identifiers(reference.get("ids"))


def _address_in(extensions: Iterable[Mapping[str, Any]], key: str) -> str | None:
    found = (address(mapping(each, "manifest").get(key)) for each in extensions)
    return next(filter(None, found), None)


def _errors_in(
    statuses: Iterable[Mapping[str, Any]],
    extensions: Iterable[Mapping[str, Any]],
    records: Iterable[Mapping[str, Any]],
) -> Iterator[RunError]:
    """List the errors, the most specific first: an activity's own errors name the cause."""
    places = [each.get("errors") for each in extensions]
    places += [each.get("failedInfo") for each in records]
    places += [each.get("errors") for each in statuses]
    yield from sorted(_read_errors(places), key=lambda error: not _names_a_cause(error.code))


def _skip_reasons_in(records: Iterable[Mapping[str, Any]]) -> Iterator[RunError]:
    yield from _read_errors(each.get("skippedInfo") for each in records)


def _read_errors(arrays: Iterable[object]) -> Iterator[RunError]:
    for entry in chain.from_iterable(map(mappings, arrays)):
        code = line(entry.get("code"), longest=100)
        # Errors of the lake are described instead.
        message = line(entry.get("message")) or line(entry.get("description"))
        if code or message:
            records = entry.get("recordCount", entry.get("count"))
            yield RunError(code or _NO_CODE, message or "(no message)", count(records))


def _details_in(extensions: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for each in extensions:
        if detail := line(each.get("errorDetail"), longest=_LONGEST_DETAIL):
            yield detail


def _records(number: int) -> str:
    return f"{number} record{'' if number == 1 else 's'}"


def _listed(ids: Sequence[str]) -> str:
    more = len(ids) - _MOST_SHOWN
    return ", ".join(ids[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")
