"""
Several writers for one run's data, on one virtual clock, in schedules that a seed decides.

Each try of a task is a process: a thread of its own, of which exactly one runs at a time. Every call
to the hook, to the state store and to XComs, and every sleep, is a step. Before and after each step
the schedule may freeze the process, as SIGSTOP or a paused virtual machine does, or kill it. The
service is the emulator over HTTP; its clock is the virtual one.

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

* Each process has a wall clock that is wrong by minutes, and a monotonic one that began at any time.
* A request is on its way for at most ``request_timeout``, and arrives although its sender is killed
  meanwhile.
* No process is frozen between the check just before a request is sent and its first byte, which are
  microseconds apart; it may be at any time before that check.
* The hook does not sleep for ``Retry-After``, since it would really sleep: such a sleep is one of
  the pauses before that check.
"""

from __future__ import annotations

import heapq
import inspect
import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from airflow_provider_flowservice._exactly_once.clock import Clock
from airflow_provider_flowservice._exactly_once.decisions import Try
from airflow_provider_flowservice._exactly_once.journal import TaskStore
from airflow_provider_flowservice._exactly_once.retrigger import Retrigger
from airflow_provider_flowservice._exactly_once.search import check_adopted
from airflow_provider_flowservice._exactly_once.siblings import Siblings
from airflow_provider_flowservice.emulator import Fault, Lifecycle
from airflow_provider_flowservice.exceptions import FlowServiceError, RetriggerAmbiguousError
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from helpers.crashing import HOOK_CALLS, STORE_CALLS, XCOM_CALLS, Crash, Crashing, Points
from helpers.engine import RETRIES, add_failed_run
from helpers.state_store import StateStore
from helpers.support import TaskInstance

try:
    from airflow_provider_flowservice._exactly_once.duplicates import find_duplicates
except ImportError:
    find_duplicates = None

SETTLE_TIME = 60.0
LONGEST_HIDDEN = 50.0
KILLED_WITHIN = 10.0
POLL_INTERVAL = 60.0
CALM_TRIES = 6  # from this try on nothing goes wrong any more
CHAOS_SECONDS = 900.0
LONGEST = 6 * 3600.0
MOST_STEPS = 5000
MOST_STOPS = 3
HANDS_OVER = "before_send" in inspect.signature(FlowServiceHook.retrigger_run).parameters


class Refused(Exception):
    """What Airflow tells a superseded try that wants to store something."""


# Schedules


@dataclass
class Writer:
    """
    Somebody who wants the run to be re-triggered.

    :param start: Seconds after the first one.
    :param skews: Seconds by which the clocks of the machines of its tries are wrong, in turn.
    """

    name: str
    start: float = 0.0
    skews: tuple[float, ...] = (0.0,)


class Chaos:
    """What happens to processes at their steps: nothing."""

    def pause(self, process: Process, step: str) -> float:
        """Return the seconds for which a process is frozen at a step."""
        return 0.0

    def dies(self, process: Process, step: str) -> bool:
        """Whether the process dies at a step."""
        return False

    def latency(self, process: Process, step: str) -> float:
        """Return the seconds that a request or its answer takes."""
        return 0.01

    def clear_after_send(self) -> float | None:
        """Return the seconds after which a user clears a task that has sent a request."""
        return None


class Script(Chaos):
    """
    What happens at named steps.

    :param pauses: Seconds to freeze, by writer, number of its try, and step; each once.
    """

    def __init__(self, pauses: dict[tuple[str, int, str], float] | None = None) -> None:
        self._pauses = dict(pauses or {})

    def pause(self, process: Process, step: str) -> float:
        return self._pauses.pop((process.task.name, process.number, step), 0.0)


class Random(Chaos):
    """Anything, now and then, in the first tries and minutes."""

    # Between what a try knows and what it does.
    TENDER = frozenset(
        {"after list_runs", "before set", "after set", "before retrigger_run", "connecting"}
    )

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._pause_rate = rng.choice([0, 0.01, 0.04, 0.12])
        self._crash_rate = rng.choice([0, 0, 0.01, 0.03])
        self._slow_rate = rng.choice([0, 0.02, 0.1])
        self._clear_rate = rng.choice([0, 0, 0.3])

    def pause(self, process: Process, step: str) -> float:
        rate = self._pause_rate * (3 if step in self.TENDER else 1)
        if process.is_calm or self._rng.random() >= rate:
            return 0.0
        return self._rng.uniform(*self._rng.choice([(0, 2), (2, 25), (10, 120), (60, 420)]))

    def dies(self, process: Process, step: str) -> bool:
        return not process.is_calm and self._rng.random() < self._crash_rate

    def latency(self, process: Process, step: str) -> float:
        if not process.is_calm and self._rng.random() < self._slow_rate:
            return self._rng.uniform(0, 14)  # there and back: less than request_timeout
        return self._rng.uniform(0.001, 0.2)

    def clear_after_send(self) -> float | None:
        return self._rng.uniform(0, 120) if self._rng.random() < self._clear_rate else None


