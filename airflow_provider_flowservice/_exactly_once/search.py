"""Searches a flow for the run that a request has led to, until such a run would have turned up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_flowservice._exactly_once.candidates import (
    Candidates,
    find_candidates,
    loads_other_window,
)
from airflow_provider_flowservice._exactly_once.decisions import Decision
from airflow_provider_flowservice._exactly_once.journal import Siblings
from airflow_provider_flowservice.exceptions import FlowServiceAnswerError, RetriggerAmbiguousError
from airflow_provider_flowservice.runs import DataflowRun

if TYPE_CHECKING:
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

# Seconds between looks for a run that may turn up while things settle.
_SETTLE_INTERVAL = 5.0
# Newest runs of a flow that are searched.
_MOST_RUNS = 1000


@dataclass(frozen=True)
class Clock:
    """Time, which tests bring along: epoch seconds, and how to let some pass."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def now_ms(self) -> int:
        """Return the epoch milliseconds."""
        return round(self.now() * 1000)


WALL_CLOCK = Clock()


class Search:
    """
    A search for runs of one flow.

    :param hook: Hook of the task.
    :param siblings: Requests beside this one.
    :param settle_time: Seconds within which a new run shows up in the service's lists.
    :param clock: Time.
    """

    def __init__(
        self,
        hook: FlowServiceHook,
        siblings: Siblings,
        settle_time: float,
        clock: Clock,
    ) -> None:
        self._hook = hook
        self._siblings = siblings
        self._settle_time = settle_time
        self._clock = clock

    def decide(
        self,
        target: DataflowRun,
        since: int,
        known_run_ids: Iterable[str],
        decide: Callable[[Candidates], Decision],
        unsettled: set[str],
    ) -> tuple[Decision, Candidates]:
        """
        Decide from the candidates, again and again while what is there may change.

        :param since: Epoch milliseconds before which no candidate can have been created.
        :param known_run_ids: Runs that are no candidates.
        :param decide: Decides.
        :param unsettled: Actions that are put off until a new run would have turned up.
        :return: The decision, and what it was made from.
        :raises RetriggerAmbiguousError: It cannot be told.
        """
        # Not from the time of the request, which may have been held up on its way.
        settled_at = self._clock.now() + self._settle_time
        known = set(known_run_ids)
        while True:
            candidates = self._candidates(target, since, known)
            decision = decide(candidates)
            left = settled_at - self._clock.now()
            if decision.action not in unsettled or left <= 0:
                break
            self._clock.sleep(min(left, _SETTLE_INTERVAL))
        if decision.action == "stop":
            raise self._ambiguous(target, decision, candidates)
        return decision, candidates

    def _candidates(self, target: DataflowRun, since: int, known: set[str]) -> Candidates:
        if not target.flow_id:
            raise FlowServiceAnswerError(
                f"Dataflow run {target.run_id} shows no flow, so it cannot be told whether it was "
                "re-triggered already."
            )
        settings = self._hook.settings
        runs = self._hook.list_runs(
            flow_id=target.flow_id,
            created_after=since - 1,  # the filter leaves out the moment itself
            limit=_MOST_RUNS,
        )
        return find_candidates(
            # Read first: a sibling claims a run only after it has turned up.
            list(runs),
            target,
            since,
            own_clients={settings.client_id, settings.api_key},
            known_run_ids=known | self._siblings.claimed_run_ids(),
        )

    def _ambiguous(
        self, target: DataflowRun, decision: Decision, candidates: Candidates
    ) -> RetriggerAmbiguousError:
        run_ids = tuple(run.run_id for run in candidates.all)
        named = "; ".join(
            f"{run.description} {self._hook.get_run_url(run.flow_id, run.run_id)}"
            for run in candidates.all
        )
        return RetriggerAmbiguousError(
            f"Dataflow run {target.run_id} was not re-triggered, since it may have been already: "
            f"{decision.reason}. Candidates: {named} If one of them is the re-triggered run, set "
            "adopt_run_id to its ID and clear the task. If none is, a later try finds that out once "
            "they have ended; durable=False re-triggers without looking.",
            run_ids,
        )


def check_adopted(
    hook: FlowServiceHook, run: DataflowRun | None, window: Sequence[int] | None
) -> None:
    """
    Make sure that a run which was taken for the new one is it, once it has ended and tells.

    :param run: The run as last seen; after a deferral it does not show its window.
    :param window: The window it has to have; ``None`` if there is no doubt.
    :raises RetriggerAmbiguousError: It is not the new one.
    """
    if window is None or run is None or not run.is_terminal:
        return
    start, end = window
    shown = run if run.window else hook.get_run(run.run_id)
    if loads_other_window(shown, (start, end)):
        raise RetriggerAmbiguousError(
            f"Dataflow run {run.run_id} was taken for the re-triggered run, and has turned out to "
            "load another window. A retry of the task looks again, and re-triggers the run if there "
            "is no other.",
            (run.run_id,),
        )
