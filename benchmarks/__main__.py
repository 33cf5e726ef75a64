"""Measure this package beside its peers: ``make bench``."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

from benchmarks.contenders import CONTENDERS, FIVETRAN, OURS

# A tenth of the usual interval, for a tenth of the time.
INTERVAL, SECONDS = 6, 24
# Ten thousand waits are measured at the real interval, since their number per moment matters.
MANY, MANY_INTERVAL, MANY_SECONDS = 10_000, 60, 75
OUTAGE_WAITS, OUTAGE_INTERVAL, OUTAGE_SECONDS = 20, 2, 40
DELAYED_WAITS = 200
IMPORTS = 5


def main() -> None:
    """Run all benchmarks, and print their results."""
    began_mono = time.monotonic()
    _print_heading()
    _print_waits()
    _print_rest()
    _print_imports()
    print(f"\nMeasured in {time.monotonic() - began_mono:.0f} s.")


def _print_heading() -> None:
    print(f"Measured on {datetime.now(timezone.utc):%Y-%m-%d}, {_cpu()}, {os.cpu_count()} cores, "
          f"load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}, "
          f"Airflow {version('apache-airflow')}.\n")  # fmt: skip


def _print_waits() -> None:
    print(
        f"Waits in one process. {SECONDS} s with a poll every {INTERVAL} s, which is a tenth of the "
        f"usual interval; {MANY:,} waits: {MANY_SECONDS} s with a poll every {MANY_INTERVAL} s.\n"
    )
    columns = ["", "waits", "requests", "requests per wait and interval", "tokens", "CPU s",
               "loop blocked ms", "longest collection ms", "KiB per wait"]  # fmt: skip
    _print_row(columns)
    _print_row(["---"] * len(columns))
    _print_wait_row(OURS, 100, INTERVAL, SECONDS)
    _print_wait_row(OURS, 1000, INTERVAL, SECONDS)
    _print_wait_row(OURS, MANY, MANY_INTERVAL, MANY_SECONDS)
    for name in list(CONTENDERS)[1:]:
        _print_wait_row(name, 100, INTERVAL, SECONDS)
        _print_wait_row(name, 1000, INTERVAL, SECONDS)
    print("\n'Loop blocked' excludes full collections of Python's garbage collector, which stop any process\n"
          "with so many objects; they have a column of their own.")  # fmt: skip


def _print_wait_row(name: str, waits: int, interval: float, seconds: float) -> None:
    figures = _measure("benchmarks.waits", name, waits, interval, seconds)
    per_interval = figures["requests"] / waits / (figures["seconds"] / interval)
    _print_row([
        CONTENDERS[name].title,
        f"{waits:,}",
        f"{figures['requests']:,}",
        f"{per_interval:.3f}",
        f"{figures['tokens']:,}",
        f"{figures['cpu']:.1f}",
        f"{figures['blocked'] * 1000:,.0f}",
        f"{figures['collection'] * 1000:,.0f}",
        f"{figures['memory'] / 1024:.1f}",
    ])  # fmt: skip


def _print_rest() -> None:
    print(f"\nWaits that survive {OUTAGE_SECONDS} s without the service, of {OUTAGE_WAITS}:\n")
    _print_row(["", "alive"])
    _print_row(["---", "---"])
    for name, contender in CONTENDERS.items():
        alive = _measure("benchmarks.outage", name, OUTAGE_WAITS, OUTAGE_INTERVAL, OUTAGE_SECONDS)
        _print_row([contender.title, f"{alive}"])
    delay = _measure("benchmarks.delay", DELAYED_WAITS, INTERVAL)
    print(f"\nTime from the end of a run to the event, for {DELAYED_WAITS} waits that poll every {INTERVAL} s: "
          f"{delay['mean']:.1f} s on average, {delay['longest']:.1f} s at most.")  # fmt: skip


def _print_imports() -> None:
    print(
        "\nImport of the operators, after airflow.sdk and its configuration, with compiled bytecode; "
        f"median of {IMPORTS} processes:\n"
    )
    _print_row(["", "ms", "CPU ms", "HTTP clients loaded"])
    _print_row(["---"] * 4)
    modules = [(contender.title, contender.operators) for contender in CONTENDERS.values()]
    modules.append((f"{FIVETRAN[0]} {version(FIVETRAN[0])}", FIVETRAN[1]))
    for title, module in modules:
        _measure("benchmarks.imports", module)  # compiles the bytecode
        figures = [_measure("benchmarks.imports", module) for _ in range(IMPORTS)]
        wall, cpu = (statistics.median(each[key] for each in figures) for key in ("wall", "cpu"))
        clients = ", ".join(figures[0]["clients"]) or "none"
        _print_row([title, f"{wall * 1000:.0f}", f"{cpu * 1000:.0f}", clients])


def _measure(module: str, *arguments: object) -> Any:
    """Measure in a new process, so that nothing is cached and nothing remains."""
    quiet = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL", "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        env={**os.environ, **quiet},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            names = [line for line in lines if line.startswith("model name")]
        return names[0].partition(":")[2].strip()
    except (OSError, IndexError):
        return platform.machine()


def _print_row(cells: list[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
