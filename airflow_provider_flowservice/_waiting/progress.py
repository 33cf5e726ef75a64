"""What a wait logs: what has changed, and now and then that nothing has."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from airflow_provider_flowservice._waiting.rules import NotYet, Seen, is_outage
from airflow_provider_flowservice.exceptions import FlowServiceNotFoundError
from airflow_provider_flowservice.runs import DataflowRun

# Seconds of silence after which a wait logs that it still waits.
_HEARTBEAT = 300.0


class ProgressLogger:
    """Log the progress of one wait."""

    def __init__(self, log: Any, subject: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._subject = subject
        self._clock = clock
        self._started_mono = self._logged_mono = clock()
        self._lost_mono: float | None = None
        self.last_run: DataflowRun | None = None

    def log(self, seen: Seen) -> Seen:
        """Log what a poll brought if that is new, and return it."""
        if isinstance(seen, DataflowRun | NotYet):
            self._log_contact()
            if isinstance(seen, DataflowRun):
                self._log_run(seen)
        elif isinstance(seen, FlowServiceNotFoundError):
            self._log.debug("Not visible yet: %s: %s", self._subject, seen)
        elif is_outage(seen) and self._lost_mono is None:
            self._lost_mono = self._clock()
            self._log.warning(
                "Contact with the service lost while waiting for %s: %s", self._subject, seen
            )
        if self._clock() - self._logged_mono >= _HEARTBEAT:
            self._info(
                "Still waiting for %s after %.0f min; last status: %s.",
                self._subject,
                (self._clock() - self._started_mono) / 60,
                (self.last_run.status if self.last_run else "") or "none seen",
            )
        return seen

    def _log_contact(self) -> None:
        if self._lost_mono is not None:
            self._info(
                "Contact with the service restored after %.0f s; still waiting for %s.",
                self._clock() - self._lost_mono,
                self._subject,
            )
            self._lost_mono = None

    def _log_run(self, run: DataflowRun) -> None:
        before, self.last_run = self.last_run, run
        if before is not None and run.status == before.status:
            self._log.debug("Dataflow run %s is still %s.", run.run_id, run.status)
            return
        self._info(
            "Dataflow run %s is now %s.", run.run_id, run.status or "known, without a status"
        )
        if not run.is_status_known:
            self._log.warning(
                "Dataflow run %s has status %r, which this package does not know. It counts as "
                "still running.",
                run.run_id,
                run.status,
            )

    def _info(self, message: str, *values: object) -> None:
        self._logged_mono = self._clock()
        self._log.info(message, *values)
