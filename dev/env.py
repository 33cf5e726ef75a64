"""
Make a Python environment of the project, unless it is there already.

``dev`` is ``.venv``; ``demo``, ``bench`` and those of the test matrix are in ``.venvs``.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from dev.matrix import BENCH_PYTHONS, MATRIX, PYTHONS
from dev.pythons import Python, find_python

ROOT = Path(__file__).resolve().parent.parent
UV_VERSION = "0.13.9"


class NoPythonError(Exception):
    """No interpreter here that the environment could use."""


@dataclass(frozen=True)
class Env:
    """
    An environment, as it should be.

    :param path: Where it is, seen from the project's root.
    :param constraints: File with the versions of everything in it, likewise.
    :param pythons: Python versions it may have, the most wanted first.
    :param groups: Dependency groups in it besides the package.
    """

    path: str
    constraints: str
    pythons: tuple[str, ...]
    groups: tuple[str, ...] = ()


ENVS = {
    "dev": Env(".venv", "constraints.txt", PYTHONS, ("dev",)),
    "demo": Env(".venvs/demo", "constraints.txt", PYTHONS),
    "bench": Env(".venvs/bench", "constraints/bench.txt", BENCH_PYTHONS, ("bench",)),
    **{
        row.name: Env(
            f".venvs/{row.name}", f"constraints/{row.name}.txt", row.pythons, groups=("test",)
        )
        for row in MATRIX
    },
}


def ensure_env(name: str) -> Path:
    """
    Make the environment if it is missing or out of date, and return its ``bin``.

    :raises NoPythonError: None of its Pythons is on this machine.
    """
    env = ENVS[name]
    python = find_python(env.pythons)
    if not python:
        raise NoPythonError(f"{name} needs Python {' or '.join(env.pythons)}; none is here.")
    home = ROOT / env.path
    stamp = home / ".stamp"
    wanted = _digest(env, python)
    if not stamp.exists() or stamp.read_text() != wanted:
        started = time.monotonic()
        print(f"Making {env.path} with Python {python.version} ...", file=sys.stderr, flush=True)
        stamp.unlink(missing_ok=True)
        _install(env, home, python)
        stamp.write_text(wanted)
        print(f"Made {env.path} in {time.monotonic() - started:.0f} s.", file=sys.stderr)
    return home / "bin"


def uv() -> str:
    """Return the path of the project's own uv, installed on first use."""
    tools = ROOT / ".venv-tools"
    path, stamp = tools / "bin" / "uv", tools / ".stamp"
    if not stamp.exists() or stamp.read_text() != UV_VERSION:
        subprocess.run([_python_with_venv(), "-m", "venv", "--clear", tools], check=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([tools / "bin" / "python", *install, f"uv=={UV_VERSION}"], check=True)
        stamp.write_text(UV_VERSION)
    return str(path)


def _python_with_venv() -> str:
    # Debian packages Python without its venv module, so the first one found may not do.
    for version in PYTHONS:
        if python := find_python([version]):
            probe = [python.path, "-c", "import ensurepip, venv"]
            if not subprocess.run(probe, capture_output=True, check=False).returncode:
                return python.path
    raise NoPythonError(f"Needs a Python {', '.join(sorted(PYTHONS))} with its venv module.")


def _install(env: Env, home: Path, python: Python) -> None:
    # An interpreter that uv fetched by itself is one the user never asked for.
    settings = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": str(home)}
    steps: list[list[str]] = []
    if (home / "bin" / "python").resolve() != Path(python.path).resolve():
        steps.append(["venv", "--quiet", "--clear", "--python", python.path, str(home)])
    groups = [word for group in env.groups for word in ("--group", group)]
    install = ["pip", "install", "--quiet", "--exact", "--constraint", env.constraints]
    steps.append([*install, "--editable", ".", *groups])
    for step in steps:
        subprocess.run([uv(), *step], cwd=ROOT, env=settings, check=True)


def _digest(env: Env, python: Python) -> str:
    # The package's version is in its __init__.py.
    made_from = "pyproject.toml", "airflow_provider_flowservice/__init__.py", env.constraints
    contents = [(ROOT / path).read_bytes() for path in made_from]
    return hashlib.sha256(repr((env, python, contents)).encode()).hexdigest()


def main() -> int:
    """Make the environment named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=ENVS)
    try:
        ensure_env(parser.parse_args().name)
    except NoPythonError as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