@dataclass
class Schedule:
    """
    What happens, and when; times are seconds after the first writer begins.

    :param uses_recipe: Whether all writers ask for the one DAG run that repairs the data.
    :param has_store: Whether this is Airflow 3.3 or later.
    :param drops_state: Whether a Clear drops the task's state, as from 3.4 on.
    :param is_deferrable: Whether a wait is deferred, so that no process is there to be killed.
    :param hidden_for: Seconds for which the service does not show a new run.
    :param heartbeat_timeout: Seconds after which Airflow declares a frozen try dead.
    :param database_skew: Seconds by which the clock that dates DAG runs is wrong.
    :param person_at: When a person re-triggers the source in Adobe's UI.
    """

    name: str
    uses_recipe: bool
    writers: list[Writer]
    has_store: bool = True
    drops_state: bool = False
    is_deferrable: bool = False
    hidden_for: float = 0.0
    lifecycles: list[Lifecycle] = field(default_factory=lambda: [_success(120)])
    heartbeat_timeout: float = 300.0
    retry_delay: float = 30.0
    database_skew: float = 0.0
    faults: list[tuple[float, Fault]] = field(default_factory=list)
    clears: list[tuple[float, str]] = field(default_factory=list)
    person_at: list[float] = field(default_factory=list)
    chaos: Chaos = field(default_factory=Chaos)
    rng: random.Random = field(default_factory=lambda: random.Random(0))

    def __str__(self) -> str:
        airflow = "3.4" if self.drops_state else "3.3" if self.has_store else "before 3.3"
        starts = ", ".join(f"{writer.name} {writer.start:.3f}" for writer in self.writers)
        return (
            f"{self.name}: {'with' if self.uses_recipe else 'without'} the recipe, Airflow {airflow}, "
            f"{'deferred' if self.is_deferrable else 'in a worker'}; start {starts}; new runs hidden "
            f"for {self.hidden_for:.0f} s; heartbeat timeout {self.heartbeat_timeout:.0f} s, retry "
            f"delay {self.retry_delay:.0f} s"
        )


def _success(step_seconds: float) -> Lifecycle:
    return Lifecycle(["inProgress", "success"], step_seconds=step_seconds)


def _failure(step_seconds: float) -> Lifecycle:
    return Lifecycle(["inProgress", "failed"], step_seconds=step_seconds)


LOST = [
    {"kind": "close_before"},
    {"kind": "close_after"},
    {"kind": "truncated"},
    {"status": 502, "body": "<html>"},
    {"status": 504, "body": ""},
    {"status": 503, "body": {"code": "FLOW-1100-503", "message": "busy"}},
    {"status": 429, "body": "", "headers": {"Retry-After": "20"}},
]


def random_schedule(seed: int, uses_recipe: bool) -> Schedule:
    """Return the schedule of a seed."""
    rng = random.Random(f"{seed} {uses_recipe}")
    is_close = rng.random() < 0.5
    writers = [
        Writer(
            name,
            rng.uniform(0, 0.05 if is_close else 120) if number else 0.0,
            tuple(rng.choice([0, rng.uniform(-240, 240)]) for _ in range(CALM_TRIES)),
        )
        for number, name in enumerate("ABCD"[: rng.randint(2, 4)])
    ]
    has_store = rng.random() < 0.7
    duration = rng.choice([30, 60, 120, 600])
    failures = rng.choice([0, 0, 0, 1, 2])
    return Schedule(
        f"seed {seed}",
        uses_recipe,
        writers,
        has_store=has_store,
        drops_state=has_store and rng.random() < 0.5,
        is_deferrable=rng.random() < 0.5,
        hidden_for=rng.choice([0, 0, 8, rng.uniform(0, LONGEST_HIDDEN)]),
        lifecycles=[*[_failure(duration)] * failures, _success(duration)],
        heartbeat_timeout=rng.uniform(60, 300),
        retry_delay=rng.choice([0, 5, 60, 300]),
        database_skew=rng.choice([0, rng.uniform(-60, 60)]),
        faults=[_random_fault(rng) for _ in range(rng.choice([0, 0, 1, 3]))],
        clears=[
            (rng.uniform(0, CHAOS_SECONDS), rng.choice(writers).name)
            for _ in range(rng.choice([0, 0, 0, 1, 2]))
        ],
        person_at=[rng.uniform(0, 300)] if rng.random() < 0.25 else [],
        chaos=Random(rng),
        rng=rng,
    )


