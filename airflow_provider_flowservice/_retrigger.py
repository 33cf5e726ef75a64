"""Re-triggers a run exactly once: asks the service and the store, and does what `_durable` decides."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_flowservice import _durable
from airflow_provider_flowservice._compat import NEVER_EXPIRE
from airflow_provider_flowservice._durable import CLOCK_SKEW, Candidates, Decision, Record, Try
from airflow_provider_flowservice.exceptions import (
    FlowServiceError,
    FlowServiceNotFoundError,
    RetriggerAmbiguousError,
)
from airflow_provider_flowservice.hooks.flowservice import may_have_started_a_run
from airflow_provider_flowservice.runs import DataflowRun

if TYPE_CHECKING:
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

STORE_KEY = "flowservice_retrigger"
SETTLE_TIME = 60.0

# Seconds between looks for a run that may turn up while things settle.
_SETTLE_INTERVAL = 5.0
# Newest runs of a flow that are searched.
_MOST_RUNS = 1000


class Retriggered(NamedTuple):
    """
    The run to wait for.

    :param has_ended: Whether an earlier try has seen it succeed, so that there is nothing to wait for.
    :param known_run_ids: All runs the task's requests have led to, this one last.
    """

    run_id: str
    flow_id: str
    has_ended: bool
    known_run_ids: tuple[str, ...]


class TaskStore:
    """
    What the task remembers from try to try; nothing before Airflow 3.3.

    :param state_store: The task's ``task_state_store``, if there is one.
    :param key: Under which it is remembered; one for each run that a task re-triggers.
    """

    def __init__(self, state_store: Any, key: str = STORE_KEY) -> None:
        self._state_store = state_store
        self._key = key

    @property
    def exists(self) -> bool:
        """Whether anything can be remembered."""
        return self._state_store is not None

    def load(self) -> tuple[Record | None, bool]:
        """Return the record, and whether what is stored could be read."""
        value = self._state_store.get(self._key) if self.exists else None
        record = Record.from_json(value)
        return record, value is None or record is not None

    def restore(self, record: Record | None) -> None:
        """Remember what was stored before."""
        if record is not None:
            self.save(record)
        elif self.exists:
            self._state_store.delete(self._key)

    def save(self, record: Record) -> None:
        """Remember ``record`` for as long as the task exists."""
        if self.exists:
            self._state_store.set(self._key, record.to_json(), retention=NEVER_EXPIRE)


class Retrigger:
    """
    One request of the user to re-trigger a run.

    :param hook: Hook of the task.
    :param store: What the task remembers.
    :param this_try: Which try of the task this is.
    :param began_at: Epoch milliseconds before which no try can have sent anything.
    :param check_eligible: Raises for a run that cannot be re-triggered.
    :param claimed: Lists the runs that sibling tasks have re-triggered.
    :param has_siblings: Whether there are such tasks.
    :param settle_time: Seconds within which a new run shows up in the service's lists.
    :param log: Logger of the task.
    """

    def __init__(
        self,
        hook: FlowServiceHook,
        store: TaskStore,
        this_try: Try,
        *,
        began_at: int,
        check_eligible: Callable[[DataflowRun], None],
        claimed: Callable[[], Iterable[str]],
        has_siblings: bool,
        settle_time: float,
        log: Any,
    ) -> None:
        self._hook = hook
        self._store = store
        self._try = this_try
        self._began_at = began_at
        self._check_eligible = check_eligible
        self._claimed = claimed
        self._has_siblings = has_siblings
        self._settle_time = settle_time
        self._log = log
        self._known: tuple[str, ...] = ()

    def run(self, source_run_id: str) -> Retriggered:
        """
        Re-trigger a run, or go on with what an earlier try has begun.

        :raises RetriggerAmbiguousError: It cannot be told what an earlier request has led to.
        """
        source = self._hook.get_run(source_run_id)
        record, is_legible = self._store.load()
        if record is not None and record.source_run_id == source_run_id:
            self._known = record.known_run_ids
        decision = _durable.begin(record, source_run_id, self._try, self._store.exists, is_legible)
        if decision.action == "look" and record is not None:
            decision = _durable.after_look(record, self._look(decision.run_id), self._try)
        elif decision.action == "search":
            decision = self._search(source, source, record)
        if decision.action == "send":
            return self._send(source, decision)
        return self._go_on(source, decision)

    def _look(self, run_id: str) -> DataflowRun | None:
        try:
            return self._hook.get_run(run_id)
        except FlowServiceNotFoundError:
            return None

    def _send(
        self, source: DataflowRun, decision: Decision, is_repetition: bool = False
    ) -> Retriggered:
        """Send the request, with the intent stored before it and the new run after it."""
        target = source if decision.run_id == source.run_id else self._hook.get_run(decision.run_id)
        self._log.info("Re-triggering dataflow run %s: %s.", target.run_id, decision.reason)
        self._check_eligible(target)
        checked = self._check(source, target)
        if checked.action != "send":
            return self._go_on(source, checked)
        before, _ = self._store.load()
        record = self._record(source, target)
        self._store.save(record)
        try:
            new_run_id = self._hook.retrigger_run(target.run_id).run_id
        except FlowServiceError as error:
            if not may_have_started_a_run(error):
                self._store.restore(before)
                raise
            self._log.warning("%s Looking for the run it may have started.", error)
            found = self._search(source, target, record)
            if found.action != "send":
                return self._go_on(source, found)
            if is_repetition:
                raise
            return self._send(source, found, is_repetition=True)
        return self._keep(record, new_run_id, source.flow_id)

    def _go_on(self, source: DataflowRun, decision: Decision) -> Retriggered:
        """Take a run that is there already for the new one."""
        self._log.warning(
            "Going on with dataflow run %s instead of re-triggering %s: %s.",
            decision.run_id,
            source.run_id,
            decision.reason,
        )
        record = self._record(source, source)
        has_ended = decision.action == "return"
        return self._keep(record, decision.run_id, source.flow_id, has_ended)

    def _keep(
        self, record: Record, new_run_id: str, flow_id: str, has_ended: bool = False
    ) -> Retriggered:
        """Remember the new run. That this fails must not end a task whose run goes on."""
        record = record.with_run(new_run_id)
        try:
            self._store.save(record)
        except Exception:  # noqa: BLE001  # whatever the store is made of
            self._log.exception("Cannot store that dataflow run %s is the new one.", new_run_id)
        return Retriggered(new_run_id, flow_id, has_ended, record.known_run_ids)

    def _search(self, source: DataflowRun, target: DataflowRun, record: Record | None) -> Decision:
        """Look for the run an earlier request led to, until it would have turned up."""
        requested_at = record.requested_at if record else _now()
        since = (record.requested_at if record else self._began_at) - CLOCK_SKEW

        def decide(candidates: Candidates) -> Decision:
            return _durable.after_search(candidates, target.run_id, record is not None)

        # A run that a sibling task is about to call its own looks like ours.
        unsettled = {"send", "stop", "adopt"} if self._has_siblings else {"send", "stop"}
        return self._decide(source, target, since, decide, requested_at, unsettled)

    def _check(self, source: DataflowRun, target: DataflowRun) -> Decision:
        """Look whether somebody else has re-triggered the run already."""

        def decide(candidates: Candidates) -> Decision:
            return _durable.after_check(candidates, target, self._try.is_cleared)

        return self._decide(source, target, target.created_at or 0, decide, _now(), {"stop"})

    def _decide(
        self,
        source: DataflowRun,
        target: DataflowRun,
        since: int,
        decide: Callable[[Candidates], Decision],
        requested_at: int,
        unsettled: set[str],
    ) -> Decision:
        """Decide from the runs of the flow, again and again while what is there may change."""
        while True:
            candidates = self._candidates(target, since)
            decision = decide(candidates)
            left = (requested_at - _now()) / 1000 + self._settle_time
            if decision.action in unsettled and left > 0:
                time.sleep(min(left, _SETTLE_INTERVAL))
            elif decision.action == "stop":
                raise self._ambiguous(source, decision, candidates)
            else:
                return decision

    def _candidates(self, target: DataflowRun, since: int) -> Candidates:
        settings = self._hook.settings
        return _durable.find_candidates(
            self._hook.list_runs(flow_id=target.flow_id, created_after=since, limit=_MOST_RUNS),
            target,
            since,
            own_clients={settings.client_id, settings.api_key},
            known_run_ids={*self._known, *self._claimed()},
        )

    def _ambiguous(
        self, source: DataflowRun, decision: Decision, candidates: Candidates
    ) -> RetriggerAmbiguousError:
        run_ids = tuple(run.run_id for run in candidates.all)
        named = "; ".join(
            f"{run.digest} {self._hook.get_run_url(run.flow_id, run.run_id)}"
            for run in candidates.all
        )
        return RetriggerAmbiguousError(
            f"Dataflow run {source.run_id} was not re-triggered, since it may have been already: "
            f"{decision.reason}. Candidates: {named} If one of them is the re-triggered run, set "
            "adopt_run_id to its ID and clear the task. If none is, a later try finds that out once "
            "they have ended; durable=False re-triggers without looking.",
            run_ids,
        )

    def _record(self, source: DataflowRun, target: DataflowRun) -> Record:
        return Record(
            source_run_id=source.run_id,
            target_run_id=target.run_id,
            max_tries=self._try.max_tries,
            requested_at=_now(),
            known_run_ids=self._known,
        )


def _now() -> int:
    return round(time.time() * 1000)
