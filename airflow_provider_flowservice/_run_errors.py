"""What the service says about what went wrong in a run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_flowservice._json import count, line, mapping, mappings

HOPELESS_CODES = (
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


def are_hopeless(codes: Collection[str], hopeless: tuple[str, ...] = HOPELESS_CODES) -> bool:
    """
    Return whether no re-trigger mends a run that shows these error codes.

    One code that may pass is enough to try again: a cause such as missing files comes together
    with a code that says no more than that the processing failed.

    :param hopeless: How the codes begin that no re-trigger mends.
    """
    return bool(codes) and all(code.startswith(hopeless) for code in codes)


def activities(item: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Go through the activities of a run as the service writes it."""
    # The published schema misspells the key.
    yield from mappings(item.get("activities") or item.get("activites"))


def errors_in(item: Mapping[str, Any]) -> Iterator[RunError]:
    """List what went wrong, most telling first: an activity's own errors name the cause."""
    metrics = mapping(item, "metrics")
    summaries = [mapping(activity, "statusSummary") for activity in activities(item)]
    for summary in summaries:
        yield from _read(mapping(summary, "extensions").get("errors"))
    yield from _read(mapping(metrics, "recordSummary").get("failedInfo"))
    for summary in (*summaries, mapping(metrics, "statusSummary")):
        yield from _read(summary.get("errors"))


def details_in(item: Mapping[str, Any]) -> Iterator[str]:
    """List what the source's or target's own software said; it may name the customer's hosts."""
    for activity in activities(item):
        extensions = mapping(mapping(activity, "statusSummary"), "extensions")
        if detail := line(extensions.get("errorDetail"), longest=_LONGEST_DETAIL):
            yield detail


def _read(entries: object) -> Iterator[RunError]:
    for entry in mappings(entries):
        code, message = line(entry.get("code"), longest=100), line(entry.get("message"))
        if code or message:
            records = entry.get("recordCount", entry.get("count"))
            yield RunError(code or "(no code)", message or "(no message)", count(records))
