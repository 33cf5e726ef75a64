"""When, and how often, the emulator was asked for runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from airflow_provider_flowservice.emulator import FlowServiceEmulator, Seen


def first_polls(
    service: FlowServiceEmulator, run_ids: Collection[str], since: float
) -> dict[str, float]:
    """Return when each of these runs was polled first since a time, for those that were."""
    first: dict[str, float] = {}
    for seen in service.requests:
        if seen.at >= since and seen.status == 200:
            for run_id in _polled(seen):
                first.setdefault(run_id, seen.at)
    return {run_id: first[run_id] for run_id in run_ids if run_id in first}


def count_polls(service: FlowServiceEmulator) -> Counter[str]:
    """Return how often each run was polled together with others."""
    return Counter(run_id for seen in service.requests for run_id in _listed(seen))


def count_requests(service: FlowServiceEmulator) -> int:
    """Return how many requests polled runs together, however many each."""
    return sum(bool(_listed(seen)) for seen in service.requests)


def _polled(seen: Seen) -> list[str]:
    """Return the IDs of the runs that a request asks for, by themselves or in a list."""
    return [*_listed(seen), seen.path.rpartition("/")[2]]


def _listed(seen: Seen) -> list[str]:
    lists = [text for name, text in seen.query if name == "property" and text.startswith("id==")]
    return [run_id for text in lists for run_id in text.removeprefix("id==").split(",")]