def _random_fault(rng: random.Random) -> tuple[float, Fault]:
    at = rng.choice([0.0, rng.uniform(0, CHAOS_SECONDS)])
    if rng.random() < 0.7:
        return at, Fault("POST /runs", **rng.choice(LOST))
    return at, Fault("GET /runs", status=rng.choice([502, 503]), body="", after=rng.randrange(4))


# What happened


@dataclass
class Sent:
    """A re-trigger that took effect; ``epoch`` counts the Clears of its task before its try."""

    run_id: str
    target: str
    at: float
    sender: str
    epoch: int
    is_ours: bool = True


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
        self.began = clock.now
        self.counts: Counter[str] = Counter()
        self.story: list[tuple[float, str, str]] = []
        self.violations: list[str] = []
        self.sent: list[Sent] = []
        self.named: list[set[str]] = []
        self.last_wait_ended_at = 0.0
        self.tasks: dict[str, Task] = {}
        self.clears_left = 2
        self.back = threading.Semaphore(0)
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
        while self._events and self.now < LONGEST and self.counts["steps"] < MOST_STEPS:
            self.clock.now, _, act = heapq.heappop(self._events)
            act()
        self._judge()
        return self._tally()

    def _set_up(self) -> None:
        service, schedule = self.service, self.schedule
        service.clear_faults()
        service.clear_requests()
        flow_id = service.add_flow()
        self.source = add_failed_run(service, self.clock, flow_id)
        self.began = self.clock.now
        self._names[self.source] = "the source"
        service.plan(flow_id, *schedule.lifecycles)
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
            self.deliver(self.source, "a person", 0, is_ours=False)
        finally:
            self.service.api_key, self.service.client_id = None, ours

    def deliver(self, run_id: str, sender: str, epoch: int, is_ours: bool = True) -> None:
        """Let a request arrive for whose answer nobody waits."""
        before = len(self.service.retriggers)
        try:
            self.hook.retrigger_run(run_id)
        except FlowServiceError as error:
            self.tell(sender, f"request is not accepted: {error}")
        self.take_note(before, sender, epoch, is_ours)

    def take_note(
        self, before: int, sender: str, epoch: int, is_ours: bool = True, is_given_up: bool = False
    ) -> bool:
        """Note the re-triggers that have taken effect."""
        new = self.service.retriggers[before:]
        for target, run_id in new:
            self.counts["after Airflow had given the try up"] += is_given_up
            self._names[run_id] = f"run {len(self._names)}"
            self.sent.append(Sent(run_id, target, self.now, sender, epoch, is_ours))
            self.tell(sender, f"RE-TRIGGERS {target} as {run_id}" + ", given up" * is_given_up)
        return bool(new)

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
        kept = [sent for sent in self.sent if not self._has_failed(sent)]
        for number, late in enumerate(kept):
            twins = [early for early in kept[:number] if self._is_duplicate(early, late)]
            self._judge_one(late, twins)
        self.counts["schedules"] += 1
        self.counts["re-triggers"] += sum(sent.is_ours for sent in self.sent)
        self.counts["by a person"] += sum(not sent.is_ours for sent in self.sent)

    def _judge_one(self, late: Sent, twins: list[Sent]) -> None:
        if not twins:
            return
        is_ours = late.is_ours and any(twin.is_ours for twin in twins)
        self.counts["duplicates" if is_ours else "duplicates with a person"] += 1
        if is_ours and self.schedule.uses_recipe:
            self.violate(f"{late.run_id} of {late.sender} is a duplicate of {twins[0].run_id}")
        if any({late.run_id, twin.run_id} <= named for named in self.named for twin in twins):
            self.counts["named"] += 1
        elif late.at + self.schedule.hidden_for > self.last_wait_ended_at:
            self.counts["not shown before the last wait ended"] += 1
        else:
            self.counts["not named"] += 1
            if find_duplicates is not None:
                self.violate(f"nobody names {late.run_id} and {twins[0].run_id}")

    def _has_failed(self, sent: Sent) -> bool:
        return self._lifecycle(sent).statuses[-1] == "failed"

    def _lifecycle(self, sent: Sent) -> Lifecycle:
        return self.service._state.runs[sent.run_id].lifecycle

    def _is_duplicate(self, early: Sent, late: Sent) -> bool:
        """Whether the later one was not what a user has asked for with a Clear."""
        lifecycle = self._lifecycle(early)
        is_under_way = late.at < early.at + lifecycle.step_seconds * (len(lifecycle.statuses) - 1)
        if is_under_way or not late.is_ours:
            return early.is_ours or late.is_ours
        if early.sender == late.sender:
            return early.epoch >= late.epoch
        return late.epoch == 0

    def _tally(self) -> Tally:
        text = self.text() if self.violations else ""
        return Tally(self.counts, [text] if text else [])


