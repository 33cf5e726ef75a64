"""Tries of a task as the engine sees them, in processes that may crash, and in virtual time."""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from airflow_provider_flowservice._exactly_once.actions import Retrigger, Start
from airflow_provider_flowservice._exactly_once.clock import Clock
from airflow_provider_flowservice._exactly_once.decisions import Try
from airflow_provider_flowservice._exactly_once.engine import Engine
from airflow_provider_flowservice._exactly_once.journal import TaskStore
from airflow_provider_flowservice._exactly_once.siblings import Siblings
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from helpers.crashing import HOOK_CALLS, STORE_CALLS, XCOM_CALLS, Crashing, Points
from helpers.fake_clock import FakeClock
from helpers.state_store import StateStore
from helpers.support import TaskInstance

HOUR_MS = 3_600_000
RETRIES = 50


def hook_with(clock, **arguments):
    """Make a hook that goes by a clock, and sends each request once."""
    hook = FlowServiceHook(**{"retries": 0, "backoff": 0, **arguments})
    hook._now = clock
    return hook


@dataclass
class Retriggering:
    """
    The wish that a failed run be re-triggered.

    :param flow_id: ID of its flow, which has no other run.
    """

    service: Any
    clock: Any
    flow_id: str = ""

    call = "retrigger_run"
    """The hook's method that grants it."""

    def __post_init__(self):
        self.flow_id = self.flow_id or self.service.add_flow()
        self.run_id = add_failed_run(self.service, self.clock, self.flow_id)

    def action(self, began_ms):
        """Return what a task is to do."""
        return Retrigger(self.run_id)

    @property
    def subject(self):
        """What a request is about."""
        return self.run_id

    @property
    def sent(self):
        """All requests of this kind that took effect: what each was about, and its run."""
        return self.service.retriggers

    def send(self, hook, about):
        """Send a request as somebody else does."""
        hook.retrigger_run(about)

    def requests(self):
        """Return those that this wish has led to."""
        chain = {self.run_id, *new_runs(self.service, self.run_id)}
        return [pair for pair in self.sent if pair[0] in chain]


@dataclass
class Starting:
    """The wish that a run be started, for a window that nothing else has."""

    service: Any
    clock: Any
    flow_id: str = ""

    call = "start_run"

    def __post_init__(self):
        self.flow_id = self.flow_id or self.service.add_flow(frequency="once")
        self.clock.sleep(1)
        now = int(self.clock())
        self.window = (now - 3600, now)

    def action(self, began_ms):
        """Return what a task is to do."""
        return Start(self.flow_id, self.window, began_ms, now=self.clock)

    @property
    def subject(self):
        """What a request is about."""
        return self.flow_id

    @property
    def sent(self):
        """All requests of this kind that took effect: what each was about, and its run."""
        return self.service.starts

    def send(self, hook, about):
        """Send a request as somebody else does."""
        start, end = (datetime.fromtimestamp(seconds, timezone.utc) for seconds in self.window)
        hook.start_run(about, window_start=start, window_end=end)

    def requests(self):
        """Return those that this wish has led to."""
        return [pair for pair in self.sent if pair[0] == self.flow_id]


@dataclass
class Task:
    """A task and its tries, each in a process of its own that may crash."""

    hook: FlowServiceHook
    clock: FakeClock
    wish: Retriggering | Starting | str
    has_store: bool
    max_tries: int = RETRIES
    tries: int = 0
    state: StateStore = field(default_factory=StateStore)
    ti: Any = field(default_factory=TaskInstance)
    settle_time: float = 60
    mono: FakeClock | None = None

    def __post_init__(self):
        self.began_ms = round(self.clock() * 1000)
        if isinstance(self.wish, str):
            self.action: Any = Retrigger(self.wish)
        else:
            self.action = self.wish.action(self.began_ms)

    def try_once(self, points=None):
        """Run a try up to the new run, and return what the operator gets."""
        points = points or Points()
        self.tries += 1
        self.ti.xcoms.clear()
        store = Crashing(self.state, points, STORE_CALLS) if self.has_store else None
        return Engine(
            Crashing(self.hook, points, HOOK_CALLS),
            TaskStore(store),
            Try(self.tries, self.max_tries, RETRIES),
            self.action,
            began_ms=self.began_ms,
            siblings=Siblings(Crashing(self.ti, points, XCOM_CALLS)),
            settle_time=self.settle_time,
            log=logging.getLogger(__name__),
            clock=Clock(self.clock, self.clock.sleep, self.mono or self.clock),
        ).run()

    def clear(self):
        """Do as Airflow does when a user clears the task."""
        self.max_tries = self.tries + RETRIES


class MappedTaskInstance(TaskInstance):
    """A task of a mapping, which pulls the XComs of all tasks of the mapping."""

    def __init__(self, mapping: list[MappedTaskInstance]) -> None:
        super().__init__(map_index=len(mapping))
        self._mapping = mapping
        mapping.append(self)

    def xcom_pull(self, task_ids: list[str], key: str) -> list[Any]:
        """Return the values of all tasks that have one."""
        assert task_ids == [self.task_id]
        return [copy.deepcopy(ti.xcoms[key]) for ti in self._mapping if key in ti.xcoms]


def add_failed_run(service, clock, flow_id):
    """A run that failed an hour ago, whose window nothing else has."""
    created_at = round(clock() * 1000) - HOUR_MS
    clock.sleep(1)
    return service.add_run(flow_id, "failed", created_at=created_at)


def new_runs(service, source_run_id):
    """All runs that re-triggers of a run have led to, and re-triggers of those."""
    chain = [source_run_id]
    for target, new in service.retriggers:
        if target in chain:
            chain.append(new)
    return chain[1:]
