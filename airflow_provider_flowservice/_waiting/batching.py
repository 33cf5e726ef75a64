"""
Batches the polls of all waits of a process: one request polls up to a hundred runs.

Waits with the same connection poll in the slots of a common grid. The loader polls all runs of a
slot together, and resolves each wait with the state of its own run.
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
Most requests at a time. Services of the platform throttle from about eight, and there may be
several triggerers. More threads that parse responses would also delay the event loop.
"""

# Seconds between slots. The grid of a wait with a short interval is finer.
_SLOT = 5.0
# Delays of a whole multiple of these numbers of slots are aligned to the multiple. Wide steps come
# first, since they let more polls share a slot.
_STEPS = (12, 6, 4, 3, 2, 1)
# Waits resolved in one turn of the event loop; more would make the turn long.
_RESOLVED_AT_ONCE = 25


def slot_of(now: float, delay: float, interval: float, phase: float) -> float:
    """
    Return the slot of a poll: its time, aligned to a grid so that many polls share a slot.

    The grid starts at ``phase`` and has a slot every five seconds. A delay of a whole number of
    slots is rounded to the nearest slot of a grid as wide as possible, up to a minute. So with an
    interval of 60 s a wait polls at the same second of each minute, together with all other waits
    of the process. Any other delay ends at the next slot.

    All values are seconds, ``now`` and ``phase`` of the event loop's clock.
    """
    width = min(_SLOT, interval / _STEPS[0])
    if width < 0.001:
        return now + delay
    for step in (width * slots for slots in _STEPS):
        turns = delay / step
        if turns > 0.5 and math.isclose(turns, round(turns)):
            return phase + round((now + delay - phase) / step) * step
    return phase + math.ceil((now + delay - phase) / width) * width


def shared_loader(
    connection: str, hook_params: Mapping[str, Any], new_hook: Callable[[], FlowServiceHook]
) -> RunLoader:
    """
    Return the loader that all waits of this event loop with an equal hook share.

    Each caller must release it when its wait has ended.
    """
    # One registry per event loop, since futures and tasks of one cannot be used in another.
    of_loop = _loaders.setdefault(asyncio.get_running_loop(), {})
    key = json.dumps([connection, hook_params], sort_keys=True)
    if key not in of_loop:
        fetcher = RunFetcher(new_hook, PARALLEL)
        of_loop[key] = RunLoader(fetcher, on_unused=partial(of_loop.pop, key))
    of_loop[key].waits += 1
    return of_loop[key]


class RunLoader:
    """
    Polls runs for the waits that share a fetcher.

    :param on_unused: Called when the last wait has ended.
    :param phase: Start of the grid in seconds, see :func:`slot_of`; ``None`` for a random one, so
        that triggerers do not poll in step.
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
        self._batches: dict[float | None, _Batch] = {}
        self._due: deque[tuple[str, list[Future]]] = deque()
        self._workers: set[asyncio.Task[None]] = set()

    async def load(self, run_id: str, delay: float, rules: WaitRules) -> Seen:
        """
        Poll a run once, in ``delay`` seconds, and return the run or the error.

        Soon after the deadline of the wait the poll times out.
        """
        loop = asyncio.get_running_loop()
        future: Future = loop.create_future()
        batch = self._batch_at(slot_of(loop.time(), delay, rules.poll_interval, self._phase))
        batch.waiting.setdefault(run_id, []).append(future)
        timeout = None
        if rules.deadline is not None:
            left = max(rules.deadline - time.time(), delay)
            timeout = loop.call_later(left + _SLOT, _give_up, future, run_id)
        try:
            return await future
        finally:
            if timeout:
                timeout.cancel()
            if future.cancelled():
                self._withdraw(batch, run_id, future)

    def release(self) -> None:
        """End a wait; after the last one, stop the workers and close the fetcher."""
        self.waits -= 1
        if self.waits:
            return
        self._on_unused()
        for worker in self._workers:
            worker.cancel()
        self._fetcher.close()

    def _batch_at(self, due: float) -> _Batch:
        loop = asyncio.get_running_loop()
        # Polls that are due at once share a batch, too: those of one turn of the event loop.
        slot = round(due, 3) if due > loop.time() else None
        if slot not in self._batches:
            timer = (
                loop.call_soon(self._dispatch, slot)
                if slot is None
                else loop.call_at(slot, self._dispatch, slot)
            )
            self._batches[slot] = _Batch(slot, timer)
        return self._batches[slot]

    def _withdraw(self, batch: _Batch, run_id: str, future: Future) -> None:
        """Remove a cancelled poll from its batch, unless the batch is dispatched."""
        if self._batches.get(batch.slot) is not batch:
            return
        batch.waiting[run_id].remove(future)
        if not batch.waiting[run_id]:
            del batch.waiting[run_id]
        if not batch.waiting:
            batch.timer.cancel()
            del self._batches[batch.slot]

    def _dispatch(self, slot: float | None) -> None:
        """Queue the polls of a slot, and start workers for them."""
        self._due.extend(self._batches.pop(slot).waiting.items())
        wanted = min(PARALLEL, math.ceil(len(self._due) / self._fetcher.max_batch_size))
        for _ in range(wanted - len(self._workers)):
            # An empty context, since the log of a worker belongs to no single task.
            worker = contextvars.Context().run(asyncio.ensure_future, self._drain())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def _drain(self) -> None:
        """Poll until no poll is due."""
        await self._fetcher.backoff.wait()
        while self._due:
            if not (chunk := self._next_batch(self._fetcher.max_batch_size)):
                return
            seen: Mapping[str, Seen | Exception] = {}
            try:
                seen = await self._fetcher.fetch(list(chunk))
            except Exception as error:  # noqa: BLE001  # raised in each wait
                # The error holds for all polls that are due. With a request for each batch, a
                # service that hangs would keep ten thousand waits uninformed for an hour.
                chunk |= self._next_batch(len(self._due))
                seen = dict.fromkeys(chunk, error)
            await _resolve(chunk, seen)
            await self._fetcher.backoff.wait()

    def _next_batch(self, size: int) -> dict[str, list[Future]]:
        """Take polls of up to ``size`` runs from the queue; polls of the same run are merged."""
        taken: dict[str, list[Future]] = {}
        while self._due and len(taken) < size:
            run_id, futures = self._due.popleft()
            if waiting := [future for future in futures if not future.done()]:
                taken.setdefault(run_id, []).extend(waiting)
        return taken


@dataclass
class _Batch:
    """The polls of a slot."""

    slot: float | None  # seconds of the event loop's clock; None for polls that are due at once
    timer: asyncio.Handle  # dispatches the batch
    waiting: dict[str, list[Future]] = field(default_factory=dict)  # the waits for each run


async def _resolve(
    waiting: Mapping[str, list[Future]], seen: Mapping[str, Seen | Exception]
) -> None:
    """Resolve waits with the runs or errors, some in each turn of the event loop."""
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
    """Time out a poll that has no response at the deadline of its wait."""
    if not future.done():
        message = f"The service sent no response for dataflow run {run_id} in time."
        future.set_result(FlowServiceConnectionError(message))


# The loaders of each event loop of this process.
_loaders: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, RunLoader]] = WeakKeyDictionary()
