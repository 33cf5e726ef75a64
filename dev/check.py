"""
Run the checks: all of them in order, or those named.

Stops at the first one that fails, and closes with a summary of what passed, failed and was skipped.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from dev.env import ROOT, NoPythonError, ensure_env
from dev.matrix import MATRIX, Row
from dev.pythons import find_python

INTEGRATION = "tests/integration"


class FailedError(Exception):
    """A check found something."""


@dataclass(frozen=True)
class Stage:
    """
    One check.

    :param name: Its name on the command line.
    :param title: Its name in the output.
    :param run: Does it, and returns a remark for the summary.
    """

    name: str
    title: str
    run: Callable[[], str]


def in_env(env: str, *commands: Sequence[str]) -> str:
    """Run programs of an environment, one after the other."""
    programs = ensure_env(env)
    for program, *arguments in commands:
        if subprocess.run([programs / program, *arguments], cwd=ROOT, check=False).returncode:
            raise FailedError(" ".join([program, *arguments]))
    return ""


def on_row(row: Row) -> str:
    """Run the suite on one Airflow of the matrix."""
    in_env(row.name, ["pytest", f"--ignore={INTEGRATION}"])
    python = find_python(row.pythons)
    if not python or python.version == row.pythons[0]:
        return ""
    return f"on Python {python.version}, since {row.pythons[0]} is not here"


STAGES = (
    Stage(
        "lint",
        "ruff",
        lambda: in_env("dev", ["ruff", "check"], ["ruff", "format", "--check"]),
    ),
    Stage("types", "mypy", lambda: in_env("dev", ["mypy"])),
    Stage("unit", "unit tests", lambda: in_env("dev", ["pytest", f"--ignore={INTEGRATION}"])),
    *(Stage("matrix", f"Airflow {row.airflow}", partial(on_row, row)) for row in MATRIX),
    Stage(
        "integration",
        "integration tests",
        lambda: in_env("dev", ["pytest", INTEGRATION]),
    ),
)


def check(stages: Sequence[Stage]) -> bool:
    """Run the stages, print the summary, and return whether none failed."""
    lines, failed, skipped, rest = [], "", [], list(stages)
    while rest and not failed:
        stage = rest.pop(0)
        print(f"\n=== {stage.title} ===", flush=True)
        started = time.monotonic()
        try:
            result, remark = "passed", stage.run()
        except NoPythonError as error:
            result, remark = "skipped", str(error)
            skipped.append(stage.title)
        except (FailedError, subprocess.CalledProcessError) as error:
            result, remark, failed = "FAILED", str(error), stage.title
        seconds = time.monotonic() - started
        lines.append(f"{stage.title:<20} {result:<8} {seconds:4.0f} s  {remark}".rstrip())
    lines += [f"{stage.title:<20} not run" for stage in rest]
    print("\n=== summary ===", *lines, sep="\n")
    print(f"Skipped: {', '.join(skipped) or 'nothing'}.")
    print(f"Failed: {failed}." if failed else "Failed: nothing.", flush=True)
    return not failed


def main() -> int:
    """Run the checks named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = list(dict.fromkeys(stage.name for stage in STAGES))
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    wanted = parser.parse_args().names
    if unknown := set(wanted) - set(names):
        parser.error(f"no such check: {', '.join(sorted(unknown))}")
    return 0 if check([stage for stage in STAGES if not wanted or stage.name in wanted]) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
