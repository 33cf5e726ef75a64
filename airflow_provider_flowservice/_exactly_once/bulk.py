"""Re-triggers many runs at once, and stops early where it makes no sense to go on."""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._exactly_once.actions import Retrigger
from airflow_provider_flowservice._exactly_once.clock import Clock
from airflow_provider_flowservice._exactly_once.engine import Engine, NewRun
from airflow_provider_flowservice._exactly_once.fence import Moment
from airflow_provider_flowservice._exactly_once.journal import STORE_KEY, Record, TaskStore
from airflow_provider_flowservice._exactly_once.siblings import Claim, Siblings
from airflow_provider_flowservice._exactly_once.task import began_ms, try_of
from airflow_provider_flowservice._exactly_once.task_thread import TaskThread, TaskThreadStore
from airflow_provider_flowservice.runs import DataflowRun

if TYPE_CHECKING:
    from airflow_provider_flowservice._compat import Context
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

RESULTS_KEY = "results"
"""XCom key of what became of each run."""

# Runs in a row that meet a transient error, each after retries of its own.
_MOST_FAILURES = 3
# Reasons that the error at the end names; the others are in the log and under RESULTS_KEY.
_MOST_REASONS = 5

_Outcome = Literal["retriggered", "ineligible", "failed", "not_tried"]


class BulkRecord(TypedDict):
    """
    What became of one run.

    ``retriggered`` means that ``new_run_id`` is the new run; ``not_tried``, that the bulk was
    stopped before its turn; ``sent``, that this try has sent a request that led to the new run.
    """

    run_id: str
    outcome: _Outcome
    new_run_id: str | None
    sent: bool
    error: str | None


def retrigger_all(
    hook: FlowServiceHook,
    context: Context,
    run_ids: Sequence[str],
    *,
    retries: int,
    settle_time: float,
    concurrency: int,
    log: Any,
) -> list[BulkRecord]:
    """
    Re-trigger runs in one task, each of them once; those of one flow in their order and never at once.

    Runs of one flow and window lead to one new run.

    :param run_ids: IDs of the runs, none of them twice.
    :return: What became of each run, in their order.
    """
    thread = TaskThread()
    requests = _Requests(hook, context, thread, retries, settle_time, log)
    try:
        runs = hook.find_runs(run_ids)
    except exceptions.FlowServiceError:
        runs = {}  # each run then meets the error by itself, and its record names it
    records = {
        run_id: _record(run_id, "retriggered", new_run_id)
        for run_id, new_run_id in requests.done_before(run_ids, runs).items()
    }
    if records:
        log.info("Runs whose new run is known from an earlier try: %d.", len(records))
    groups = _groups([run_id for run_id in run_ids if run_id not in records], runs)
    records |= Bulk(requests.retrigger, thread, concurrency, log).run(groups)
    return [records[run_id] for run_id in run_ids]


class Bulk:
    """
    Many runs to re-trigger.

    :param retrigger: Re-triggers one run. Called in several threads.
    :param thread: Makes the calls into Airflow meanwhile.
    :param concurrency: Runs that are re-triggered at the same time.
    """

    def __init__(
        self,
        retrigger: Callable[[str], NewRun],
        thread: TaskThread,
        concurrency: int,
        log: Any,
    ) -> None:
        self._retrigger = retrigger
        self._thread = thread
        self._concurrency = concurrency
        self._log = log
        self._lock = threading.Lock()
        self._failures = 0
        self._is_stopped = False

    def run(self, groups: Sequence[Sequence[str]]) -> dict[str, BulkRecord]:
        """Re-trigger all runs, those of one group in their order and never at once."""
        records: dict[str, BulkRecord] = {}
        pool = ThreadPoolExecutor(self._concurrency, "flowservice-bulk")
        workers: list[Future[dict[str, BulkRecord]]] = []
        try:
            for group in groups:
                workers.append(pool.submit(self._run_group, group))
            self._thread.serve(workers)
        finally:
            # When the task is killed, no further run is re-triggered; those on their way are
            # stored.
            self._is_stopped = True
            pool.shutdown(wait=False, cancel_futures=True)
            self._thread.wake()
            with pool, closing(self._thread):
                self._thread.serve(workers)
        for worker in workers:
            records |= worker.result()
        return records

    def _run_group(self, run_ids: Sequence[str]) -> dict[str, BulkRecord]:
        return {run_id: self._run_one(run_id) for run_id in run_ids}

    def _run_one(self, run_id: str) -> BulkRecord:
        if self._is_stopped:
            return _record(run_id, "not_tried", error="The bulk was stopped before its turn.")
        try:
            new_run = self._retrigger(run_id)
        except exceptions.DataflowRunNotRetriggerableError as error:
            self._take_note(None)
            self._log.warning("%s", error)
            return _record(run_id, "ineligible", error=str(error))
        except (exceptions.FlowServiceError, ValueError) as error:
            self._take_note(error)
            self._log.error("Dataflow run %s is not re-triggered: %s", run_id, error)
            return _record(run_id, "failed", error=str(error))
        except BaseException:
            self._is_stopped = True
            raise
        self._take_note(None)
        text = "Dataflow run %s is re-triggered as %s."
        if not new_run.is_sent:
            text = "The new run of dataflow run %s is %s; this try has sent nothing."
        self._log.info(text, run_id, new_run.run_id)
        return _record(run_id, "retriggered", new_run.run_id, sent=new_run.is_sent)

    def _take_note(self, error: Exception | None) -> None:
        """Stop the bulk if the credential is refused, or the service gives no answers."""
        with self._lock:
            is_transient = isinstance(error, exceptions.FlowServiceError) and error.is_transient
            self._failures = self._failures + 1 if is_transient else 0
            is_refused = isinstance(error, exceptions.FlowServiceAuthError)
            if (is_refused or self._failures >= _MOST_FAILURES) and not self._is_stopped:
                self._is_stopped = True
                reason = "the credential is refused" if is_refused else "the service is unavailable"
                self._log.error("No further run is re-triggered: %s.", reason)


