"""
Make a Python environment of the project, unless it is there already.

``dev`` is ``.venv``; ``demo``, ``bench`` and those of the test matrix are in ``.venvs``.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from dev.matrix import BENCH_PYTHONS, MATRIX, PYTHONS
from dev.package import built_wheel
from dev.pythons import Python, find_python
from dev.uv import ROOT, NoPythonError, run_uv

PACKAGE = "airflow-provider-flowservice"

# Checks run side by side, and some use the same environment.
_making = threading.Lock()


@dataclass(frozen=True)
class Env:
    """
    An environment, as it should be.

    :param path: Where it is, seen from the project's root.
    :param constraints: File with the versions of everything in it, likewise.
    :param pythons: Python versions it may have, the most wanted first.
    :param groups: Dependency groups in it besides the package.
    :param is_editable: Whether the package in it is the work tree, and not the built wheel.
    """

    path: str
    constraints: str
    pythons: tuple[str, ...]
    groups: tuple[str, ...] = ()
    is_editable: bool = True


ENVS = {
    "dev": Env(".venv", "constraints.txt", PYTHONS, ("dev",)),
    "demo": Env(".venvs/demo", "constraints.txt", PYTHONS),
    "bench": Env(".venvs/bench", "constraints/bench.txt", BENCH_PYTHONS, ("bench",)),
    **{
        row.name: Env(
            f".venvs/{row.name}",
            f"constraints/{row.name}.txt",
            row.pythons,
            groups=("test",),
            is_editable=False,
        )
        for row in MATRIX
    },
}


def ensure_env(name: str) -> Path:
    """
    Make the environment if it is missing or out of date, and return its ``bin``.

    :raises NoPythonError: None of its Pythons is on this machine.
    """
    with _making:
        return _ensure(name)


def _ensure(name: str) -> Path:
    env = ENVS[name]
    python = find_python(env.pythons)
    if not python:
        raise NoPythonError(f"{name} needs Python {' or '.join(env.pythons)}; none is here.")
    home = ROOT / env.path
    stamp = home / ".stamp"
    package = ["--editable", "."] if env.is_editable else [str(built_wheel())]
    wanted = _digest(env, python, package[-1])
    if not stamp.exists() or stamp.read_text() != wanted:
        started = time.monotonic()
        print(f"Making {env.path} with Python {python.version} ...", file=sys.stderr, flush=True)
        stamp.unlink(missing_ok=True)
        _install(env, home, python, package)
        stamp.write_text(wanted)
        print(f"Made {env.path} in {time.monotonic() - started:.0f} s.", file=sys.stderr)
    return home / "bin"


def _install(env: Env, home: Path, python: Python, package: list[str]) -> None:
    if (home / "bin" / "python").resolve() != Path(python.path).resolve():
        run_uv("venv", "--quiet", "--clear", "--python", python.path, str(home))
    groups = [word for group in env.groups for word in ("--group", group)]
    run_uv(
        *["pip", "install", "--quiet", "--exact", "--constraint", env.constraints],
        *["--reinstall-package", PACKAGE],  # a wheel may have changed and kept its version
        *package,
        *groups,
        VIRTUAL_ENV=str(home),
    )
    run_uv("pip", "check", "--quiet", VIRTUAL_ENV=str(home))


def _digest(env: Env, python: Python, package: str) -> str:
    # The version of the work tree is in its __init__.py; a wheel is the same if its sources are.
    version = "airflow_provider_flowservice/__init__.py" if env.is_editable else package
    contents = [(ROOT / path).read_bytes() for path in ("pyproject.toml", env.constraints, version)]
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
