"""
Measure many waits in this process, as a triggerer holds them.

``python -m benchmarks.waits CONTENDER WAITS INTERVAL SECONDS`` prints the figures as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil  # comes with Airflow

from benchmarks.contenders import CONTENDERS, OURS

# Seconds between looks at the clock.
TICK = 0.005
# Waits started in one turn of the event loop; a triggerer starts one.
AT_ONCE = 10


class Holds:
    """How long the event loop was held, and how much of that Python's garbage collector took."""

    def __init__(self) -> None:
        self.longest = self.longest_of_its_own = self.longest_collection = 0.0
        self._collecting_since = self._collected = 0.0

    async def watch(self) -> None:
        """Watch until cancelled."""
        while True:
            self._collected = 0.0
            began_at = time.perf_counter()
            await asyncio.sleep(TICK)
            held = time.perf_counter() - began_at - TICK
            self.longest = max(self.longest, held)
            self.longest_of_its_own = max(self.longest_of_its_own, held - self._collected)

    @contextmanager
    def watched_collector(self) -> Iterator[None]:
        """Time the collector, which stops all threads."""
        gc.callbacks.append(self._collector)
        yield
        gc.callbacks.remove(self._collector)

    def _collector(self, phase: str, _: Any) -> None:
        if phase == "start":
            self._collecting_since = time.perf_counter()
            return
        seconds = time.perf_counter() - self._collecting_since
        self._collected += seconds
        self.longest_collection = max(self.longest_collection, seconds)


async def wait(trigger: Any) -> Any:
    """Wait for a trigger's event."""
    async for event in trigger.run():
        return event
    return None


async def measure(contender: str, run_ids: list[Any], interval: float, seconds: float) -> Any:
    """Start a wait for each run, let them wait, and tell what that took."""
    new_trigger = CONTENDERS[contender].new_trigger
    first = asyncio.create_task(wait(new_trigger(run_ids[0], interval)))
    await asyncio.sleep(3)  # all is imported and connected
    first.cancel()
    gc.collect()
    process, holds = psutil.Process(), Holds()
    memory, cpu = process.memory_info().rss, time.process_time()
    began_at = time.monotonic()
    with holds.watched_collector():
        watch = asyncio.create_task(holds.watch())
        tasks = []
        for number, run_id in enumerate(run_ids):
            tasks.append(asyncio.create_task(wait(new_trigger(run_id, interval))))
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(max(0.0, began_at + seconds - time.monotonic()))
        figures = {
            "seconds": time.monotonic() - began_at,
            "cpu": time.process_time() - cpu,
            "memory": (process.memory_info().rss - memory) / len(run_ids),
            "ended": sum(task.done() for task in tasks),
        }
        watch.cancel()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {
        **figures,
        "hold": holds.longest,
        "own_hold": holds.longest_of_its_own,
        "collection": holds.longest_collection,
    }


def main() -> None:
    """Measure what the command line says."""
    contender, number, interval, seconds = sys.argv[1], *map(float, sys.argv[2:])
    logging.disable(logging.INFO)  # a line per poll of each peer would be half of what is measured
    with tempfile.TemporaryDirectory() as folder:
        service = CONTENDERS[contender].serve(Path(folder))
        try:
            run_ids: list[Any] = list(range(int(number)))
            if contender == OURS:
                run_ids = [service.add_run() for _ in run_ids]  # type: ignore[union-attr]
            service.counts()
            figures = asyncio.run(measure(contender, run_ids, interval, seconds))
            print(json.dumps({**figures, **service.counts()}))
        finally:
            service.stop()


if __name__ == "__main__":
    main()