# A task, as Airflow's scheduler sees it


class Task:
    """The task of one DAG run, and its tries."""

    def __init__(self, world: World, writer: Writer) -> None:
        self.world, self.name, self._skews = world, writer.name, writer.skews
        self.tries, self.max_tries, self.epoch = 0, RETRIES, 0
        self.outcome = ""
        self.state = StateStore()
        self.current: Process | None = None
        self._dying: Process | None = None
        self._stops = 0
        self._next_start: object = None

    def start(self) -> None:
        """Begin the DAG run."""
        skew = self.world.schedule.database_skew
        self.began_ms = round((self.world.clock.now + skew) * 1000)
        self._start_try()

    def _start_try(self) -> None:
        self.tries += 1
        skew = self._skews[(self.tries - 1) % len(self._skews)]
        self.world.counts["tries"] += 1
        self.current = Process(self, self.tries, self.max_tries, self.epoch, skew)
        self.world.tell(self.current.name, f"begins, its clock {skew:+.0f} s")
        self.current.start()

    def _start_later(self, seconds: float) -> None:
        token = self._next_start = object()

        def start() -> None:
            if self._next_start is token:
                self._next_start = None
                self._start_try()

        self.world.after(seconds, start)

    def declare_dead(self, process: Process) -> None:
        """Airflow has had no heartbeat of a frozen try for too long."""
        if process is self.current:
            self.world.tell("Airflow", f"declares {process.name} dead")
            self.current = None
            process.doom(self.world.rng.uniform(0, KILLED_WITHIN))
            self._start_later(self.world.schedule.retry_delay)
        elif process is self._dying:
            self._dying = None
            self._start_later(1)

    def clear(self) -> None:
        """A user clears the task."""
        world, process = self.world, self.current
        if (
            not world.clears_left
            or self._dying
            or (process is None and self._next_start is None and not self.outcome)
        ):
            return
        world.clears_left -= 1
        world.counts["clears"] += 1
        world.tell(
            "a user",
            f"clears {self.name}" + (", which runs" if process and not process.is_deferred else ""),
        )
        if world.schedule.drops_state:
            self.state = StateStore()
        self.current = None
        self.epoch += 1
        self._stops = 0
        if process is not None and not process.is_deferred:
            self._dying = process
            process.doom(world.rng.uniform(0, KILLED_WITHIN))
            if process.is_frozen:
                world.after(world.schedule.heartbeat_timeout, lambda: self.declare_dead(process))
            return
        if process is not None:
            process.doom(0)
        if self.outcome:
            self.began_ms = round((world.clock.now + world.schedule.database_skew) * 1000)
        self.outcome = ""
        self.max_tries = self.tries + RETRIES
        self._start_later(world.rng.uniform(0.5, 5))

    def end(self, process: Process, result: Any) -> None:
        """A try has ended: its result, or what it raised."""
        world = self.world
        if process is self._dying:
            self._dying = None
            self._start_later(1)
            return
        if process is not self.current:
            return
        self.current = None
        if isinstance(result, str):
            self.outcome = result
        elif isinstance(result, Crash):
            seconds = world.rng.choice([0, world.schedule.heartbeat_timeout])
            self._start_later(seconds + world.schedule.retry_delay)
        elif isinstance(result, RetriggerAmbiguousError):
            world.counts["stops"] += 1
            world.named.append(set(result.candidates))
            self._retry_or_give_up(result)
        elif isinstance(result, FlowServiceError | RunFailed):
            self._retry_or_give_up(result)
        else:
            world.violate(f"{process.name} ends with {result!r}")
            self.outcome = "unexpected"

    def _retry_or_give_up(self, error: Exception) -> None:
        self._stops += isinstance(error, RetriggerAmbiguousError)
        if self._stops >= MOST_STOPS or self.tries >= RETRIES:
            self.outcome = str(error)
        else:
            self._start_later(self.world.schedule.retry_delay)


