"""
Which runs on the service may be the one that a request has led to.

Pure. No field of a run names the run it repeats, so the evidence is circumstantial: its
flow, its window, its creator, and when it appeared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from airflow_provider_flowservice._selection.windows import same_window
from airflow_provider_flowservice.runs import DataflowRun


@dataclass(frozen=True)
class Candidates:
    """
    Runs on the service that may be the one a request has led to.

    :param matching: Runs for which all the evidence speaks.
    :param doubtful: Runs of another client that show no window, so that nothing speaks for or
        against them.
    :param shared_run_ids: IDs of runs that requests beside this one, for the same data, have led
        to.
    """

    matching: tuple[DataflowRun, ...] = ()
    doubtful: tuple[DataflowRun, ...] = ()
    shared_run_ids: frozenset[str] = frozenset()

    @property
    def all(self) -> tuple[DataflowRun, ...]:
        """All of them, to be named in an error."""
        return (*self.matching, *self.doubtful)


def find_candidates(
    runs: Iterable[DataflowRun],
    target: DataflowRun,
    since_ms: int,
    own_clients: Iterable[str],
    known_run_ids: Iterable[str],
    shared_run_ids: Iterable[str] = (),
) -> Candidates:
    """
    Pick the runs that a request may have led to.

    :param target: Run the request named.
    :param since_ms: Epoch milliseconds before which none can have been created.
    :param own_clients: What the service may call our own client.
    :param known_run_ids: Runs whose origin is known, such as those of other requests.
    :param shared_run_ids: Runs of requests beside this one for the same data.
    """
    matching, doubtful, shared = [], [], frozenset(shared_run_ids)
    known, clients = {target.run_id, *known_run_ids}, set(own_clients)
    for run in runs:
        if run.run_id in known or (run.created_at is not None and run.created_at < since_ms):
            continue
        if (is_same := same_window(run, target)) is False:
            continue
        is_ours = run.created_client is None or run.created_client in clients
        if is_ours or run.run_id in shared or is_same:
            matching.append(run)
        elif not run.is_terminal:
            doubtful.append(run)
    return Candidates(tuple(matching), tuple(doubtful), shared)


def had_ended(run: DataflowRun, time_ms: int) -> bool:
    """Whether a run shows that it had ended before a time in epoch milliseconds."""
    return run.is_terminal and run.completed_at is not None and run.completed_at < time_ms
