"""Schedules of a simulation: who wants what, and what goes wrong when."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from airflow_provider_flowservice.emulator import Fault, Lifecycle

CHAOS_SECONDS = 900.0  # after these nothing goes wrong any more
_LONGEST_HIDDEN = 50.0  # below settle_time
CALM_TRIES = 6  # from this try on nothing goes wrong any more


class Victim(Protocol):
    """As much of a process as a schedule knows."""

    @property
    def writer(self) -> str:
        """Name of the writer whose try it is."""

    @property
    def number(self) -> int:
        """Number of the try."""

    @property
    def is_calm(self) -> bool:
        """Whether nothing goes wrong with it any more."""


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

    def pause(self, process: Victim, step: str) -> float:
        """Return the seconds for which a process is frozen at a step."""
        return 0.0

    def dies(self, process: Victim, step: str) -> bool:
        """Whether the process dies at a step."""
        return False

    def latency(self, process: Victim, step: str) -> float:
        """Return the seconds that a request or its answer takes."""
        return 0.01

    def clear_after_send(self) -> float | None:
        """Return the seconds after which a user clears a task that has sent a request."""
        return None


class Script(Chaos):
    """
    What happens at named steps.

    :param pauses: Seconds to freeze, by writer, number of its try, and step; each once.
    :param latencies: Seconds that a step takes, each time and for everybody.
    """

    def __init__(
        self,
        pauses: dict[tuple[str, int, str], float] | None = None,
        latencies: dict[str, float] | None = None,
    ) -> None:
        self._pauses = dict(pauses or {})
        self._latencies = dict(latencies or {})

    def pause(self, process: Victim, step: str) -> float:
        return self._pauses.pop((process.writer, process.number, step), 0.0)

    def latency(self, process: Victim, step: str) -> float:
        return self._latencies.get(step, super().latency(process, step))


class Random(Chaos):
    """Anything, now and then, in the first tries and minutes."""

    # Between what a try knows and what it does.
    TENDER = frozenset(
        {
            *("after list_runs", "before set", "after set"),
            *("before retrigger_run", "before start_run", "connecting"),
        }
    )
    # Most seconds of a way; there and back are less than request_timeout.
    SLOW: ClassVar = {"in transit": 28, "after retrigger_run": 1, "after start_run": 1}

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._pause_rate = rng.choice([0, 0.01, 0.04, 0.12])
        self._crash_rate = rng.choice([0, 0, 0.01, 0.03])
        self._slow_rate = rng.choice([0, 0.02, 0.1])
        self._clear_rate = rng.choice([0, 0.1, 0.5])

    def pause(self, process: Victim, step: str) -> float:
        rate = self._pause_rate * (3 if step in self.TENDER else 1)
        if process.is_calm or self._rng.random() >= rate:
            return 0.0
        return self._rng.uniform(*self._rng.choice([(0, 2), (2, 25), (10, 120), (60, 420)]))

    def dies(self, process: Victim, step: str) -> bool:
        return not process.is_calm and self._rng.random() < self._crash_rate

    def latency(self, process: Victim, step: str) -> float:
        if not process.is_calm and self._rng.random() < self._slow_rate:
            return self._rng.uniform(0, self.SLOW.get(step, 14))
        return self._rng.uniform(0.001, 0.2)

    def clear_after_send(self) -> float | None:
        if self._rng.random() >= self._clear_rate:
            return None
        return self._rng.uniform(0, self._rng.choice([30, 200]))


@dataclass
class Schedule:
    """
    What happens, and when; times are seconds after the first writer begins.

    :param uses_recipe: Whether all writers ask for the one DAG run that repairs the data.
    :param has_store: Whether this is Airflow 3.3 or later.
    :param drops_state: Whether a Clear drops the task's state, as from 3.4 on.
    :param is_deferrable: Whether a wait is deferred, so that no process is there to be killed.
    :param hidden_for: Seconds for which the service does not show a new run.
    :param failures: New runs that fail before one succeeds.
    :param run_seconds: Seconds for which a new run is under way.
    :param heartbeat_timeout: Seconds after which Airflow declares a frozen try dead.
    :param database_skew: Seconds by which the clock that dates DAG runs is wrong.
    :param person_at: When a person requests the same in Adobe's UI.
    :param is_start: Whether a run is to be started, and not re-triggered.
    :param shows_asked: Whether such a run shows at once what it was asked to load.
    """

    name: str
    uses_recipe: bool
    writers: list[Writer]
    has_store: bool = True
    drops_state: bool = False
    is_deferrable: bool = False
    hidden_for: float = 0.0
    failures: int = 0
    run_seconds: float = 120.0
    heartbeat_timeout: float = 300.0
    retry_delay: float = 30.0
    database_skew: float = 0.0
    faults: list[tuple[float, Fault]] = field(default_factory=list)
    clears: list[tuple[float, str]] = field(default_factory=list)
    person_at: list[float] = field(default_factory=list)
    is_start: bool = False
    shows_asked: bool = True
    chaos: Chaos = field(default_factory=Chaos)
    rng: random.Random = field(default_factory=lambda: random.Random(0))

    def lifecycles(self) -> list[Lifecycle]:
        """Return what becomes of the new runs, one after the other; the last one repeats."""
        statuses = [*["failed"] * self.failures, "success"]
        return [
            Lifecycle(["inProgress", status], step_seconds=self.run_seconds) for status in statuses
        ]

    def __str__(self) -> str:
        airflow = "3.4" if self.drops_state else "3.3" if self.has_store else "before 3.3"
        starts = ", ".join(f"{writer.name} {writer.start:.3f}" for writer in self.writers)
        return (
            f"{self.name}: a {'start' if self.is_start else 're-trigger'} {'with' if self.uses_recipe else 'without'} the recipe, Airflow {airflow}, "
            f"{'deferred' if self.is_deferrable else 'in a worker'}; start {starts}; new runs hidden "
            f"for {self.hidden_for:.0f} s; heartbeat timeout {self.heartbeat_timeout:.0f} s, retry "
            f"delay {self.retry_delay:.0f} s"
        )


LOST = [
    {"kind": "close_before"},
    {"kind": "close_after"},
    {"kind": "truncated"},
    {"status": 502, "body": "<html>"},
    {"status": 504, "body": ""},
    {"status": 503, "body": {"code": "FLOW-1100-503", "message": "busy"}},
    {"status": 429, "body": "", "headers": {"Retry-After": "20"}},
]


def random_schedule(seed: int, uses_recipe: bool, is_start: bool = False) -> Schedule:
    """Return the schedule of a seed."""
    rng = random.Random(f"{seed} {uses_recipe}" + " start" * is_start)
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
    return Schedule(
        f"seed {seed}",
        uses_recipe,
        writers,
        has_store=has_store,
        drops_state=has_store and rng.random() < 0.5,
        is_deferrable=rng.random() < 0.5,
        hidden_for=rng.choice([0, 8, rng.uniform(0, _LONGEST_HIDDEN), _LONGEST_HIDDEN]),
        failures=rng.choice([0, 0, 0, 1, 2]),
        run_seconds=rng.choice([30, 60, 120, 600]),
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
        is_start=is_start,
        shows_asked=not is_start or rng.random() < 0.6,
    )


def _random_fault(rng: random.Random) -> tuple[float, Fault]:
    at = rng.choice([0.0, rng.uniform(0, CHAOS_SECONDS)])
    if rng.random() < 0.7:
        return at, Fault("POST /runs", **rng.choice(LOST))
    return at, Fault("GET /runs", status=rng.choice([502, 503]), body="", after=rng.randrange(4))
