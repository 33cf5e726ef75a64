"""
How the ends of runs are noticed: what to ask the service for, and what is new to whom.

A feed follows all runs of a sandbox from their creation to their end. Anyone may watch it; a watch
remembers what it has reported.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from airflow_provider_flowservice._selection.filters import FlowChoice
from airflow_provider_flowservice.flows import Dataflow
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.runs import DataflowRun, meaning_of

log = logging.getLogger(__name__)

# Seconds after which a run turns up in lists at the latest, clocks that differ included.
_OVERLAP = 600.0
# Milliseconds for which a watch remembers a run longer than a feed does.
_MEMORY_MARGIN = 3_600_000


@dataclass(frozen=True)
class EndedRun:
    """
    A run that has ended.

    :param noticed_at: Epoch seconds when its end was noticed, 0 if it had ended before the feed began.
    :param url: Address of the run in the user interface.
    """

    run: DataflowRun
    noticed_at: float
    url: str


@dataclass(frozen=True)
class Snapshot:
    """
    What a feed knows after one look at the service.

    :param new: Runs whose end was noticed by this look.
    :param ended: All runs that have ended.
    :param flows: The sandbox's flows, by their IDs.
    :param since: Epoch milliseconds; older runs are forgotten.
    :param when_stored: What to do once the events this look has led to are stored.
    """

    new: Sequence[EndedRun]
    ended: Sequence[EndedRun]
    flows: Mapping[str, Dataflow]
    since: int
    when_stored: list[Callable[[], Awaitable[None]]] = field(default_factory=list)


class RunFeed:
    """
    The runs of a sandbox that were created in the last hours, and whether they have ended.

    :param make_hook: Makes a hook, which is kept until an error.
    :param lookback: Seconds for which a run is followed from its creation.
    :param clock: Current epoch seconds; tests bring their own.
    """

    def __init__(
        self,
        make_hook: Callable[[], FlowServiceHook],
        lookback: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._make_hook = make_hook
        self._hook: FlowServiceHook | None = None
        self._lookback = lookback
        self._clock = clock
        self._polled_at: float | None = None
        self._unfinished: dict[str, DataflowRun] = {}
        self._ended: dict[str, EndedRun] = {}
        self._flows: dict[str, Dataflow] = {}
        self._hidden_flow_ids: set[str] = set()

    def poll(self) -> Snapshot:
        """
        Ask for the runs that are new or had not ended.

        :raises FlowServiceError: The service could not be asked; nothing is lost by that.
        """
        # Kept again only at the end: after an error, the connection may have been changed.
        hook, self._hook = self._hook or self._make_hook(), None
        now = self._clock()
        since = round((now - self._lookback) * 1000)
        runs = [_dated(run, now) for run in self._changed(hook, since).values()]
        self._learn_flows(hook, {run.flow_id for run in runs})
        new = self._sort(hook, runs, now)
        self._forget(since)
        self._polled_at = now
        self._hook = hook
        return Snapshot(new, tuple(self._ended.values()), self._flows, since)

    def _changed(self, hook: FlowServiceHook, since: int) -> dict[str, DataflowRun]:
        after = since
        if self._polled_at is not None:
            after = max(since, round((self._polled_at - _OVERLAP) * 1000))
        runs = {run.run_id: run for run in hook.list_runs(created_after=after)}
        old = {run_id: run for run_id, run in self._unfinished.items() if run_id not in runs}
        return {**self._poll_again(hook, old, since), **runs} if old else runs

    def _poll_again(
        self, hook: FlowServiceHook, runs: Mapping[str, DataflowRun], since: int
    ) -> dict[str, DataflowRun]:
        """Snapshot at runs that had not ended: by their IDs, or else by the time they were created."""
        found = hook.find_runs(list(runs))
        if missing := [run for run_id, run in runs.items() if run_id not in found]:
            oldest = max(since, min(run.created_at or 0 for run in missing) - 1)
            for run in hook.list_runs(created_after=oldest):
                found[run.run_id] = run
        return found

    def _learn_flows(self, hook: FlowServiceHook, flow_ids: set[str]) -> None:
        if flow_ids <= self._flows.keys() | self._hidden_flow_ids:
            return
        self._flows = {flow.flow_id: flow for flow in hook.list_flows()}
        self._hidden_flow_ids |= flow_ids - self._flows.keys()

    def _sort(
        self, hook: FlowServiceHook, runs: Iterable[DataflowRun], now: float
    ) -> list[EndedRun]:
        """Put the runs where they belong, and return those whose end is new."""
        new = []
        noticed_at = 0.0 if self._polled_at is None else now
        for run in runs:
            if run.run_id in self._ended:
                continue
            if not run.is_terminal:
                self._unfinished[run.run_id] = run
                continue
            self._unfinished.pop(run.run_id, None)
            url = hook.get_run_url(run.flow_id, run.run_id)
            ended_run = EndedRun(replace(run, details=()), noticed_at, url)
            self._ended[run.run_id] = ended_run
            new.append(ended_run)
        return new

    def _forget(self, since: int) -> None:
        for run_id, run in list(self._unfinished.items()):
            if (run.created_at or 0) < since:
                log.warning("Dataflow run %s has not ended; it is not watched further.", run_id)
                del self._unfinished[run_id]
        for run_id, ended_run in list(self._ended.items()):
            if (ended_run.run.created_at or 0) < since:
                del self._ended[run_id]


class Watch:
    """
    What one watcher wants to know, and what it has been told.

    :param flow_choice: Flows it watches.
    :param statuses: What the end of a run may mean, see :func:`meaning_of`.
    :param began_at: Epoch seconds.
    :param seen: IDs of the runs it need not be told of, with the epoch milliseconds of their
        creation; ``None`` for a watch that begins: it need not be told what had ended before.
    """

    def __init__(
        self,
        flow_choice: FlowChoice,
        statuses: frozenset[str],
        began_at: float,
        seen: Mapping[str, int] | None = None,
    ) -> None:
        self._flow_choice = flow_choice
        self._statuses = statuses
        self._quiet_before = began_at if seen is None else None
        self._seen = dict(seen or {})
        self._has_polled = False
        self._is_kept = seen is not None

    def take(self, snapshot: Snapshot) -> list[EndedRun]:
        """Return what is new to this watcher, the oldest run first."""
        ended_runs = snapshot.new if self._has_polled else snapshot.ended
        self._has_polled = True
        new = []
        for ended_run in sorted(ended_runs, key=lambda each: each.run.created_at or 0):
            run = ended_run.run
            if run.run_id in self._seen or not self._wants(run, snapshot):
                continue
            self._seen[run.run_id] = run.created_at or snapshot.since
            self._is_kept = False
            if self._quiet_before is None or ended_run.noticed_at >= self._quiet_before:
                new.append(ended_run)
        return new

    def unkept(self, snapshot: Snapshot) -> dict[str, int] | None:
        """Return what is to be kept beyond this process; ``None`` if that is kept already."""
        if self._is_kept:
            return None
        oldest = snapshot.since - _MEMORY_MARGIN
        self._seen = {run_id: at for run_id, at in self._seen.items() if at >= oldest}
        return dict(self._seen)

    def kept(self, seen: Mapping[str, int]) -> None:
        """Take note that this is kept."""
        self._is_kept = seen == self._seen

    def _wants(self, run: DataflowRun, snapshot: Snapshot) -> bool:
        if meaning_of(run.status) not in self._statuses:
            return False
        return self._flow_choice.admits(run.flow_id, snapshot.flows.get(run.flow_id))


def _dated(run: DataflowRun, now: float) -> DataflowRun:
    return run if run.created_at else replace(run, created_at=round(now * 1000))
