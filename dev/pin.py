"""
Write the constraints files anew.

``constraints.txt`` and ``constraints/bench.txt`` take the newest of everything that Airflow 3.3.2
allows; each other file in ``constraints`` takes what was newest soon after the release of its
Airflow, and that of 2.11.0 the oldest that the package allows. Every file holds for all Pythons of
its row.
"""

from __future__ import annotations

import argparse
import subprocess

from dev.matrix import BENCH_PYTHONS, MATRIX, PYTHONS
from dev.uv import ROOT, uv

NEWEST = MATRIX[-1]


def main() -> None:
    """Write the files named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="such as dev or airflow-3.1.8; all if none")
    names = parser.parse_args().names
    if not names or "dev" in names:
        _pin("constraints.txt", NEWEST.airflow, PYTHONS, "dev")
    if not names or "bench" in names:
        _pin("constraints/bench.txt", NEWEST.airflow, BENCH_PYTHONS, "bench")
    for row in MATRIX:
        if not names or row.name in names:
            path = f"constraints/{row.name}.txt"
            _pin(
                path,
                row.airflow,
                row.pythons,
                "test",
                "--exclude-newer",
                f"{row.pinned_at}T00:00:00Z",
                *(["--resolution", "lowest-direct"] if row.is_lowest else []),
            )


def _pin(path: str, airflow: str, pythons: tuple[str, ...], group: str, *options: str) -> None:
    oldest = min(pythons, key=lambda version: int(version.partition(".")[2]))
    command = ["pip", "compile", "pyproject.toml", "-", "--group", group, *options]
    plain = [
        "--quiet",
        "--no-header",
        "--no-annotate",
        "--no-emit-index-url",
        "--no-emit-find-links",
    ]
    result = subprocess.run(
        [uv(), *command, *plain, "--universal", "--python-version", oldest],
        input=f"apache-airflow=={airflow}\n",
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    )
    pins = [line for line in result.stdout.splitlines() if "==" in line]
    title = f"# Airflow {airflow} on Python {', '.join(sorted(pythons))}. Written by `make pin`."
    (ROOT / path).write_text("\n".join([title, *sorted(pins), ""]))
    print(f"{path}: {len(pins)} pins")


if __name__ == "__main__":
    main()