class RunFailed(Exception):
    """The new run has failed, so the try has."""


# A try, as a process


class Process(Points):
    """A try of a task in a process of its own; a thread that runs only when it is its turn."""

    def __init__(self, task: Task, number: int, max_tries: int, epoch: int, skew: float) -> None:
        super().__init__()
        self.task, self.number, self.epoch = task, number, epoch
        self.name = f"{task.name} try {number}"
        self.is_frozen = self.is_deferred = False
        self._world, self._max_tries, self._skew = task.world, max_tries, skew
        self._mono_offset = task.world.rng.uniform(-1e9, 1e6)
        self._kill_in: float | None = None  # seconds in which it runs
        self._wakes_at = 0.0
        self._wake: object = None
        self._turn = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    @property
    def is_calm(self) -> bool:
        """Whether nothing goes wrong with it any more."""
        return self.number >= CALM_TRIES or self._world.now > CHAOS_SECONDS

    @property
    def is_superseded(self) -> bool:
        """Whether Airflow has given it up."""
        return self.task.current is not self

    # Its turns

    def start(self) -> None:
        """Let it run until it sleeps for the first time."""
        self._thread.start()
        self._take_turn()

    def _take_turn(self) -> None:
        self._turn.release()
        if not self._world.back.acquire(timeout=60):
            raise TimeoutError(f"{self.name} hangs.\n{self._world.text()}")

    def sleep(self, seconds: float) -> None:
        """Sleep, unless it is killed meanwhile."""
        self._let_pass(seconds, is_running=True)

    def _let_pass(self, seconds: float, is_running: bool) -> None:
        dies = is_running and self._kill_in is not None and self._kill_in <= seconds
        self.is_frozen = not is_running
        self._wake_after(self._kill_in if dies else seconds)
        begun_at = self._world.now
        self._world.back.release()
        self._turn.acquire()
        self.is_frozen = False
        if self._kill_in is not None and is_running:
            self._kill_in -= self._world.now - max(begun_at, self._doomed_at)
            if self._kill_in <= 0.001:  # the clock has microseconds
                self._world.tell(self.name, "is killed, since Airflow has given it up")
                raise Crash("killed")

    def _wake_after(self, seconds: float) -> None:
        wake = self._wake = object()
        self._wakes_at = self._world.now + seconds
        self._world.after(seconds, lambda: self._take_turn() if self._wake is wake else None)

    def doom(self, seconds: float) -> None:
        """Airflow kills it after some seconds in which it runs."""
        self._kill_in, self._doomed_at = seconds, self._world.now
        if (
            self._thread.is_alive()
            and not self.is_frozen
            and self._wakes_at - self._world.now > seconds
        ):
            self._wake_after(seconds)

    _doomed_at = 0.0

    def pass_by(self, name: str) -> None:
        """Take a step, at which it may be frozen or killed."""
        world = self._world
        world.counts["steps"] += 1
        if world.chaos.dies(self, name):
            world.tell(self.name, f"dies {name}")
            world.counts["crashes"] += 1
            raise Crash(name)
        if seconds := world.chaos.pause(self, name):
            self._freeze(seconds, name)
        self.sleep(world.chaos.latency(self, name))

    def _freeze(self, seconds: float, step: str) -> None:
        world, heartbeat_timeout = self._world, self._world.schedule.heartbeat_timeout
        world.counts["pauses"] += 1
        world.tell(self.name, f"is frozen {step} for {seconds:.1f} s")
        if seconds > heartbeat_timeout and not self.is_deferred:
            world.after(heartbeat_timeout, lambda: self.task.declare_dead(self))
        self._let_pass(seconds, is_running=False)
        world.tell(self.name, "goes on" + (", given up by Airflow" if self.is_superseded else ""))

    # What it does

    def _run(self) -> None:
        self._turn.acquire()
        try:
            result = self._try()
        except BaseException as error:  # noqa: BLE001  # whatever ends the process
            result = error
        self._world.tell(self.name, f"ends: {result!r}"[:400])
        if not (isinstance(result, Refused) and self.is_superseded):
            self.task.end(self, result)
        else:
            self.task.end(self, Crash("refused"))
        self._world.back.release()

    def _try(self) -> str:
        world = self._world
        store = TryStore(self) if world.schedule.has_store else None
        hook = Crashing(Wire(self), self, HOOK_CALLS)
        retriggered = Retrigger(
            hook,
            TaskStore(store and Crashing(store, self, STORE_CALLS)),
            Try(self.number, self._max_tries, RETRIES),
            began_ms=self.task.began_ms,
            siblings=Siblings(Crashing(TaskInstance(), self, XCOM_CALLS)),
            settle_time=SETTLE_TIME,
            log=Log(self),
            clock=self._clock(),
        ).run(world.source)
        world.tell(self.name, f"waits for {retriggered.run_id}")
        self.is_deferred = world.schedule.is_deferrable
        run = self._wait(hook, retriggered.run_id)
        self.is_deferred = False
        check_adopted(hook, run, retriggered.window)
        if find_duplicates is not None:
            self._name_duplicates(find_duplicates(hook, retriggered), run.run_id)
        if run.is_failed:
            raise RunFailed(run.run_id)
        return run.run_id

    def _clock(self) -> Clock:
        world = self._world
        brought = {
            "now": lambda: world.clock.now + self._skew,
            "sleep": self.sleep,
            "mono": lambda: world.clock.now + self._mono_offset,
        }
        return Clock(**{each.name: brought[each.name] for each in fields(Clock)})

    def _wait(self, hook: Any, run_id: str) -> Any:
        while True:
            self.sleep(POLL_INTERVAL)
            try:
                run = hook.get_run(run_id)
            except FlowServiceError:
                continue  # a wait outlives outages
            if run.is_terminal:
                return run

    def _name_duplicates(self, duplicates: Any, run_id: str) -> None:
        world = self._world
        run_ids = [run.run_id for run in duplicates]
        world.tell(
            self.name, f"ends its wait for {run_id} and names {', '.join(run_ids) or 'nothing'}"
        )
        if not self.is_superseded:
            world.named.append({run_id, *run_ids})
            world.last_wait_ended_at = world.now


