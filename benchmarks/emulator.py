"""
The emulator with many runs that never end, in a separate process.

``python -m benchmarks.emulator PORT RUNS``
"""

from __future__ import annotations

import sys
import threading

from airflow_provider_flowservice.emulator import FlowServiceEmulator
from benchmarks.contenders import run_id_of


def main() -> None:
    """Serve until terminated."""
    port, number = map(int, sys.argv[1:])
    emulator = FlowServiceEmulator(port=port)
    flow_id = emulator.add_flow(flow_id="flow")
    for each in range(number):
        emulator.add_run(flow_id, "inProgress", run_id=run_id_of(each))
    with emulator:
        threading.Event().wait()


if __name__ == "__main__":
    main()
