"""
Measure the cost of importing a module, beyond the imports of every DAG file.

``python -m benchmarks.imports MODULE`` prints one measurement as JSON; take several.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
import time

CLIENTS = ("requests", "httpx", "aiohttp", "databricks", "airbyte_api")


def main() -> None:
    """Measure the import of the module on the command line."""
    importlib.import_module("airflow.sdk")
    # The first import would also load Airflow's configuration and collect its garbage.
    importlib.import_module("airflow.sdk.configuration").conf.getboolean("core", "load_examples")
    gc.collect()
    gc.freeze()
    before = set(sys.modules)
    began_perf, cpu = time.perf_counter(), time.process_time()
    importlib.import_module(sys.argv[1])
    figures = {"wall": time.perf_counter() - began_perf, "cpu": time.process_time() - cpu}
    loaded = [name for name in CLIENTS if name in sys.modules and name not in before]
    print(json.dumps({**figures, "clients": loaded}))


if __name__ == "__main__":
    main()
