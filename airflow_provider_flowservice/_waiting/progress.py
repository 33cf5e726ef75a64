"""What a wait says in the log: what changed, and now and then that nothing did."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from airflow_provider_flowservice._waiting.rules import Seen
from airflow_provider_flowservice.exceptions import FlowServiceNotFoundError
from airflow_provider_flowservice.runs import DataflowRun

# Seconds of silence after which a wait says that it still waits.
_HEARTBEAT = 300.0


class ProgressLogger:
    """
    Tell the story of one wait.

    :param log: Logger of the task or trigger.
    :param run_id: ID of the run.
    :param clock: Current seconds; tests bring their own.
    """

    __slots__ = ("_clock", "_log", "_lost_at", "_run_id", "_spoke_at", "_started_at", "_status")

    def __init__(self, log: Any, run_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._run_id = run_id
        self._clock = clock
        self._started_at = self._spoke_at = clock()
        self._status: str | None = None
        self._lost_at: float | None = None

    def log(self, seen: Seen) -> Seen:
        """Say what is worth saying about a look, and pass it on."""
        if isinstance(seen, DataflowRun):
            self._log_run(seen)
        elif isinstance(seen, FlowServiceNotFoundError):
            self._log.debug("Dataflow run %s is not visible yet: %s", self._run_id, seen)
        elif self._lost_at is None:
            self._lost_at = self._clock()
            self._log.warning("Lost sight of dataflow run %s: %s", self._run_id, seen)
        if self._clock() - self._spoke_at >= _HEARTBEAT:
            self._info(
                "Still waiting for dataflow run %s after %.0f min; last status: %s.",
                (self._clock() - self._started_at) / 60,
                self._status or "none seen",
            )
        return seen

    def _log_run(self, run: DataflowRun) -> None:
        if self._lost_at is not None:
            self._info(
                "Sight of dataflow run %s regained after %.0f s.", self._clock() - self._lost_at
            )
            self._lost_at = None
        if run.status == self._status:
            self._log.debug("Dataflow run %s is still %s.", self._run_id, run.status)
            return
        self._status = run.status
        self._info("Dataflow run %s is now %s.", run.status or "known, without a status")
        if not run.is_status_known:
            self._log.warning(
                "Dataflow run %s has status %r, which this package does not know. It counts as "
                "still running.",
                self._run_id,
                run.status,
            )

    def _info(self, message: str, *values: object) -> None:
        self._spoke_at = self._clock()
        self._log.info(message, self._run_id, *values)
