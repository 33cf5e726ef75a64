"""
Check metadata and contents of the built packages in ``dist``.

The session ``package`` builds them, and runs this module in the environment of nox, which has
``packaging``.
"""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

from packaging.metadata import Metadata

DIST = Path(__file__).resolve().parent.parent / "dist"

SDIST_HAS = {
    ".airflow-registry.yaml",
    ".github",
    ".readthedocs.yaml",
    "CHANGELOG.md",
    "Makefile",
    "hatch_build.py",
    "noxfile.py",
    "LICENSE",
    "constraints",
    "dev",
    "docs",
    "example_dags",
    "tests",
}
"""Files that the checks need, and the license."""


def main() -> None:
    """Check the one wheel and the one source distribution."""
    (wheel,), (sdist,) = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    metadata = metadata_of(wheel)
    foreign = [name for name in names if not name.startswith("airflow_provider_flowservice")]
    if foreign or "airflow_provider_flowservice/py.typed" not in names:
        raise SystemExit(f"The wheel lacks py.typed, or holds foreign files: {foreign}")
    if not metadata.description or metadata.description_content_type != "text/markdown":
        raise SystemExit("The wheel has no README.")
    with tarfile.open(sdist) as sources:
        parts = {name.split("/")[1] for name in sources.getnames() if "/" in name}
    if lacking := SDIST_HAS - parts:
        raise SystemExit(f"The source distribution lacks {lacking}.")
    print(f"{wheel.name} ({len(names)} files) and {sdist.name} are complete.")


def metadata_of(wheel: Path) -> Metadata:
    """Read the metadata of a wheel, and refuse it if it is invalid."""
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Metadata.from_email(archive.read(path), validate=True)


if __name__ == "__main__":
    main()
