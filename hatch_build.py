"""
What the package's metadata says of its repository: the project's URLs, and where README's links lead.

The address of the repository stands in ``pyproject.toml``, and nowhere else. While it is empty, there
are no URLs, and README is as it is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_CODE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
# Of Markdown inline and as a reference, and of HTML.
_LINK = re.compile(r"""(\]\(|^\[[^]]+\]:\ |\b(?:href|src|srcset)=")([^)"\s]+)""", re.MULTILINE)
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:|//|#", re.IGNORECASE)
_PICTURES = {".gif", ".jpg", ".png", ".svg", ".webp"}


class Repository(MetadataHookInterface):
    """Makes the metadata from the two addresses in ``pyproject.toml``."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add ``urls`` and ``readme``."""
        repository = self.config["repository"].rstrip("/")
        if not repository:
            metadata["readme"] = "README.md"
            return
        root, tag = Path(self.root), f"v{metadata['version']}"
        text = absolute((root / "README.md").read_text(encoding="utf-8"), repository, tag, root)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = urls(repository, tag, self.config["documentation"])


def urls(repository: str, tag: str, documentation: str) -> dict[str, str]:
    """Return the project's URLs. The documentation is read in the repository if it has no address."""
    return {
        "Homepage": repository,
        "Documentation": documentation or f"{repository}/blob/{tag}/docs/index.md",
        "Source": repository,
        "Issues": f"{repository}/issues",
        "Changelog": f"{repository}/blob/{tag}/CHANGELOG.md",
        "Security": f"{repository}/security",
    }


def absolute(text: str, repository: str, tag: str, root: Path) -> str:
    """
    Let the links and pictures of a Markdown text lead into the repository, as it is at this tag.

    Where the text says ``REPOSITORY``, it gets the address.
    """

    def replace(link: re.Match[str]) -> str:
        before, target = link.groups()
        if _ABSOLUTE.match(target):
            return link[0]
        path = target.removeprefix("./")
        file = root / path.partition("#")[0]
        view = "raw" if file.suffix in _PICTURES else "tree" if file.is_dir() else "blob"
        return f"{before}{repository}/{view}/{tag}/{path}"

    # Every second part is code.
    parts = _CODE.split(text.replace("REPOSITORY", repository))
    return "".join(
        part if number % 2 else _LINK.sub(replace, part) for number, part in enumerate(parts)
    )
