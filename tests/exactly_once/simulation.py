"""
Several writers for one run's data, on one virtual clock, in schedules that a seed decides.

Each try of a task is a process: a thread of its own, of which exactly one runs at a time. Every call
to the hook, to the state store and to XComs, and every sleep, is a step. Before and after each step
the schedule may freeze the process, as SIGSTOP or a paused virtual machine does, or kill it. The
service is the emulator, whose clock is the virtual one: over HTTP, or without, for thousands of
schedules.

What is taken for granted about Airflow:

* From 3.3 on, the state store refuses what a superseded try writes, and shows it nothing.
* A superseded try is killed within 10 seconds in which it runs; a frozen one does not run. Until
  then it goes on.
* Airflow declares a try dead that is frozen for as long as the heartbeat timeout, and begins the
  next one after ``retry_delay``. A try that is deferred has no heartbeat.
* A Clear supersedes the try at once. The next one begins once the old one is dead or declared dead;
  for Airflow that is a retry: only a Clear of a task that does not run raises ``max_tries``. From 3.4
  on, a Clear drops the task's state.
* A Clear of a DAG run that has ended sets its start anew.

And about the rest:

* Each process has a wall clock that is wrong by up to 4 minutes, and a monotonic one that began at
  any time. The clock that dates DAG runs is wrong by up to 1 minute.
* The service shows a new run, in lists and by its ID, after less than ``settle_time``; what it loads,
  once it has ended. So nobody can name a duplicate that is under way when the last wait ends.
* A request is on its way for at most ``request_timeout``, and arrives although its sender is killed
  meanwhile.
* No process is frozen between the check just before a request is sent and its first byte, which are
  microseconds apart; it may be at any time before that check.
* The hook does not sleep for ``Retry-After``, since it would really sleep: such a sleep is one of
  the pauses before that check.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.exceptions import FlowServiceError
from exactly_once.processes import Baton, Task
from exactly_once.schedules import CHAOS_SECONDS, Schedule, Writer
from helpers.engine import Retriggering, Starting

_LONGEST = 6 * 3600.0  # seconds
_MOST_STEPS = 5000


@dataclass
class Sent:
    """
    A request that took effect.

    :param epoch: Clears of its task before its try.
    :param asked_at: When its DAG run began, or the person decided.
    """

    run_id: str
    target: str
    at: float
    sender: str
    epoch: int
    is_ours: bool = True
    asked_at: float = 0.0


@dataclass
class Tally:
    """What happened in schedules."""

    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Add what happened in another schedule."""
        self.counts += other.counts
        self.violations += other.violations


