"""Tries of a task as processes that take turns, and as Airflow's scheduler sees them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_flowservice._exactly_once.clock import Clock
from airflow_provider_flowservice._exactly_once.decisions import Try
from airflow_provider_flowservice._exactly_once.duplicates import find_duplicates
from airflow_provider_flowservice._exactly_once.engine import Engine
from airflow_provider_flowservice._exactly_once.journal import TaskStore
from airflow_provider_flowservice._exactly_once.search import check_adopted
from airflow_provider_flowservice._exactly_once.siblings import Siblings
from airflow_provider_flowservice.exceptions import FlowServiceError, RetriggerAmbiguousError
from exactly_once.schedules import CALM_TRIES, CHAOS_SECONDS
from helpers.crashing import HOOK_CALLS, STORE_CALLS, XCOM_CALLS, Crash, Crashing, Points
from helpers.engine import RETRIES
from helpers.state_store import StateStore
from helpers.support import TaskInstance

if TYPE_CHECKING:
    from airflow_provider_flowservice.runs import DataflowRun
    from exactly_once.schedules import Writer
    from exactly_once.simulation import World

_SETTLE_TIME = 60.0
_POLL_INTERVAL = 60.0
_KILLED_WITHIN = 10.0
_MOST_STOPS = 3  # after which nobody retries the task any more


class Refused(Exception):
    """What Airflow tells a superseded try that wants to store something."""


class RunFailed(Exception):
    """The new run has failed, so the try has."""


_ENDS = (Crash, Refused, RunFailed, FlowServiceError)
"""What may end a try; anything else is a mistake."""


class Baton:
    """Who holds it runs; a bare lock, since a semaphore takes several times as long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def give(self) -> None:
        """Let the one who waits for it go on."""
        self._lock.release()

    def take(self, timeout: float = -1) -> bool:
        """Wait for it."""
        return self._lock.acquire(timeout=timeout)


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
        self._begin_dag_run()
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
            process.doom(self.world.rng.uniform(0, _KILLED_WITHIN))
            self._start_later(self.world.schedule.retry_delay)
        elif process is self._dying:
            self._dying = None
            self._start_later(1)

    def clear(self) -> None:
        """A user clears the task."""
        world, process = self.world, self.current
        has_begun = process is not None or self._next_start is not None or self.outcome
        if not world.clears_left or self._dying or not has_begun:
            return
        is_running = process is not None and not process.is_deferred
        world.clears_left -= 1
        world.counts["clears"] += 1
        world.tell("a user", f"clears {self.name}{', which runs' if is_running else ''}")
        if world.schedule.drops_state:
            self.state = StateStore()
        self.current = None
        self.epoch += 1
        self._stops = 0
        if process is not None and is_running:
            self._end_before_next(process)
            return
        if process is not None:
            process.doom(0)
        if self.outcome:
            self._begin_dag_run()
        self.outcome = ""
        self.max_tries = self.tries + RETRIES
        self._start_later(world.rng.uniform(0.5, 5))

    def _end_before_next(self, process: Process) -> None:
        self._dying = process
        process.doom(self.world.rng.uniform(0, _KILLED_WITHIN))
        if process.is_frozen:
            timeout = self.world.schedule.heartbeat_timeout
            self.world.after(timeout, lambda: self.declare_dead(process))

    def _begin_dag_run(self) -> None:
        self.asked_at = self.world.now
        now = self.world.clock.now + self.world.schedule.database_skew
        self.began_ms = round(now * 1000)

    def end(self, process: Process, result: Any) -> None:
        """A try has ended: its result, or what it raised."""
        world = self.world
        if not isinstance(result, (str, *_ENDS)):
            world.violate(f"{process.name} ends with {result!r}")
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
        else:
            self._retry_or_give_up(result)

    def _retry_or_give_up(self, error: Exception) -> None:
        self._stops += isinstance(error, RetriggerAmbiguousError)
        if self._stops >= _MOST_STOPS or self.tries >= RETRIES:
            self.outcome = str(error)
        else:
            self._start_later(self.world.schedule.retry_delay)


