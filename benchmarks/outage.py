"""
Measure how many of some waits live through an outage of the service.

``python -m benchmarks.outage CONTENDER WAITS INTERVAL SECONDS`` prints the number that does.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.contenders import CONTENDERS, OURS
from benchmarks.waits import wait


async def measure(
    contender: str, service: Any, number: int, interval: float, seconds: float
) -> int:
    """Let the service be away in mid-wait, and count the waits that go on afterwards."""
    new_trigger = CONTENDERS[contender].new_trigger
    run_ids = [service.add_run() if contender == OURS else None for _ in range(number)]
    tasks = [asyncio.create_task(wait(new_trigger(run_id, interval))) for run_id in run_ids]
    await asyncio.sleep(2 * interval)
    service.go_away(True)
    await asyncio.sleep(seconds)
    service.go_away(False)
    await asyncio.sleep(4 * interval)
    alive = sum(not task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return alive


def main() -> None:
    """Measure what the command line says."""
    contender, number, interval, seconds = sys.argv[1], *map(float, sys.argv[2:])
    with tempfile.TemporaryDirectory() as folder:
        service = CONTENDERS[contender].serve(Path(folder))
        try:
            print(json.dumps(asyncio.run(
                measure(contender, service, int(number), interval, seconds)
            )))  # fmt: skip
        finally:
            service.stop()


if __name__ == "__main__":
    main()
