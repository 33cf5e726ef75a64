"""
Run the checks: all of them in order, or those named.

Starts nothing more once one has failed, and closes with a summary of what passed, failed and was
skipped.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import IO

from dev.env import ENVS, ensure_env
from dev.matrix import MATRIX, Row
from dev.pythons import find_python
from dev.uv import NICE, ROOT, NoPythonError

INTEGRATION = "tests/integration"
SAMPLE = "docs/sample_project"

SIDE_BY_SIDE = 2
"""Stages of one turn that run at a time: the cores of a small CI machine."""

Output = IO[bytes] | None
"""Where the programs of a stage print to; ``None`` is the terminal."""


class FailedError(Exception):
    """A check found something."""


@dataclass(frozen=True)
class Stage:
    """
    One check. Those of one turn run side by side.

    :param name: Its name on the command line.
    :param title: Its name in the output.
    :param run: Does it, and returns a remark for the summary.
    :param turn: When it runs.
    """

    name: str
    title: str
    run: Callable[[Output], str]
    turn: int = 2


@dataclass(frozen=True)
class Result:
    """
    What came of a stage.

    :param word: ``passed``, ``skipped``, ``FAILED`` or ``not run``.
    :param seconds: How long it took.
    """

    stage: Stage
    word: str
    seconds: float = 0
    remark: str = ""

    @property
    def line(self) -> str:
        """Its line in the summary."""
        return (
            f"{self.stage.title:<20} {self.word:<8} {self.seconds:4.0f} s  {self.remark}".rstrip()
        )


def in_env(
    env: str,
    *commands: Sequence[str],
    output: Output = None,
    cwd: Path = ROOT,
    gives_way: bool = True,
) -> str:
    """
    Run programs of an environment, one after the other.

    :param gives_way: Whether they leave the processor to what runs beside them without giving way.
    """
    programs = ensure_env(env)
    for program, *arguments in commands:
        command = [*(NICE if gives_way else ()), str(programs / program), *arguments]
        done = subprocess.run(command, cwd=cwd, stdout=output, stderr=output, check=False)
        if done.returncode:
            raise FailedError(" ".join([program, *arguments]))
    return ""


def on_row(row: Row, output: Output) -> str:
    """Run the suite on one Airflow of the matrix, against the built wheel."""
    tests = ["pytest", "-q", "--disable-warnings", "-p", "no:cacheprovider", "-m", "not once"]
    places = [f"--rootdir={ROOT}", f"--ignore={ROOT / INTEGRATION}", str(ROOT / "tests")]
    # Elsewhere than in the root, where `python -m` would find the work tree before the wheel.
    config = ["-c", str(ROOT / "pyproject.toml")]
    remarks = []
    if row.is_lowest:
        # It is about the oldest requests and asgiref, of which the examples show nothing.
        places.append(f"--ignore={ROOT / 'tests' / 'test_example_dags.py'}")
        remarks.append("oldest dependencies, without the examples")
    in_env(row.name, [*tests, *config, *places], output=output, cwd=ROOT / ENVS[row.name].path)
    python = find_python(row.pythons)
    if python and python.version != row.pythons[0]:
        remarks.append(f"on Python {python.version}, since {row.pythons[0]} is not here")
    return "; ".join(remarks)


def on_sample(row: Row, output: Output) -> str:
    """Run the tests of a project that has the wheel installed, and pytest finds the plugin in it."""
    tests = ["pytest", "-q", "--disable-warnings", "-p", "no:cacheprovider"]
    return in_env(row.name, tests, output=output, cwd=ROOT / SAMPLE)


def sample_types(output: Output) -> str:
    """Check the types of that project against the wheel, as strictly as can be."""
    wheel_env = ensure_env(MATRIX[-1].name)
    mypy = ["mypy", "--python-executable", str(wheel_env / "python")]
    return in_env("dev", mypy, output=output, cwd=ROOT / SAMPLE)


def integration(output: Output) -> str:
    """
    Run the tests that boot a real Airflow, to which all else gives way.

    Its processes wait for each other, and its database is a file, soon locked on a busy machine.
    """
    return in_env("dev", ["pytest", INTEGRATION], output=output, gives_way=False)


def stage(name: str, title: str, *commands: Sequence[str], turn: int = 2) -> Stage:
    """Return a stage that runs programs of the development environment."""
    return Stage(name, title, lambda output: in_env("dev", *commands, output=output), turn)


STAGES = (
    stage("lint", "ruff", ["ruff", "check"], ["ruff", "format", "--check"], turn=1),
    stage("types", "mypy", ["mypy"], turn=1),
    # Before the rows of the matrix, which install what it builds.
    stage("package", "package", ["python", "-m", "dev.package"], turn=1),
    # First of its turn, since it takes the longest, though it waits more than it works.
    Stage("integration", "integration tests", integration),
    # The other tests are run by each row of the matrix.
    stage("once", "tests run once", ["pytest", "-m", "once", f"--ignore={INTEGRATION}"]),
    stage(
        "docs",
        "documentation",
        ["sphinx-build", "-W", "--keep-going", "-q", "-E", "docs", "docs/_build"],
    ),
    *(Stage("matrix", f"Airflow {row.airflow}", partial(on_row, row)) for row in MATRIX),
    # After the rows, whose environments they use.
    *(
        Stage("sample", f"sample on {row.airflow}", partial(on_sample, row), turn=3)
        for row in (MATRIX[0], MATRIX[-1])
    ),
    Stage("sample-types", "sample, mypy", sample_types, turn=3),
)


def check(stages: Sequence[Stage]) -> bool:
    """Run the stages, print the summary, and return whether none failed."""
    results: list[Result] = []
    for _, group in groupby(stages, key=lambda stage: stage.turn):
        if any(result.word == "FAILED" for result in results):
            results += [Result(stage, "not run") for stage in group]
        else:
            results += _run_group(list(group))
    print("\n=== summary ===", *(result.line for result in results), sep="\n")
    for word in "skipped", "FAILED":
        titles = [result.stage.title for result in results if result.word == word]
        print(f"{word.capitalize()}: {', '.join(titles) or 'nothing'}.", flush=True)
    return not any(result.word == "FAILED" for result in results)


def _run_group(stages: Sequence[Stage]) -> list[Result]:
    if len(stages) == 1:
        print(f"\n=== {stages[0].title} ===", flush=True)
        return [_run(stages[0], None)]
    print(f"\n=== {len(stages)} stages, {SIDE_BY_SIDE} at a time ===", flush=True)
    printing, failed = threading.Lock(), threading.Event()

    def run(stage: Stage) -> Result:
        if failed.is_set():
            return Result(stage, "not run")
        with tempfile.TemporaryFile() as output:
            result = _run(stage, output)
            if result.word == "FAILED":
                failed.set()
            output.seek(0)
            with printing:
                print(f"\n=== {result.line} ===", flush=True)
                shutil.copyfileobj(output, sys.stdout.buffer)
                sys.stdout.flush()
        return result

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return list(pool.map(run, stages))


def _run(stage: Stage, output: Output) -> Result:
    started = time.monotonic()
    try:
        word, remark = "passed", stage.run(output)
    except NoPythonError as error:
        word, remark = "skipped", str(error)
    except (FailedError, subprocess.CalledProcessError) as error:
        word, remark = "FAILED", str(error)
    return Result(stage, word, time.monotonic() - started, remark)


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
