"""Searches a flow for the run that a request has led to, until such a run would have appeared."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from airflow_provider_flowservice._exactly_once.candidates import (
    Candidates,
    find_candidates,
)
from airflow_provider_flowservice._exactly_once.clock import Clock
from airflow_provider_flowservice._exactly_once.fence import LONGEST_STOP, Fence, Moment
from airflow_provider_flowservice._exactly_once.turn import Turn
from airflow_provider_flowservice._selection.windows import same_window
from airflow_provider_flowservice.exceptions import (
    FlowServiceAnswerError,
    FlowServiceConnectionError,
    RetriggerAmbiguousError,
)
from airflow_provider_flowservice.runs import DataflowRun

if TYPE_CHECKING:
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

log = logging.getLogger(__name__)

# Seconds between rounds, in which a new run may appear.
SETTLE_INTERVAL = 5.0
# Times that a search counts anew.
_MOST_STOPS = 3
# Newest runs of a flow that are searched.
_MOST_RUNS = 1000


class Search:
    """
    A search for runs of one flow.

    :param label: What the run is to the user that is searched for.
    :param fence: Moved on by a search that has settled.
    """

    def __init__(
        self, hook: FlowServiceHook, label: str, turn: Turn, fence: Fence, clock: Clock
    ) -> None:
        self._hook = hook
        self._label = label
        self._turn = turn
        self._fence = fence
        self._clock = clock

    def rounds(
        self,
        target: DataflowRun,
        since_ms: int,
        known_run_ids: Iterable[str],
        settle_seconds: float,
        began: Moment | None = None,
    ) -> Iterator[tuple[Candidates, bool]]:
        """
        Search again and again, while what is there may change.

        Yields the candidates, and whether a new run would have appeared by now. If the process is
        stopped for long, it counts anew: other tries of the task may have gone on.

        :param since_ms: Epoch milliseconds before which no candidate can have been created.
        :param known_run_ids: Runs that are no candidates.
        :param settle_seconds: Seconds within which a new run appears.
        :param began: When the seconds began; by default, now.
        :raises FlowServiceConnectionError: The search is held up again and again.
        """
        known = set(known_run_ids)
        before = Moment.now(self._clock)
        if began is None or not self._fence.is_whole:
            began = before
        stops = 0
        while True:
            asked = Moment.now(self._clock)
            if before.age(self._clock) > LONGEST_STOP:
                began, stops = asked, stops + 1
            if stops > _MOST_STOPS:
                raise FlowServiceConnectionError(
                    f"The search for the {self._label} was held up {stops} times for more than "
                    f"{LONGEST_STOP:.0f} s, by a slow service or a process that was stopped. A retry of "
                    "the task begins anew.",
                    sent="no",
                )
            left = settle_seconds - (asked.mono - began.mono)
            candidates = self._candidates(target, since_ms, known)
            self._fence.extend()
            if left <= 0 and asked.age(self._clock) <= LONGEST_STOP:
                self._fence.move(Moment.now(self._clock))
            yield candidates, left <= 0
            before = asked
            self._clock.sleep(max(0.0, min(left, SETTLE_INTERVAL)))

    def _candidates(self, target: DataflowRun, since_ms: int, known: set[str]) -> Candidates:
        if not target.flow_id:
            raise FlowServiceAnswerError(
                f"Dataflow run {target.run_id} shows no flow, so the {self._label} could not be found."
            )
        after_ms = since_ms - 1  # the filter leaves out the moment itself
        runs = list(
            self._hook.list_runs(flow_id=target.flow_id, created_after=after_ms, limit=_MOST_RUNS)
        )
        if len(runs) == _MOST_RUNS:
            log.warning(
                "Flow %s has at least %d runs since then; older ones were not searched for the %s.",
                target.flow_id,
                _MOST_RUNS,
                self._label,
            )
        # Read after the runs: a request beside this one shows a run only once it has appeared.
        shared, foreign = self._turn.runs_beside()
        return find_candidates(
            runs,
            target,
            since_ms,
            own_clients=self._hook.settings.own_clients,
            known_run_ids=known | foreign,
            shared_run_ids=shared,
        )

    def ambiguous(self, reason: str, candidates: Candidates) -> RetriggerAmbiguousError:
        """Make the error that names the candidates, and what to do."""
        run_ids = tuple(run.run_id for run in candidates.all)
        named = "; ".join(
            f"{run.description} {self._hook.get_run_url(run.flow_id, run.run_id)}"
            for run in candidates.all
        )
        return RetriggerAmbiguousError(
            f"The {self._label} was not requested, since it may be there already: {reason}. Candidates: "
            f"{named} If one of them is that run, set adopt_run_id to its ID and clear the task. If none "
            "is, a later try finds that out once they have ended; with durable=False the operator "
            "requests a run without searching.",
            run_ids,
        )


def check_adopted(hook: FlowServiceHook, run: DataflowRun | None, wanted: DataflowRun) -> None:
    """
    Make sure that a run which was taken for the new one is the new one, once it has ended.

    :param run: The run as last seen; it may not have shown its window yet.
    :param wanted: A run with the window it has to have.
    :raises RetriggerAmbiguousError: It is not the new one.
    """
    if wanted.window is None or run is None or not run.is_terminal:
        return
    # A summary does not say whose window it has.
    shown = hook.get_run(run.run_id) if run.is_abridged or not run.used_window else run
    if same_window(shown, wanted) is False:
        raise RetriggerAmbiguousError(
            f"Dataflow run {run.run_id} was taken for the new run, and has turned out to load another "
            "window. A retry of the task searches again, and requests a run if there is no other.",
            (run.run_id,),
        )
