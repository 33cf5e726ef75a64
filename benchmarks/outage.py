"""
Measure how many waits survive an outage of the service.

``python -m benchmarks.outage CONTENDER WAITS INTERVAL SECONDS`` prints their number.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.contenders import CONTENDERS
from benchmarks.waits import wait


async def measure(contender: str, service: Any, waits: int, interval: float, seconds: float) -> int:
    """Make the service unreachable for a while, and count the waits that go on afterwards."""
    new_trigger = CONTENDERS[contender].new_trigger
    tasks = [asyncio.create_task(wait(new_trigger(each, interval))) for each in range(waits)]
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
    """Run the measurement on the command line."""
    contender, waits = sys.argv[1], int(sys.argv[2])
    interval, seconds = map(float, sys.argv[3:])
    with tempfile.TemporaryDirectory() as folder:
        service = CONTENDERS[contender].serve(Path(folder), waits)
        try:
            alive = asyncio.run(measure(contender, service, waits, interval, seconds))
            print(json.dumps(alive))
        finally:
            service.stop()


if __name__ == "__main__":
    main()
