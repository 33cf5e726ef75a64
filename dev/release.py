"""
Check that the built packages in ``dist`` can be published, and write the notes of their release.

The session ``release`` runs this module. The notes are a section of ``CHANGELOG.md``. The environment
variable ``TAG`` is the tag that has been pushed, if one has.
"""

from __future__ import annotations

import os
import re

from packaging.metadata import Metadata
from packaging.version import Version

from dev.package import DIST, metadata_of

ROOT = DIST.parent
NOTES = ROOT / "release" / "notes.md"


def main() -> None:
    """Write the notes, or say all that is lacking."""
    (wheel,) = DIST.glob("*.whl")
    metadata, changelog = metadata_of(wheel), (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if problems := lacking(metadata, changelog, os.environ.get("TAG", "")):
        raise SystemExit("\n".join(["This cannot be released:", *problems]))
    NOTES.parent.mkdir(exist_ok=True)
    NOTES.write_text(notes(changelog, metadata.version), encoding="utf-8")
    print(
        f"{metadata.name} {metadata.version} can be released; its notes are in {NOTES.relative_to(ROOT)}."
    )


def lacking(metadata: Metadata, changelog: str, tag: str) -> list[str]:
    """Return what has to be done before these packages are published."""
    version, problems = metadata.version, []
    if not (metadata.project_urls or {}).get("Homepage", "").startswith("https://"):
        problems.append(
            "- No address of the repository: pyproject.toml, [tool.hatch.metadata.hooks.custom], repository."
        )
    if version.is_prerelease or version.local:
        problems.append(
            f"- {version} is no final version: airflow_provider_flowservice/__init__.py, __version__."
        )
    if not notes(changelog, version):
        problems.append(f"- CHANGELOG.md has nothing under a line '## {version} (YYYY-MM-DD)'.")
    if tag not in ("", f"v{version}"):
        problems.append(f"- The tag is {tag}, and the version is {version}: its tag is v{version}.")
    return problems


def notes(changelog: str, version: Version) -> str:
    """Return the version's section of the changelog without its title, which has the day of the release."""
    title = rf"^## {re.escape(str(version))} \(\d{{4}}-\d\d-\d\d\)\n"
    section = re.search(rf"{title}(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return section[1].strip() if section else ""


if __name__ == "__main__":
    main()
