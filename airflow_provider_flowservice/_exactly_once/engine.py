"""Does an action exactly once: reads the service and the store, and does what `decisions` decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_flowservice._exactly_once import decisions
from airflow_provider_flowservice._exactly_once.actions import Action
from airflow_provider_flowservice._exactly_once.candidates import had_ended
from airflow_provider_flowservice._exactly_once.clock import SKEW_MS, WALL_CLOCK, Clock
from airflow_provider_flowservice._exactly_once.decisions import Decision, Try
from airflow_provider_flowservice._exactly_once.fence import (
    SEND_WITHIN,
    Fence,
    Moment,
    OverdueError,
)
from airflow_provider_flowservice._exactly_once.journal import Record, TaskStore
from airflow_provider_flowservice._exactly_once.search import SETTLE_INTERVAL, Search
from airflow_provider_flowservice._exactly_once.siblings import Siblings
from airflow_provider_flowservice._exactly_once.turn import Turn
from airflow_provider_flowservice._json import with_lists, with_tuples
from airflow_provider_flowservice._selection.windows import same_window
from airflow_provider_flowservice.exceptions import (
    FlowServiceConnectionError,
    FlowServiceError,
    FlowServiceNotFoundError,
)
from airflow_provider_flowservice.hooks.flowservice import may_have_started_a_run
from airflow_provider_flowservice.runs import DataflowRun

if TYPE_CHECKING:
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

# With a record it is known which runs were there before the request, so a wide margin adds no foreign
# runs.
_SKEW_WITH_RECORD_MS = 60 * 60_000
# Times that a try decides, if what it decided has become too old each time.
_MOST_DECISIONS = 3


class NewRun(NamedTuple):
    """
    The run to wait for.

    :param known_run_ids: All runs the task's requests have led to, this one last.
    :param is_sent: Whether this try of the task has sent a request that led to it.
    :param window: Data it has to load, in epoch milliseconds; ``None`` if that is not known.
    :param is_window_asked: Whether this is the window that an on-demand run is asked to load.
    :param is_certain: Whether it is certain that it is the new run.
    :param since_ms: Epoch milliseconds before which no further run for its data was created; ``None`` if
        that is not known.
    :param asked_ms: Epoch milliseconds when it was asked for; runs that had ended before are no
        duplicates.
    :param done_run_ids: Further runs of the window that had ended before the request.
    """

    run_id: str
    flow_id: str
    known_run_ids: tuple[str, ...]
    is_sent: bool
    window: tuple[int, int] | None = None
    is_window_asked: bool = False
    is_certain: bool = True
    since_ms: int | None = None
    asked_ms: int = 0
    done_run_ids: tuple[str, ...] = ()

    @property
    def wanted(self) -> DataflowRun:
        """What is known of the run that was asked for."""
        asked = self.window if self.is_window_asked else None
        return DataflowRun(
            "",
            self.flow_id,
            "",
            window=self.window,
            is_window_asked=self.is_window_asked,
            asked_window=asked,
        )

    def to_json(self) -> dict[str, Any]:
        """Write it as JSON values."""
        return with_lists(self._asdict())

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> NewRun:
        """Read it back, and ignore keys of other releases."""
        facts = with_tuples(value)
        return cls(**{name: fact for name, fact in facts.items() if name in cls._fields})


class Engine:
    """
    Does one action of the user.

    :param began_ms: Epoch milliseconds before which no try can have sent anything.
    :param siblings: Requests beside this one.
    :param settle_time: Seconds within which a new run appears in the service's lists.
    :param try_began: When this try began, after which no earlier try decides to send; by default, now.
    """

    def __init__(
        self,
        hook: FlowServiceHook,
        store: TaskStore,
        this_try: Try,
        action: Action,
        *,
        began_ms: int,
        siblings: Siblings,
        settle_time: float,
        log: Any,
        clock: Clock = WALL_CLOCK,
        try_began: Moment | None = None,
    ) -> None:
        self._hook = hook
        self._store = store
        self._try = this_try
        self._action = action
        self._began_ms = began_ms
        self._settle_time = settle_time
        self._log = log
        self._clock = clock
        self._try_began = try_began or Moment.now(clock)
        self._fence = Fence(clock)
        self._turn = Turn(siblings, self._settle_seconds, clock, log)
        self._search = Search(hook, action.label, self._turn, self._fence, clock)
        # Whether a request was sent whose new run is neither known nor ruled out.
        self._has_open_request = False
        # Whether this try has sent a request that may have led to a run.
        self._is_sent = False

    def run(self) -> NewRun:
        """
        Send the request, or go on with what an earlier try has started.

        :raises RetriggerAmbiguousError: The run that an earlier request led to cannot be identified.
        """
        source = self._action.source(self._hook)
        try:
            for _ in range(_MOST_DECISIONS):
                try:
                    return self._decide(source)
                except OverdueError as error:
                    self._log.warning("%s Deciding anew.", error)
                    self._try = replace(self._try, was_held_up=True)
                    self._try_began = Moment.now(self._clock)
                    self._fence.move(self._try_began)
            raise FlowServiceConnectionError(
                f"The {self._action.label} was not requested: {_MOST_DECISIONS} times the request was "
                f"held up for more than {SEND_WITHIN:.0f} s, by a slow service, a Retry-After or a "
                "process that was stopped. A retry of the task decides anew.",
                sent="no",
            )
        except Exception:
            if not self._has_open_request:
                self._turn.give_up()
            raise

    @property
    def _settle_seconds(self) -> float:
        """
        Seconds within which the run of a request by another try appears.

        That request may still be on its way. Without ``settle_time``, nothing is waited for.
        """
        if not self._settle_time:
            return 0.0
        return self._settle_time + SEND_WITHIN + self._hook.settings.request_timeout

    def _decide(self, source: DataflowRun) -> NewRun:
        """Decide what to do from what is stored and what the service shows, and do it."""
        record, is_legible = self._store.load()
        decision = decisions.begin(record, source.run_id, self._try, self._store.exists, is_legible)
        if record is not None and record.source_run_id != source.run_id:
            record = None
        self._turn.ask(source, self._try.max_tries, record.known_run_ids if record else ())
        if decision.action == "read" and record is not None:
            decision = self._read_stored(source, record)
        if decision.action == "search":
            record, decision = self._find(source, record, self._settle_seconds, self._try_began)
        if decision.action in ("send", "settle"):
            return self._send(source, record, decision)
        return self._go_on(source, record, decision)

    def _read_stored(self, source: DataflowRun, record: Record) -> Decision:
        """Read the stored run; after a Clear, until such a run would have appeared."""
        settled_mono = self._clock.mono() + self._settle_seconds
        while True:
            is_settled = self._clock.mono() >= settled_mono
            try:
                run = self._hook.get_run(record.new_run_id or "")
            except FlowServiceNotFoundError:
                run = None
            decision = decisions.after_read(record, run, source, self._try, is_settled)
            if run is not None or is_settled or self._try.max_tries == record.max_tries:
                return decision
            self._clock.sleep(SETTLE_INTERVAL)

    def _find(
        self,
        source: DataflowRun,
        record: Record | None,
        settle_seconds: float,
        began: Moment | None = None,
    ) -> tuple[Record, Decision]:
        """Search for the run an earlier request led to, and return what is known then."""
        if record is None:
            target, earliest_ms = source, self._began_ms - SKEW_MS
            known = self._new_record(source, source)
        else:
            target = self._action.target(self._hook, source, record.target_run_id)
            earliest_ms, known = record.requested_ms - _SKEW_WITH_RECORD_MS, record
        self._has_open_request = True
        # A run that a sibling task is about to claim cannot be told from ours.
        put_off = {"send", "stop", "adopt"} if self._turn.has_siblings else {"send", "stop"}
        for candidates, is_settled in self._search.rounds(
            target,
            max(earliest_ms, target.created_at or 0),
            (*known.known_run_ids, *known.earlier_run_ids),
            settle_seconds,
            began,
        ):
            decision = decisions.after_search(
                candidates, target.run_id, self._try, has_record=record is not None
            )
            if is_settled or decision.action not in put_off:
                break
        self._has_open_request = False
        if decision.action == "stop":
            raise self._search.ambiguous(decision.reason, candidates)
        if record is None:
            # Failed runs that are found are those of earlier tries.
            runs = sorted(candidates.matching, key=lambda run: run.created_at or 0)
            failed = tuple(run.run_id for run in runs if run.is_failed)
            known = replace(known, known_run_ids=failed)
        is_certain = any(
            run.run_id == decision.run_id and same_window(run, source)
            for run in candidates.matching
        )
        return replace(known, is_certain=is_certain), decision

    def _send(
        self,
        source: DataflowRun,
        before: Record | None,
        decision: Decision,
        is_retry: bool = False,
    ) -> NewRun:
        """Send the request, with the intent stored before it and the new run after it."""
        target = self._action.target(self._hook, source, decision.run_id)
        self._action.check(self._hook, target, self._log)
        record = self._new_record(source, target, before)
        if theirs := self._turn.wait({*record.known_run_ids, target.run_id}):
            record = replace(record, is_certain=theirs.is_certain)
            reason = "a request beside this one, for the same data, has led to it"
            return self._go_on(source, record, Decision("adopt", theirs.new_run_id or "", reason))
        settle_from = self._try_began if decision.action == "settle" else None
        if self._turn.is_doubtful:
            settle_from = Moment.now(self._clock)
        checked, record = self._check(source, target, record, settle_from)
        if checked.action != "send":
            return self._go_on(source, record, checked)
        self._log.info("Requesting the %s: %s.", self._action.label, decision.reason)
        stored = self._store.record
        self._store_intent(record)
        self._has_open_request = True
        try:
            new_run_id = self._action.send(self._hook, target, self._fence.check)
        except OverdueError:
            if self._store.load()[0] == record:  # and not what another try has stored since
                self._store.restore(stored)
            self._has_open_request = False
            raise
        except FlowServiceError as error:
            if not may_have_started_a_run(error):
                self._has_open_request = False
                self._store.restore(stored)
                raise
            self._is_sent = True
            self._log.warning("%s Searching for the run it may have started.", error)
            record, found = self._find(source, record, self._settle_time)
            if found.action != "send":
                return self._go_on(source, record, found)
            if is_retry:
                raise
            return self._send(source, record, found, is_retry=True)
        self._is_sent = True
        return self._keep(source, record, new_run_id)

    def _store_intent(self, record: Record) -> None:
        """Store that a request is about to be sent."""
        moment = Moment.now(self._clock)
        self._store.save(record)
        # Airflow stores nothing for a try that it has given up, so there is no other one. Tasks beside
        # this one may have gone on without it, though.
        if self._store.exists and not self._turn.has_siblings:
            self._fence.move(moment)

    def _check(
        self,
        source: DataflowRun,
        target: DataflowRun,
        record: Record,
        settle_from: Moment | None,
    ) -> tuple[Decision, Record]:
        """
        Search for a run that another client or task has requested, and note what else is there.

        :param settle_from: From when on to wait for one that is not shown yet; ``None`` for no wait.
        """
        put_off = {"send", "stop"} if settle_from else {"stop"}
        done_before: set[str] | None = None
        # Since the source: another task may have requested a run for that one, too.
        for candidates, is_settled in self._search.rounds(
            target,
            source.created_at or 0,
            record.known_run_ids,
            self._settle_seconds,
            settle_from,
        ):
            if done_before is None:
                done_before = {
                    run.run_id
                    for run in candidates.matching
                    if run.is_terminal
                    and (self._try.is_cleared or had_ended(run, self._action.asked_ms))
                }
            decision = decisions.after_check(
                candidates,
                target,
                done_before,
                self._hook.settings.own_clients,
                self._action.suspects_any or settle_from is not None,
            )
            if is_settled or decision.action not in put_off:
                break
        if decision.action == "stop":
            raise self._search.ambiguous(decision.reason, candidates)
        if decision.action != "send":
            return decision, record
        now_ms = self._clock.now_ms()
        earlier = (
            run.run_id
            for run in candidates.all
            if run.created_at is None or run.created_at >= now_ms - 2 * _SKEW_WITH_RECORD_MS
        )
        done = (
            run.run_id
            for run in candidates.matching
            if run.is_terminal and same_window(run, target)
        )
        return decision, replace(
            record,
            requested_ms=now_ms,
            earlier_run_ids=tuple(earlier),
            done_run_ids=tuple(done),
        )

    def _go_on(self, source: DataflowRun, record: Record | None, decision: Decision) -> NewRun:
        """Go on with a run that is there already."""
        self._log.warning(
            "Going on with dataflow run %s as the %s: %s.%s",
            decision.run_id,
            self._action.label,
            decision.reason,
            "" if self._is_sent else " This try has sent nothing.",
        )
        record = record or self._new_record(source, source)
        return self._keep(source, record, decision.run_id)

    def _keep(self, source: DataflowRun, record: Record, new_run_id: str) -> NewRun:
        """Store the new run; a failure to store it must not end a task whose run goes on."""
        record = record.with_run(new_run_id, max_tries=self._try.max_tries)
        try:
            self._store.save(record)
            self._turn.end(new_run_id, record.is_certain, record.known_run_ids)
        except Exception:  # noqa: BLE001  # whatever Airflow's stores are made of
            self._log.exception("Cannot store that dataflow run %s is the new one.", new_run_id)
        return NewRun(
            new_run_id,
            source.flow_id,
            record.known_run_ids,
            self._is_sent,
            source.window,
            source.is_window_asked,
            record.is_certain,
            source.created_at,
            self._action.asked_ms,
            record.done_run_ids,
        )

    def _new_record(
        self, source: DataflowRun, target: DataflowRun, before: Record | None = None
    ) -> Record:
        return Record(
            source_run_id=source.run_id,
            target_run_id=target.run_id,
            max_tries=self._try.max_tries,
            requested_ms=self._clock.now_ms(),
            known_run_ids=before.known_run_ids if before else (),
        )
