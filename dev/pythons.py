"""Find the Python interpreters of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# In a virtual environment, the interpreter it was made with.
_ASK = "import sys; print('%d.%d' % sys.version_info[:2], sys._base_executable)"


@dataclass(frozen=True)
class Python:
    """
    An interpreter.

    :param version: Such as ``3.12``.
    :param path: Where it is.
    """

    version: str
    path: str


def find_python(versions: Sequence[str]) -> Python | None:
    """
    Return the first of ``versions`` found here.

    :param versions: Such as ``3.12``, the most wanted first.
    """
    for version in versions:
        for candidate in _candidates(version):
            if (found := _ask(candidate)) and found.version == version:
                return found
    return None


def _candidates(version: str) -> Iterator[str]:
    for name in (f"python{version}", "python3", "python"):
        if path := shutil.which(name):
            yield path
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}")))


def _ask(candidate: str) -> Python | None:
    # A pyenv shim is on the path even for a version that is not switched on, and fails when run.
    answer = subprocess.run([candidate, "-c", _ASK], capture_output=True, text=True, check=False)
    if answer.returncode:
        return None
    version, _, path = answer.stdout.strip().partition(" ")
    return Python(version, path)
