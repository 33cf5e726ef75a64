"""
RunLoader at runs, shared by all waits of a process: one request shows up to a hundred of them.

Waits that go by the same connection have their looks on a common beat. What is due at a beat is
looked at together, and each wait is resolved what became of its own run.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import math
import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from airflow_provider_flowservice._waiting.fetching import RunFetcher
from airflow_provider_flowservice._waiting.rules import Seen, WaitRules
from airflow_provider_flowservice.exceptions import FlowServiceConnectionError, FlowServiceError

if TYPE_CHECKING:
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

Future = asyncio.Future[Seen]

PARALLEL = 2
"""
Requests at a time. Services of the platform begin to refuse at about eight, and there may be
several triggerers. More would also hold up the event loop, whose turn comes after that of each
thread that reads a response.
"""

# Seconds between beats, unless a wait looks so often that this would hold it up.
_SLOT = 5.0
# Beats between looks of one delay: the more, the more looks meet at one beat.
_STEPS = (12, 6, 4, 3, 2, 1)
# Waits resolved at once. Telling more would be a long turn of the event loop.
_RESOLVED_AT_ONCE = 25


def slot_of(now: float, delay: float, interval: float, phase: float) -> float:
    """
    Return the time of a look: on a beat, so that many looks fall on the same one.

    A delay of a whole number of beats is taken to the nearest, so that looks on the beat stay on
    it; any other one to the next.

    :param now: Seconds.
    :param delay: Seconds until the look.
    :param interval: Seconds between the looks of a wait that lasts.
    :param phase: Seconds by which the beats of this process are shifted.
    """
    beat = min(_SLOT, interval / _STEPS[0])
    if beat < 0.001:
        return now + delay
    for step in (beat * beats for beats in _STEPS):
        turns = delay / step
        if turns > 0.5 and math.isclose(turns, round(turns)):
            return phase + round((now + delay - phase) / step) * step
    return phase + math.ceil((now + delay - phase) / beat) * beat


def shared_loader(
    connection: str, hook_params: Mapping[str, Any], new_hook: Callable[[], FlowServiceHook]
) -> RunLoader:
    """
    Return the looks that all waits of this event loop with such a hook share; release them later.

    :param connection: ID of the hook's connection.
    :param hook_params: Further arguments of the hook.
    :param new_hook: Makes the hook.
    """
    # By event loop, since nothing of one may be used in another.
    of_loop = _loaders.setdefault(asyncio.get_running_loop(), {})
    key = json.dumps([connection, hook_params], sort_keys=True)
    if key not in of_loop:
        fetcher = RunFetcher(new_hook, PARALLEL)
        of_loop[key] = RunLoader(fetcher, on_unused=partial(of_loop.pop, key))
    of_loop[key].waits += 1
    return of_loop[key]


class RunLoader:
    """
    The looks of waits that share an fetcher.

    :param fetcher: Asks the service.
    :param on_unused: Called when the last wait has ended.
    :param phase: Seconds by which the beats are shifted. Each process has its own, so that
        triggerers do not all knock at once.
    """

    def __init__(
        self,
        fetcher: RunFetcher,
        on_unused: Callable[[], object],
        phase: float | None = None,
    ) -> None:
        self.waits = 0
        self._fetcher = fetcher
        self._on_unused = on_unused
        self._phase = random.uniform(0, _SLOT * _STEPS[0]) if phase is None else phase
        self._batches: dict[float, _Batch] = {}
        self._due: deque[tuple[str, list[Future]]] = deque()
        self._workers: set[asyncio.Task[None]] = set()

    async def load(self, run_id: str, delay: float, rules: WaitRules) -> Seen:
        """
        Look at a run, and return what that brought.

        :param delay: Seconds until the look.
        :param rules: Those of the wait; soon after its deadline the look is over, too.
        """
        loop = asyncio.get_running_loop()
        future: Future = loop.create_future()
        beat = self._batch_at(slot_of(loop.time(), delay, rules.poll_interval, self._phase))
        beat.waiting.setdefault(run_id, []).append(future)
        end = None
        if rules.deadline is not None:
            left = max(rules.deadline - time.time(), delay)
            end = loop.call_later(left + _SLOT, _give_up, future, run_id)
        try:
            return await future
        finally:
            if end:
                end.cancel()
            if future.cancelled():
                self._forget(beat, run_id, future)

    def release(self) -> None:
        """Outcome a wait; the last one leaves nothing behind."""
        self.waits -= 1
        if self.waits:
            return
        self._on_unused()
        for worker in self._workers:
            worker.cancel()
        self._fetcher.close()

    def _batch_at(self, due: float) -> _Batch:
        loop = asyncio.get_running_loop()
        # RunLoader that are due at once begin together, too: those of one turn of the event loop.
        key = round(due, 3) if due > loop.time() else 0.0
        if key not in self._batches:
            timer = (
                loop.call_at(key, self._dispatch, key)
                if key
                else loop.call_soon(self._dispatch, key)
            )
            self._batches[key] = _Batch(key, timer)
        return self._batches[key]

    def _forget(self, beat: _Batch, run_id: str, future: Future) -> None:
        """Take a look back that nobody waits for any more, unless it has begun."""
        if self._batches.get(beat.key) is not beat:
            return
        beat.waiting[run_id].remove(future)
        if not beat.waiting[run_id]:
            del beat.waiting[run_id]
        if not beat.waiting:
            beat.timer.cancel()
            del self._batches[beat.key]

    def _dispatch(self, key: float) -> None:
        """Begin the looks of a beat."""
        self._due.extend(self._batches.pop(key).waiting.items())
        wanted = min(PARALLEL, math.ceil(len(self._due) / self._fetcher.max_batch_size))
        for _ in range(wanted - len(self._workers)):
            # In an empty context: what is logged there belongs to no task more than to another.
            worker = contextvars.Context().run(asyncio.ensure_future, self._drain())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def _drain(self) -> None:
        """Look until no look is due."""
        await self._fetcher.backoff.wait()
        while self._due:
            if not (chunk := self._next_batch(self._fetcher.max_batch_size)):
                return
            seen: Mapping[str, Seen | Exception] = {}
            try:
                seen = await self._fetcher.fetch(list(chunk))
            except Exception as error:  # noqa: BLE001  # each wait is resolved
                # One request is enough to know it of all; a service that hangs would take an hour
                # to let ten thousand waits know.
                chunk |= self._next_batch(len(self._due))
                seen = dict.fromkeys(chunk, error)
            await _resolve(chunk, seen)
            await self._fetcher.backoff.wait()

    def _next_batch(self, most: int) -> dict[str, list[Future]]:
        """Take looks that are due; a run that was due twice is looked at once."""
        taken: dict[str, list[Future]] = {}
        while self._due and len(taken) < most:
            run_id, futures = self._due.popleft()
            if waiting := [future for future in futures if not future.done()]:
                taken.setdefault(run_id, []).extend(waiting)
        return taken


@dataclass
class _Batch:
    """The looks that are due at a time, by run."""

    key: float
    timer: asyncio.Handle
    waiting: dict[str, list[Future]] = field(default_factory=dict)


async def _resolve(
    waiting: Mapping[str, list[Future]], seen: Mapping[str, Seen | Exception]
) -> None:
    """Tell waits what became of their looks, some at a time."""
    resolved = 0
    for run_id, futures in waiting.items():
        for future in futures:
            if future.done():
                continue
            what = seen[run_id]
            if isinstance(what, Exception) and not isinstance(what, FlowServiceError):
                future.set_exception(what)
            else:
                future.set_result(what)
            resolved += 1
            if resolved % _RESOLVED_AT_ONCE == 0:
                await asyncio.sleep(0)


def _give_up(future: Future, run_id: str) -> None:
    """Outcome a look that the service has left without an answer until the deadline of its wait."""
    if not future.done():
        message = f"The service gave no answer about dataflow run {run_id} in time."
        future.set_result(FlowServiceConnectionError(message))


# The looks of each event loop of this process.
_loaders: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, RunLoader]] = WeakKeyDictionary()
