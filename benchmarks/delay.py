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
    """Let runs end at random times, and measure when their waits end."""
    ended_mono: dict[int, float] = {}

    async def delay_of(number: int) -> float:
        await wait(CONTENDERS[OURS].new_trigger(number, interval))
        return time.monotonic() - ended_mono[number]

    tasks = [asyncio.create_task(delay_of(number)) for number in range(waits)]
    await asyncio.sleep(2 * interval)  # the first polls are closer together
    for number in range(waits):
        await asyncio.sleep(random.expovariate(waits / (3 * interval)))
        body = {"run_id": run_id_of(number), "statuses": ["success"]}
        ended_mono[number] = time.monotonic()
        await asyncio.to_thread(service.call, "POST", "/_emulator/script", body)
    return list(await asyncio.gather(*tasks))


def main() -> None:
    """Run the measurement on the command line."""
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