class Process(Points):
    """A try of a task in a process of its own; a thread that runs only when it is its turn."""

    def __init__(self, task: Task, number: int, max_tries: int, epoch: int, skew: float) -> None:
        super().__init__()
        self.task, self.number, self.epoch, self.writer = task, number, epoch, task.name
        self.name = f"{task.name} try {number}"
        self.is_frozen = self.is_deferred = False
        self._world, self._max_tries, self._skew = task.world, max_tries, skew
        self._mono_offset = task.world.rng.uniform(-1e9, 1e6)
        self._kill_in: float | None = None  # seconds in which it runs
        self._doomed_at = 0.0
        self._wakes_at = 0.0
        self._wake: object = None
        self._turn = Baton()
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
        self._turn.give()
        if not self._world.back.take(timeout=60):
            raise TimeoutError(f"{self.name} hangs.\n{self._world.text()}")

    def sleep(self, seconds: float) -> None:
        """Sleep, unless it is killed meanwhile."""
        self._let_pass(seconds, is_running=True)

    def _let_pass(self, seconds: float, is_running: bool) -> None:
        dies = is_running and self._kill_in is not None and self._kill_in <= seconds
        self.is_frozen = not is_running
        self._wake_after(self._kill_in if dies else seconds)
        begun_at = self._world.now
        self._world.back.give()
        self._turn.take()
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
        if not self.is_frozen and self._wakes_at - self._world.now > seconds:
            self._wake_after(seconds)

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
        self._turn.take()
        try:
            result = self._try()
        except BaseException as error:  # noqa: BLE001  # whatever ends the process
            result = error
        self._world.tell(self.name, f"ends: {result!r}"[:400])
        self.task.end(self, result)
        self._world.back.give()

    def _try(self) -> str:
        world = self._world
        store = TryStore(self) if world.schedule.has_store else None
        hook = Crashing(Wire(self), self, HOOK_CALLS)
        retriggered = Engine(
            hook,
            TaskStore(store and Crashing(store, self, STORE_CALLS)),
            Try(self.number, self._max_tries, RETRIES),
            world.wish.action(self.task.began_ms),
            began_ms=self.task.began_ms,
            siblings=Siblings(Crashing(TaskInstance(), self, XCOM_CALLS)),
            settle_time=_SETTLE_TIME,
            log=Log(self),
            clock=self._clock(),
        ).run()
        world.tell(self.name, f"waits for {retriggered.run_id}")
        self.is_deferred = world.schedule.is_deferrable
        run = self._wait(hook, retriggered.run_id)
        self.is_deferred = False
        if not retriggered.is_certain:
            check_adopted(hook, run, retriggered.wanted)
        ended_at = world.now
        self._name(find_duplicates(hook, retriggered, run), run.run_id, ended_at)
        if run.is_failed:
            raise RunFailed(run.run_id)
        return run.run_id

    def _clock(self) -> Clock:
        clock = self._world.clock
        return Clock(
            now=lambda: clock.now + self._skew,
            sleep=self.sleep,
            mono=lambda: clock.now + self._mono_offset,
        )

    def _wait(self, hook: Any, run_id: str) -> Any:
        while True:
            self.sleep(_POLL_INTERVAL)
            try:
                run = hook.get_run(run_id)
            except FlowServiceError:
                continue  # a wait outlives outages
            if run.is_terminal:
                return run

    def _name(self, duplicates: Sequence[DataflowRun], run_id: str, ended_at: float) -> None:
        world, run_ids = self._world, [run.run_id for run in duplicates]
        world.tell(self.name, f"ends its wait for {run_id}, names {', '.join(run_ids) or 'none'}")
        if not self.is_superseded:
            world.named.append({run_id, *run_ids})
            world.waits.append((ended_at, run_id))


class Wire:
    """The hook, with the way of a request to the service, on which it can no longer be stopped."""

    def __init__(self, process: Process) -> None:
        self._process, self._world = process, process._world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.hook, name)

    def retrigger_run(self, run_id: str, before_send: Callable[[], None]) -> Any:
        """Re-trigger a run."""
        return self._request(self._world.hook.retrigger_run, run_id, before_send)

    def start_run(self, flow_id: str, before_send: Callable[[], None], **arguments: Any) -> Any:
        """Start a run."""
        return self._request(self._world.hook.start_run, flow_id, before_send, **arguments)

    def _request(
        self, call: Any, about: str, before_send: Callable[[], None], **arguments: Any
    ) -> Any:
        """Send a request; the process may be frozen before the check, and die after it."""
        world, process = self._world, self._process
        before: int | None = None

        def check_and_send() -> None:
            nonlocal before
            before = None  # for a second attempt of the hook
            process.pass_by("connecting")
            try:
                before_send()
            except Exception:
                world.counts["held back"] += 1
                raise
            self._travel(about)
            before = len(world.wish.sent)

        try:
            return call(about, before_send=check_and_send, **arguments)
        finally:
            is_given_up = process.is_superseded
            if before is not None and world.take_note(
                before, process.writer, process.epoch, is_given_up=is_given_up
            ):
                world.clear_soon(process.task)

    def _travel(self, about: str) -> None:
        process, world = self._process, self._world
        if world.chaos.dies(process, "in transit"):
            process.doom(0.001)
        seconds = world.chaos.latency(process, "in transit")
        arrives_at = world.now + seconds
        try:
            process.sleep(seconds)
        except Crash:
            world.counts["on their way when their sender died"] += 1
            world.after(
                arrives_at - world.now,
                lambda: world.deliver(about, process.writer, process.epoch),
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