class Wire:
    """The hook, with the way of a re-trigger to the service, on which it can no longer be stopped."""

    def __init__(self, process: Process) -> None:
        self._process, self._world = process, process._world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.hook, name)

    def retrigger_run(self, run_id: str, before_send: Callable[[], None] = lambda: None) -> Any:
        """Re-trigger a run; the process may be frozen before the check, and die after it."""
        world, process = self._world, self._process
        before = len(world.service.retriggers)

        def check_and_send() -> None:
            nonlocal before
            process.pass_by("connecting")
            before_send()
            self._travel(run_id)
            before = len(world.service.retriggers)

        try:
            if HANDS_OVER:
                return world.hook.retrigger_run(run_id, before_send=check_and_send)
            check_and_send()
            return world.hook.retrigger_run(run_id)
        finally:
            if world.take_note(
                before, process.task.name, process.epoch, is_given_up=process.is_superseded
            ):
                world.clear_soon(process.task)

    def _travel(self, run_id: str) -> None:
        process, world = self._process, self._world
        seconds = world.chaos.latency(process, "in transit")
        arrives_at = world.now + seconds
        try:
            process.sleep(seconds)
        except Crash:
            world.after(
                arrives_at - world.now,
                lambda: world.deliver(run_id, process.task.name, process.epoch),
            )
            raise


class TryStore:
    """The task's state store as one try sees it."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def get(self, key: str) -> Any:
        """Return a value; nothing to a superseded try."""
        return None if self._process.is_superseded else self._process.task.state.get(key)

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        """Keep a value, unless the try is superseded."""
        self._check()
        self._process.task.state.set(key, value, retention=retention)

    def delete(self, key: str) -> None:
        """Forget a value, unless the try is superseded."""
        self._check()
        self._process.task.state.delete(key)

    def _check(self) -> None:
        if self._process.is_superseded:
            self._process._world.tell(self._process.name, "may store nothing any more")
            raise Refused("Task instance not found")


class Log:
    """What a try logs, as a part of the story."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def info(self, text: str, *args: Any) -> None:
        """Tell it."""
        self._process._world.tell(self._process.name, f"logs: {text % args if args else text}")

    debug = warning = error = exception = info


def play(schedule: Schedule, service: Any, hook: Any, clock: Any) -> tuple[Tally, World]:
    """Play a schedule; return what happened, and the world at its end."""
    world = World(schedule, service, hook, clock)
    tally = world.run()
    clock.now += 3600
    return tally, world
