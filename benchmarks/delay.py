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

from benchmarks.contenders import CONTENDERS, OURS
from benchmarks.waits import wait


async def measure(service: Any, number: int, interval: float) -> list[float]:
    """Let runs end at random times, and see when their waits know."""
    run_ids = [service.add_run() for _ in range(number)]
    ended_at: dict[str, float] = {}

    async def known_after(run_id: str) -> float:
        await wait(CONTENDERS[OURS].new_trigger(run_id, interval))
        return time.monotonic() - ended_at[run_id]

    tasks = [asyncio.create_task(known_after(run_id)) for run_id in run_ids]
    await asyncio.sleep(2 * interval)  # the first looks come earlier than the later ones
    for run_id in run_ids:
        await asyncio.sleep(random.expovariate(number / (3 * interval)))
        body = {"run_id": run_id, "statuses": ["success"]}
        ended_at[run_id] = time.monotonic()
        await asyncio.to_thread(service.call, "POST", "/_emulator/script", body)
    return list(await asyncio.gather(*tasks))


def main() -> None:
    """Measure what the command line says."""
    number, interval = int(sys.argv[1]), float(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        service = CONTENDERS[OURS].serve(Path(folder))
        try:
            delays = asyncio.run(measure(service, number, interval))
            print(json.dumps({"mean": sum(delays) / len(delays), "longest": max(delays)}))
        finally:
            service.stop()


if __name__ == "__main__":
    main()
