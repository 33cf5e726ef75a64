"""
Builds what is released, and checks what it says of itself.

``python -m dev.package`` runs in the development environment, which has ``packaging``.
"""

from __future__ import annotations

import shutil
import tarfile
import threading
import zipfile
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


def main() -> None:
    """Build, and check metadata and contents."""
    from packaging.metadata import Metadata

    wheel = built_wheel()
    (sdist,) = DIST.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (path,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = Metadata.from_email(archive.read(path), validate=True)
    foreign = [name for name in names if not name.startswith("airflow_provider_flowservice")]
    if foreign or "airflow_provider_flowservice/py.typed" not in names:
        raise SystemExit(
            f"The wheel lacks py.typed, or holds what does not belong there: {foreign}"
        )
    if not metadata.description or metadata.description_content_type != "text/markdown":
        raise SystemExit("The wheel has no README.")
    with tarfile.open(sdist) as sources:
        parts = {name.split("/")[1] for name in sources.getnames() if "/" in name}
    if lacking := {"Makefile", "LICENSE", "tests", "dev", "docs", "example_dags"} - parts:
        raise SystemExit(f"The source distribution lacks {lacking}.")
    print(f"{wheel.name} ({len(names)} files) and {sdist.name} say what they should.")


if __name__ == "__main__":
    main()
