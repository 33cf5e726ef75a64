"""
Measure the time from the end of a run to the event of its wait.

``python -m benchmarks.delay WAITS INTERVAL`` prints the mean and the longest in seconds.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.contenders import CONTENDERS, OURS, run_id_of
from benchmarks.waits import wait


async def measure(service: Any, waits: int, interval: float) -> list[float]:
    """Let runs end at random times, and see when their waits know."""
    ended_at: dict[int, float] = {}

    async def known_after(number: int) -> float:
        await wait(CONTENDERS[OURS].new_trigger(number, interval))
        return time.monotonic() - ended_at[number]

    tasks = [asyncio.create_task(known_after(number)) for number in range(waits)]
    await asyncio.sleep(2 * interval)  # the first looks come earlier than the later ones
    for number in range(waits):
        await asyncio.sleep(random.expovariate(waits / (3 * interval)))
        body = {"run_id": run_id_of(number), "statuses": ["success"]}
        ended_at[number] = time.monotonic()
        await asyncio.to_thread(service.call, "POST", "/_emulator/script", body)
    return list(await asyncio.gather(*tasks))


def main() -> None:
    """Measure what the command line says."""
    waits, interval = int(sys.argv[1]), float(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        service = CONTENDERS[OURS].serve(Path(folder), waits)
        try:
            delays = asyncio.run(measure(service, waits, interval))
            print(json.dumps({"mean": sum(delays) / len(delays), "longest": max(delays)}))
        finally:
            service.stop()


if __name__ == "__main__":
    main()
