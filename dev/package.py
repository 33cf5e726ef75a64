"""Builds what is released."""

from __future__ import annotations

import shutil
import threading
from functools import cache
from pathlib import Path

from dev.uv import ROOT, run_uv

DIST = ROOT / "dist"

_building = threading.Lock()


def built_wheel() -> Path:
    """Return the wheel, built once in this process, from the source distribution beside it."""
    with _building:
        return _build()


@cache
def _build() -> Path:
    shutil.rmtree(DIST, ignore_errors=True)
    run_uv("build", "--quiet", "--out-dir", str(DIST))
    (wheel,) = DIST.glob("*.whl")
    return wheel
