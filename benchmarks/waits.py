"""
Measure many waits in this process, as in a triggerer.

``python -m benchmarks.waits CONTENDER WAITS INTERVAL SECONDS`` prints the figures as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil  # comes with Airflow

from benchmarks.contenders import CONTENDERS

# Seconds between readings of the clock.
TICK = 0.005
# Waits started in one turn of the event loop; a triggerer starts one.
AT_ONCE = 10


class Blocks:
    """Times at which the event loop was blocked, and at which the garbage collector stopped it."""

    def __init__(self) -> None:
        self._blocks: list[tuple[float, float]] = []
        self._collections: list[tuple[float, float]] = []
        self._collecting_since = 0.0

    async def watch(self) -> None:
        """Watch until cancelled."""
        gc.callbacks.append(self._collector)
        try:
            while True:
                due = time.perf_counter() + TICK
                await asyncio.sleep(TICK)
                self._blocks.append((due, time.perf_counter()))
        finally:
            gc.callbacks.remove(self._collector)

    @property
    def longest(self) -> float:
        """Seconds of the longest block, without the time of the collector."""
        return max(end - start - self._collected(start, end) for start, end in self._blocks)

    @property
    def longest_collection(self) -> float:
        """Seconds of the longest collection."""
        return max((end - start for start, end in self._collections), default=0.0)

    def _collector(self, phase: str, _: Any) -> None:
        now = time.perf_counter()
        if phase == "start":
            self._collecting_since = now
        elif now - self._collecting_since > 0.001:
            self._collections.append((self._collecting_since, now))

    def _collected(self, start: float, end: float) -> float:
        spans = ((max(start, one), min(end, other)) for one, other in self._collections)
        return sum(max(0.0, stop - begin) for begin, stop in spans)


async def wait(trigger: Any) -> Any:
    """Wait for a trigger's event."""
    async for event in trigger.run():
        return event
    return None


async def measure(contender: str, waits: int, interval: float, seconds: float) -> Any:
    """Start many waits, and measure what they cost."""
    new_trigger = CONTENDERS[contender].new_trigger
    first = asyncio.create_task(wait(new_trigger(0, interval)))
    await asyncio.sleep(3)  # imports and connects
    first.cancel()
    gc.collect()
    process, blocks = psutil.Process(), Blocks()
    memory, cpu = process.memory_info().rss, time.process_time()
    began_mono = time.monotonic()
    watch = asyncio.create_task(blocks.watch())
    tasks = []
    for number in range(waits):
        tasks.append(asyncio.create_task(wait(new_trigger(number, interval))))
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(max(0.0, began_mono + seconds - time.monotonic()))
    figures = {
        "seconds": time.monotonic() - began_mono,
        "cpu": time.process_time() - cpu,
        "memory": (process.memory_info().rss - memory) / waits,
    }
    watch.cancel()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {
        **figures,
        "blocked": blocks.longest,
        "collection": blocks.longest_collection,
    }


def main() -> None:
    """Run the measurement on the command line."""
    contender, waits = sys.argv[1], int(sys.argv[2])
    interval, seconds = map(float, sys.argv[3:])
    with tempfile.TemporaryDirectory() as folder:
        service = CONTENDERS[contender].serve(Path(folder), waits)
        try:
            service.counts()
            figures = asyncio.run(measure(contender, waits, interval, seconds))
            print(json.dumps({**figures, **service.counts()}))
        finally:
            service.stop()


if __name__ == "__main__":
    main()
