"""Re-triggers many runs at once, and stops early where it makes no sense to go on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypedDict

from airflow_provider_flowservice._client.retries import is_passing
from airflow_provider_flowservice.exceptions import (
    DataflowRunNotRetriggerableError,
    FlowServiceAuthError,
    FlowServiceError,
)

# Runs in a row that meet a service in trouble, each after repetitions of its own.
_MOST_TROUBLES = 3


class BulkRecord(TypedDict):
    """
    What became of one run.

    ``retriggered`` means that ``new_run_id`` is the new run; ``not_tried``, that the bulk was
    stopped before its turn.
    """

    run_id: str
    outcome: Literal["retriggered", "ineligible", "failed", "not_tried"]
    new_run_id: str | None
    error: str | None


class Bulk:
    """
    Many runs to re-trigger.

    :param retrigger: Re-triggers one run and returns the new run's ID. Called in several threads.
    :param concurrency: Runs that are re-triggered at the same time.
    :param log: Logger of the task.
    """

    def __init__(self, retrigger: Callable[[str], str], concurrency: int, log: Any) -> None:
        self._retrigger = retrigger
        self._concurrency = concurrency
        self._log = log
        self._lock = threading.Lock()
        self._troubles = 0
        self._is_stopped = False

    def run(self, groups: Sequence[Sequence[str]]) -> dict[str, BulkRecord]:
        """
        Re-trigger the runs of all groups, those of one group in their order and never at once.

        :return: What became of each run, by its ID.
        """
        records: dict[str, BulkRecord] = {}
        pool = ThreadPoolExecutor(self._concurrency, "flowservice-bulk")
        try:
            for done in pool.map(self._run_group, groups):
                records |= {record["run_id"]: record for record in done}
        finally:
            # When the task is killed, no further run is begun.
            self._is_stopped = True
            pool.shutdown(cancel_futures=True)
        return records

    def _run_group(self, run_ids: Sequence[str]) -> list[BulkRecord]:
        return [self._run_one(run_id) for run_id in run_ids]

    def _run_one(self, run_id: str) -> BulkRecord:
        if self._is_stopped:
            return _not_retriggered(run_id, "not_tried", "The bulk was stopped before its turn.")
        try:
            new_run_id = self._retrigger(run_id)
        except DataflowRunNotRetriggerableError as error:
            self._take_note(None)
            self._log.warning("%s", error)
            return _not_retriggered(run_id, "ineligible", str(error))
        except (FlowServiceError, ValueError) as error:
            self._take_note(error)
            self._log.error("Dataflow run %s is not re-triggered: %s", run_id, error)
            return _not_retriggered(run_id, "failed", str(error))
        self._take_note(None)
        self._log.info("Dataflow run %s is re-triggered as %s.", run_id, new_run_id)
        return retriggered(run_id, new_run_id)

    def _take_note(self, error: Exception | None) -> None:
        """Stop the bulk if the credential is refused, or the service gives no answers."""
        with self._lock:
            is_trouble = isinstance(error, FlowServiceError) and is_passing(error)
            self._troubles = self._troubles + 1 if is_trouble else 0
            is_refused = isinstance(error, FlowServiceAuthError)
            if (is_refused or self._troubles >= _MOST_TROUBLES) and not self._is_stopped:
                self._is_stopped = True
                reason = "the credential is refused" if is_refused else "the service is in trouble"
                self._log.error("No further run is re-triggered: %s.", reason)


def retriggered(run_id: str, new_run_id: str) -> BulkRecord:
    """Return the record of a run that is re-triggered."""
    return {
        "run_id": run_id,
        "outcome": "retriggered",
        "new_run_id": new_run_id,
        "error": None,
    }


def _not_retriggered(
    run_id: str, outcome: Literal["ineligible", "failed", "not_tried"], error: str
) -> BulkRecord:
    return {"run_id": run_id, "outcome": outcome, "new_run_id": None, "error": error}
