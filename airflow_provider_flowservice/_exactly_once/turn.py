"""Lets one request after the other go ahead, of those beside one another for the same data."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from airflow_provider_flowservice._exactly_once import decisions
from airflow_provider_flowservice._exactly_once.clock import Clock
from airflow_provider_flowservice._exactly_once.siblings import Claim, Siblings
from airflow_provider_flowservice.runs import DataflowRun

# Seconds between two looks at the others.
_POLL_INTERVAL = 2.0
# Seconds for which a request may go on for other reasons than that its search settles, at most three
# times: before its request, for a check, and after a lost response.
_REQUEST_SECONDS = 120.0
_MOST_SETTLES = 3


class Turn:
    """
    The turn of one request among those beside it.

    A task that is killed does not say so: if its claim stays as it is for too long, the others go
    on without it.
    """

    def __init__(self, siblings: Siblings, settle_seconds: float, clock: Clock, log: Any) -> None:
        self.has_siblings = siblings.exist
        """Whether other tasks may have requests at the same time."""
        self.is_doubtful = False
        """Whether another request for the same data was lost, and may have been sent."""
        self._siblings = siblings
        self._patience = _MOST_SETTLES * settle_seconds + _REQUEST_SECONDS
        self._clock = clock
        self._log = log
        self._claim: Claim

    def ask(self, source: DataflowRun, max_tries: int, known_run_ids: tuple[str, ...]) -> None:
        """Claim a run, before anything is done about it."""
        self._publish(
            Claim(
                source_run_id=source.run_id,
                flow_id=source.flow_id,
                window=source.window,
                map_index=self._siblings.map_index,
                max_tries=max_tries,
                asked_ms=self._clock.now_ms(),
                known_run_ids=known_run_ids,
            )
        )

    def wait(self, known_run_ids: Collection[str]) -> Claim | None:
        """
        Wait for the turn to send a request.

        :param known_run_ids: Runs that are not the new one.
        :return: A claim with the new run, if another request has led to it meanwhile.
        """
        asking_since: dict[Claim, float] = {}
        while True:
            others = self._same_request()
            now = self._clock.mono()
            places = {claim.rank for claim in others}
            has_gone = any(claim.rank not in places for claim in asking_since)
            asking_since = {
                claim: asking_since.get(claim, now) for claim in others if claim.state == "asks"
            }
            silent = [c for c, since in asking_since.items() if now - since > self._patience]
            self.is_doubtful |= has_gone or bool(silent)
            heard = [claim for claim in others if claim not in silent]
            decision = decisions.among_siblings(self._claim, heard, known_run_ids)
            if decision.action == "adopt":
                return next(claim for claim in heard if claim.new_run_id == decision.run_id)
            if decision.action == "send":
                return None
            if decision.action == "wait":
                self._clock.sleep(_POLL_INTERVAL)
                continue
            if decision.action == "yield":
                self._log.info(
                    "Waiting for a task beside this one, which requests a run for the same data."
                )
            self._publish(
                replace(self._claim, state="yields" if decision.action == "yield" else "asks")
            )

    def end(self, new_run_id: str, is_certain: bool, known_run_ids: tuple[str, ...]) -> None:
        """Show the new run to the others."""
        self._publish(
            replace(
                self._claim,
                state="over",
                new_run_id=new_run_id,
                is_certain=is_certain,
                known_run_ids=known_run_ids,
            )
        )

    def give_up(self) -> None:
        """Let the others go on; the task ends with an error that must not be lost."""
        try:
            self._publish(replace(self._claim, state="over"))
        except Exception:  # noqa: BLE001  # whatever XComs are made of
            self._log.exception("Cannot tell the other tasks that this one has failed.")

    def runs_beside(self) -> tuple[set[str], set[str]]:
        """Return the runs of requests for the same data, and those of all others."""
        others = self._siblings.others(self._claim)
        same = {
            run_id
            for claim in others
            if claim.is_same_request(self._claim)
            for run_id in claim.known_run_ids
        }
        foreign = {run_id for claim in others for run_id in claim.known_run_ids}
        return same, (foreign | self._siblings.attempts()) - same

    def _same_request(self) -> list[Claim]:
        others = self._siblings.others(self._claim)
        return [claim for claim in others if claim.is_same_request(self._claim)]

    def _publish(self, claim: Claim) -> None:
        self._claim = claim
        self._siblings.publish(claim)