class _Requests:
    """The requests of one task: what its earlier tries have done, and how this one goes on."""

    def __init__(
        self,
        hook: FlowServiceHook,
        context: Context,
        thread: TaskThread,
        retries: int,
        settle_time: float,
        log: Any,
    ) -> None:
        self._hook = hook
        store = context.get("task_state_store")
        self._state_store = None if store is None else TaskThreadStore(store, thread)
        self._try = try_of(context, retries)
        self._began_ms = began_ms(context)
        self._settle_time = settle_time
        self._log = log
        self._siblings = Siblings(context["ti"], thread.call)
        self._clock = Clock(sleep=thread.sleep)
        self._try_began = Moment.now(self._clock)

    def done_before(
        self, run_ids: Iterable[str], runs: Mapping[str, DataflowRun]
    ) -> dict[str, str]:
        """
        Return the new runs that earlier tries are known to have led to, by the old ones.

        :param runs: The old runs, as far as the service shows them.
        """
        done = {}
        for run_id in run_ids:
            record, _ = self._store(run_id).load()
            if record is None or record.source_run_id != run_id:
                continue
            if run := runs.get(run_id) or self._get(run_id):
                self._siblings.publish(self._claim(run, record))
            # After a user has cleared the task, it is to be done again.
            if record.new_run_id and record.max_tries == self._try.max_tries:
                done[run_id] = record.new_run_id
        return done

    def retrigger(self, run_id: str) -> NewRun:
        """Re-trigger a run, or go on with what an earlier try has started."""
        return Engine(
            self._hook,
            self._store(run_id),
            self._try,
            Retrigger(run_id),
            began_ms=self._began_ms,
            siblings=self._siblings,
            settle_time=self._settle_time,
            log=self._log,
            clock=self._clock,
            try_began=self._try_began,
        ).run()

    def _get(self, run_id: str) -> DataflowRun | None:
        try:
            return self._hook.get_run(run_id)
        except exceptions.FlowServiceError:
            return None

    def _claim(self, run: DataflowRun, record: Record) -> Claim:
        """Return what an earlier try has left of a request."""
        return Claim(
            source_run_id=run.run_id,
            flow_id=run.flow_id,
            window=run.window,
            map_index=self._siblings.map_index,
            max_tries=record.max_tries,
            asked_ms=record.requested_ms,
            state="over",
            new_run_id=record.new_run_id,
            is_certain=record.is_certain,
            known_run_ids=record.known_run_ids,
        )

    def _store(self, run_id: str) -> TaskStore:
        # A digest, because the key becomes a part of a path.
        digest = hashlib.sha256(run_id.encode()).hexdigest()
        return TaskStore(self._state_store, f"{STORE_KEY}_{digest[:32]}")


def _groups(run_ids: Sequence[str], runs: Mapping[str, DataflowRun]) -> list[list[str]]:
    """Put the runs of one flow together, and those the service does not show at once likewise."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for run_id in run_ids:
        groups[runs[run_id].flow_id if run_id in runs else ""].append(run_id)
    return list(groups.values())


def raise_for(
    results: Sequence[BulkRecord], on_ineligible: Literal["fail", "skip"], log: Any
) -> None:
    """Fail the task if some of its runs were not re-triggered; the error names the first few."""
    good = {"retriggered", "ineligible"} if on_ineligible == "skip" else {"retriggered"}
    bad = [record for record in results if record["outcome"] not in good]
    log.info("Runs re-triggered or skipped: %d of %d.", len(results) - len(bad), len(results))
    if bad:
        reasons = dict.fromkeys(f"{record['run_id']}: {record['error']}" for record in bad)
        named = " ".join(list(reasons)[:_MOST_REASONS])
        raise exceptions.FlowServiceError(
            f"Dataflow runs not re-triggered: {len(bad)} of {len(results)}. {named}"
        )


def _record(
    run_id: str,
    outcome: _Outcome,
    new_run_id: str | None = None,
    error: str | None = None,
    sent: bool = False,
) -> BulkRecord:
    return {
        "run_id": run_id,
        "outcome": outcome,
        "new_run_id": new_run_id,
        "sent": sent,
        "error": error,
    }
