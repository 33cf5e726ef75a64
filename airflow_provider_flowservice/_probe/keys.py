"""
Keys in the JSON of runs: which are not read, which have changed, and which name another run.

Pure. Paths have a dot between keys, and ``[]`` for the entries of a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from airflow_provider_flowservice._json import line
from airflow_provider_flowservice.runs import DataflowRun

_DEEPEST = 20
_PLACES = ("metrics.", "activities[].", "activites[].")
_RUN = (
    "updatedAt createdBy updatedBy updatedClient sandboxId sandboxName imsOrgId flowSpec version"
    " providerRefId etag eTag state predecessors parentFlowRunId childFlowRunIds activities"
    " activites params.startTime params.windowStartTime params.windowEndTime params.deltaColumn"
)
# In the metrics of a run, and in each of its activities.
_SUMMARIES = (
    "id name updatedAtUTC latencySummary customSummary sourceInfo"
    " durationSummary.startedAtUTC durationSummary.completedAtUTC durationSummary.stoppedAtUTC"
    " durationSummary.extensions.windowStart durationSummary.extensions.windowEnd"
    " sizeSummary.inputBytes sizeSummary.outputBytes"
    " recordSummary.inputRecordCount recordSummary.outputRecordCount"
    " recordSummary.createdRecordCount recordSummary.updatedRecordCount"
    " recordSummary.deletedRecordCount recordSummary.skippedRecordCount"
    " recordSummary.failedRecordCount recordSummary.warningRecordCount"
    " recordSummary.failedInfo recordSummary.skippedInfo"
    " recordSummary.sourceSummaries recordSummary.targetSummaries"
    " fileSummary.inputFileCount fileSummary.outputFileCount fileSummary.skippedFileCount"
    " fileSummary.failedFileCount fileSummary.manifest.fileInfo"
    " fileSummary.extensions.manifest.fileInfo"
    " statusSummary.status statusSummary.activityRefs statusSummary.errors"
    " statusSummary.extensions.errors statusSummary.extensions.errorDetail"
    " statusSummary.extensions.type statusSummary.extensions.manifest"
    " statusSummary.extensions.adf/run/id targetInfo[].id targetInfo[].type"
    " targetInfo[].reference.type targetInfo[].reference.ids"
)
_DOCUMENTED_OF_RUN = frozenset(_RUN.split())
_DOCUMENTED_OF_SUMMARIES = frozenset(_SUMMARIES.split())


def unread_keys(items: Iterable[Mapping[str, Any]]) -> list[str]:
    """
    Return the paths of the keys that the package reads in no run; of what is in them, nothing.

    :param items: Runs, as JSON.
    """
    read: set[str] = set()
    runs = [_watched(item, "", read) for item in items]
    for run in runs:
        with suppress(ValueError):  # a run without an ID
            DataflowRun.from_api(run)
    return sorted({path for run in runs for path in _unread(run, "", read)})


def is_documented(path: str) -> bool:
    """Whether Adobe documents a key of a run, or one that it is in."""
    place = next((place for place in _PLACES if path.startswith(place)), "")
    known = _DOCUMENTED_OF_SUMMARIES if place else _DOCUMENTED_OF_RUN
    inner = path.removeprefix(place)
    parts = inner.split(".")
    whole = (".".join(parts[: end + 1]) for end in range(len(parts)))
    # A summary that is empty has no key that could be undocumented.
    is_group = any(name.startswith(f"{inner}.") for name in known)
    return is_group or any(name in known or name.removesuffix("[]") in known for name in whole)


def paths_naming(value: object, text: str) -> list[str]:
    """Return the paths of the values that are a text, or contain it, in upper or lower case."""
    wanted = text.lower()
    return sorted(
        {
            path
            for path, leaf in _leaves(value)
            if isinstance(leaf, str) and wanted and wanted in leaf.lower()
        }
    )


def changed_paths(before: object, after: object) -> list[str]:
    """Return the paths of the values that differ between two documents."""
    return sorted(set(_changed(before, after)))


class _Watched(dict[str, Any]):
    """An object that notes which of its keys are read."""

    def __init__(self, value: Mapping[str, Any], path: str, read: set[str], depth: int) -> None:
        super().__init__(
            (key, _watched(inner, _join(path, key), read, depth + 1))
            for key, inner in value.items()
        )
        self._path, self._read = path, read

    def get(self, key: str, default: Any = None) -> Any:
        self._read.add(_join(self._path, key))
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self._read.add(_join(self._path, key))
        return super().__getitem__(key)


def _watched(value: Any, path: str, read: set[str], depth: int = 0) -> Any:
    if depth < _DEEPEST and isinstance(value, Mapping):
        return _Watched(value, path, read, depth)
    if depth < _DEEPEST and isinstance(value, list):
        return [_watched(entry, f"{path}[]", read, depth + 1) for entry in value]
    return value


def _unread(value: object, path: str, read: set[str]) -> Iterator[str]:
    if isinstance(value, list):
        for entry in value:
            yield from _unread(entry, f"{path}[]", read)
    elif isinstance(value, _Watched):
        for key, inner in value.items():
            inside = _join(path, key)
            if inside in read:
                yield from _unread(inner, inside, read)
            else:
                yield line(inside, 200)


def _changed(before: object, after: object, path: str = "", depth: int = 0) -> Iterator[str]:
    if depth < _DEEPEST and isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in {*before, *after}:
            inside = _join(path, line(key, 100))
            if key in before and key in after:
                yield from _changed(before[key], after[key], inside, depth + 1)
            else:
                yield inside
    elif before != after:
        yield path


def _leaves(value: object, path: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    if depth > _DEEPEST:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, _join(path, line(key, 100)), depth + 1)
    elif isinstance(value, list):
        for entry in value:
            yield from _leaves(entry, f"{path}[]", depth + 1)
    else:
        yield path, value


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path and key else path or key
