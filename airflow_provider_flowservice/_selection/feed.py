"""
Detects runs that have ended.

A feed polls all runs of a sandbox from their creation to their end, and takes a snapshot with each
poll. A watch selects the runs that are new to one watcher, and remembers the runs it has reported.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from airflow_provider_flowservice._selection.filters import FlowChoice
from airflow_provider_flowservice.flows import Dataflow
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.runs import DataflowRun, meaning_of

log = logging.getLogger(__name__)

# Most seconds until a new run appears in lists, including differences between clocks.
_OVERLAP = 600.0
# Milliseconds for which a watch remembers a run longer than a feed.
_MEMORY_MARGIN_MS = 3_600_000


@dataclass(frozen=True)
class EndedRun:
    """
    A run that has ended.

    :param run: The run, without its details.
    :param noticed_at: Epoch seconds of the poll that found it ended; 0 if it had ended before the
        first poll.
    """

    run: DataflowRun
    noticed_at: float
    url: str


@dataclass(frozen=True)
class Snapshot:
    """
    The runs that a feed knows after a poll.

    :param new: Runs that this poll found ended.
    :param ended: All runs that have ended.
    :param since_ms: Epoch milliseconds; the feed has forgotten older runs.
    """

    new: Sequence[EndedRun]
    ended: Sequence[EndedRun]
    flows: Mapping[str, Dataflow]
    since_ms: int


class RunFeed:
    """
    Polls the recent runs of a sandbox until they have ended.

    :param make_hook: Makes a hook, which the feed keeps until an error.
    :param lookback: Seconds for which a run is followed from its creation.
    :param clock: Current epoch seconds.
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
        Request the runs that are new or had not ended.

        :raises FlowServiceError: The request failed; the next poll finds the same runs.
        """
        # Stored again only after success: after an error, the connection may have changed.
        hook, self._hook = self._hook or self._make_hook(), None
        now = self._clock()
        since_ms = round((now - self._lookback) * 1000)
        runs = [
            run if run.created_at else replace(run, created_at=round(now * 1000))
            for run in self._changed(hook, since_ms).values()
        ]
        flow_ids = {run.flow_id for run in runs}
        # At first without a run as well, so that a watch can tell whether its flow exists.
        is_first = self._polled_at is None
        if is_first or not flow_ids <= self._flows.keys() | self._hidden_flow_ids:
            self._flows = {flow.flow_id: flow for flow in hook.list_flows()}
            self._hidden_flow_ids |= flow_ids - self._flows.keys()
        new = self._sort(hook, runs, now)
        self._forget(since_ms)
        self._polled_at = now
        self._hook = hook
        return Snapshot(new, tuple(self._ended.values()), self._flows, since_ms)

    def _changed(self, hook: FlowServiceHook, since_ms: int) -> dict[str, DataflowRun]:
        after_ms = since_ms
        if self._polled_at is not None:
            after_ms = max(since_ms, round((self._polled_at - _OVERLAP) * 1000))
        new = {run.run_id: run for run in hook.list_runs(created_after=after_ms)}
        # Those that had not ended: by their IDs, or else by the time of their creation.
        old = {run_id: run for run_id, run in self._unfinished.items() if run_id not in new}
        found = hook.find_runs(list(old))
        if missing := [run for run_id, run in old.items() if run_id not in found]:
            oldest_ms = max(since_ms, min(run.created_at or 0 for run in missing) - 1)
            found |= {run.run_id: run for run in hook.list_runs(created_after=oldest_ms)}
        return {**found, **new}

    def _sort(
        self, hook: FlowServiceHook, runs: Iterable[DataflowRun], now: float
    ) -> list[EndedRun]:
        """Sort runs into unfinished and ended ones, and return those that are newly ended."""
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

    def _forget(self, since_ms: int) -> None:
        for run_id, run in list(self._unfinished.items()):
            if (run.created_at or 0) < since_ms:
                log.warning(
                    "Dataflow run %s has not ended within the lookback; the feed stops polling it.",
                    run_id,
                )
                del self._unfinished[run_id]
        for run_id, ended_run in list(self._ended.items()):
            if (ended_run.run.created_at or 0) < since_ms:
                del self._ended[run_id]


class Watch:
    """
    Selects the ended runs that are new to one watcher.

    :param flow_choice: Flows to watch.
    :param statuses: Meanings of the statuses to report, see :func:`meaning_of`.
    :param began_at: Epoch seconds at which the watch began.
    :param seen: IDs of the runs that are not new, with the epoch milliseconds of their creation;
        ``None`` for a first watch, to which all runs are old that ended before ``began_at``.
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
        self._reports_from = began_at if seen is None else 0.0
        self._seen = dict(seen or {})
        self._stored = seen
        self._has_polled = False

    def take(self, snapshot: Snapshot) -> list[EndedRun]:
        """
        Return the runs that are new to the watcher, the oldest first.

        The first time, log a warning if no flow has the watched name; one may get it later.
        """
        self._forget(snapshot.since_ms - _MEMORY_MARGIN_MS)
        ended_runs = snapshot.new if self._has_polled else snapshot.ended
        if not self._has_polled and (reason := self._flow_choice.mismatch(snapshot.flows.values())):
            log.warning("%s As soon as a flow matches, its runs are reported.", reason)
        self._has_polled = True
        new = []
        for ended_run in sorted(ended_runs, key=lambda each: each.run.created_at or 0):
            run = ended_run.run
            if run.run_id in self._seen or meaning_of(run.status) not in self._statuses:
                continue
            if not self._flow_choice.admits(run.flow_id, snapshot.flows.get(run.flow_id)):
                continue
            self._seen[run.run_id] = run.created_at or snapshot.since_ms
            if ended_run.noticed_at >= self._reports_from:
                new.append(ended_run)
        return new

    def unstored(self) -> dict[str, int] | None:
        """Return the seen runs to store; ``None`` if all of them are stored already."""
        if self._seen == self._stored:
            return None
        return dict(self._seen)

    def _forget(self, before_ms: int) -> None:
        self._seen = {
            run_id: created_ms
            for run_id, created_ms in self._seen.items()
            if created_ms >= before_ms
        }

    def mark_stored(self, seen: Mapping[str, int]) -> None:
        """Record that these seen runs are stored."""
        self._stored = seen