class World:
    """One schedule, with all that takes part in it."""

    def __init__(self, schedule: Schedule, service: Any, hook: Any, clock: Any) -> None:
        self.schedule, self.service, self.hook, self.clock = schedule, service, hook, clock
        self.chaos, self.rng = schedule.chaos, schedule.rng
        self.counts: Counter[str] = Counter()
        self.story: list[tuple[float, str, str]] = []
        self.violations: list[str] = []
        self.sent: list[Sent] = []
        self.named: list[set[str]] = []
        self.waits: list[tuple[float, str]] = []
        self.tasks: dict[str, Task] = {}
        self.clears_left = 2
        self.back = Baton()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._names: dict[str, str] = {}

    # Time

    @property
    def now(self) -> float:
        """Seconds since the schedule began."""
        return self.clock.now - self.began

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something later."""
        event = (self.clock.now + seconds, next(self._numbers), act)
        heapq.heappush(self._events, event)

    def run(self) -> Tally:
        """Play the schedule to its end."""
        self._set_up()
        while self._events and self.now < _LONGEST and self.counts["steps"] < _MOST_STEPS:
            self.clock.now, _, act = heapq.heappop(self._events)
            act()
        self.clock.now += 3600  # all runs have ended
        self._judge()
        return self._tally()

    def _set_up(self) -> None:
        service, schedule = self.service, self.schedule
        service.clear_faults()
        service.clear_requests()
        service.on_demand_window = "params" if schedule.shows_asked else "metrics"
        self.wish = (Starting if schedule.is_start else Retriggering)(service, self.clock)
        self.began = self.clock.now
        self._names[self.wish.subject] = "the subject"
        service.plan(self.wish.flow_id, *schedule.lifecycles())
        service.new_run_hidden_for = schedule.hidden_for
        for writer in schedule.writers:
            self.after(writer.start, lambda writer=writer: self._ask(writer))
        for at, fault in schedule.faults:
            self.after(at, lambda fault=fault: self._fail(fault))
        for at, name in schedule.clears:
            self.after(at, lambda name=name: self._clear(name))
        for at in schedule.person_at:
            self.after(at, self._person)
        self.after(CHAOS_SECONDS, service.clear_faults)

    # Who takes part

    def _ask(self, writer: Writer) -> None:
        key = "the repair" if self.schedule.uses_recipe else writer.name
        if key in self.tasks:
            self.tell(
                writer.name, f"finds the DAG run taken, which {self.tasks[key].name} has made"
            )
            self.counts["skipped"] += 1
            return
        self.tasks[key] = Task(self, writer)
        self.tasks[key].start()

    def _fail(self, fault: Fault) -> None:
        self.tell("service", f"next {fault.on}: {fault.status or fault.kind}")
        self.service.fail(fault)

    def _clear(self, name: str) -> None:
        for key, task in self.tasks.items():
            if key in ("the repair", name):
                task.clear()

    def clear_soon(self, task: Task) -> None:
        """Let a user clear the task some time after it has sent a request, or not."""
        seconds = self.chaos.clear_after_send()
        if seconds is not None and self.clears_left and self.now < CHAOS_SECONDS:
            self.after(seconds, task.clear)

    def _person(self) -> None:
        ours = self.service.client_id
        self.service.api_key, self.service.client_id = ours, "exc_app"
        try:
            self.deliver(self.wish.subject, "a person", 0, is_ours=False)
        finally:
            self.service.api_key, self.service.client_id = None, ours

    def deliver(self, about: str, sender: str, epoch: int, is_ours: bool = True) -> None:
        """Let a request arrive for whose answer nobody waits."""
        before = len(self.wish.sent)
        try:
            self.wish.send(self.hook, about)
        except FlowServiceError as error:
            self.tell(sender, f"request is not accepted: {error}")
        self.take_note(before, sender, epoch, is_ours)

    def take_note(
        self, before: int, sender: str, epoch: int, is_ours: bool = True, is_given_up: bool = False
    ) -> bool:
        """Note the requests that have taken effect."""
        new = self.wish.sent[before:]
        for target, run_id in new:
            self.counts["after Airflow had given the try up"] += is_given_up
            self._names[run_id] = f"run {len(self._names)}"
            asked_at = self._asked_at(sender) if is_ours else self.now
            self.sent.append(Sent(run_id, target, self.now, sender, epoch, is_ours, asked_at))
            self.tell(sender, f"REQUEST FOR {target} IS {run_id}" + ", given up" * is_given_up)
        return bool(new)

    def _asked_at(self, sender: str) -> float:
        return next(task.asked_at for task in self.tasks.values() if task.name == sender)

    # The story

    def tell(self, who: str, what: str) -> None:
        """Add a line to the story."""
        self.story.append((self.now, who, what))

    def _readable(self, text: str) -> str:
        for run_id, name in self._names.items():
            text = text.replace(run_id, name)
        return text

    def text(self) -> str:
        """Return the story, one line for each thing that happened."""
        lines = (f"{at:9.3f} s  {who:<10} {what}" for at, who, what in self.story)
        return "\n".join([str(self.schedule), *map(self._readable, lines)])

    # What is wrong

    def violate(self, what: str) -> None:
        """Note that something is wrong."""
        self.tell("WRONG", what)
        self.violations.append(what)

    def _judge(self) -> None:
        for task in self.tasks.values():
            if not task.outcome:
                self.violate(f"{task.name} has no outcome")
        if self._events:
            self.violate("it does not end")
        for number, late in enumerate(self.sent):
            twins = [early for early in self.sent[:number] if self._is_duplicate(early, late)]
            if twins:
                self._judge_one(late, twins)
        self.counts["schedules"] += 1
        self.counts["requests"] += sum(sent.is_ours for sent in self.sent)
        self.counts["by a person"] += sum(not sent.is_ours for sent in self.sent)

    def _judge_one(self, late: Sent, twins: list[Sent]) -> None:
        is_ours = late.is_ours and any(twin.is_ours for twin in twins)
        is_by_itself = is_ours and any(twin.sender == late.sender for twin in twins)
        if is_by_itself or (is_ours and self.schedule.uses_recipe):
            which = ", ".join(f"{twin.run_id} of {twin.sender}" for twin in twins)
            self.violate(f"{late.run_id} of {late.sender} is a duplicate of {which}")
        twins = [twin for twin in twins if not self._has_failed(twin)]
        if not twins or self._has_failed(late):
            return
        self.counts["duplicates" if is_ours else "duplicates with a person"] += 1
        pairs = [{late.run_id, twin.run_id} for twin in twins]
        # A run shows what it loads once it has ended.
        shown_at = late.at + max(self.schedule.hidden_for, self.schedule.run_seconds)
        if any(pair <= named for named in self.named for pair in pairs):
            self.counts["named"] += 1
        elif any(
            ended_at > shown_at and {run_id} < pair
            for ended_at, run_id in self.waits
            for pair in pairs
        ):
            self.counts["not named"] += 1
            self.violate(f"nobody names {late.run_id} and {twins[0].run_id}")
        else:
            self.counts["not shown before the waits ended"] += 1

    def _has_failed(self, sent: Sent) -> bool:
        return self.service.run(sent.run_id)["metrics"]["statusSummary"]["status"] == "failed"

    def _is_duplicate(self, early: Sent, late: Sent) -> bool:
        """Whether the later one was neither asked for with a Clear nor since the other failed."""
        if not (early.is_ours or late.is_ours):
            return False
        if late.at < early.at + self.schedule.run_seconds:
            return True  # the other one is under way
        if self._has_failed(early):
            return False
        if self.schedule.is_start and early.at + self.schedule.run_seconds < late.asked_at:
            return False  # it was asked for again
        if early.sender == late.sender:
            return early.epoch >= late.epoch
        return not late.is_ours or late.epoch == 0

    def _tally(self) -> Tally:
        text = self.text() if self.violations else ""
        return Tally(self.counts, [text] if text else [])


def play(schedule: Schedule, service: Any, hook: Any, clock: Any) -> tuple[Tally, World]:
    """Play a schedule; return what happened, and the world at its end."""
    world = World(schedule, service, hook, clock)
    return world.run(), world
