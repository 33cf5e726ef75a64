"""The project's own uv, which makes environments and packages."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from dev.matrix import PYTHONS
from dev.pythons import find_python

ROOT = Path(__file__).resolve().parent.parent
UV_VERSION = "0.13.9"

NICE = ("nice", "-n", "10")
"""What runs a program that gives way to others: environments are made while tests run."""


class NoPythonError(Exception):
    """No interpreter here that could be used."""


def run_uv(*arguments: str, **environment: str) -> None:
    """Run uv in the project's root."""
    # An interpreter that uv fetched by itself is one the user never asked for.
    settings = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", **environment}
    subprocess.run([*NICE, uv(), *arguments], cwd=ROOT, env=settings, check=True)


def uv() -> str:
    """
    Return the path of uv, installed on first use.

    :raises NoPythonError: No Python here can make a virtual environment.
    """
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
