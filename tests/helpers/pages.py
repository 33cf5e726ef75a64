"""The pages of the documentation, and what stands on them: prose, code and links."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GUIDES = sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)
README = ROOT / "README.md"
FOR_CONTRIBUTORS = sorted(page for page in ROOT.glob("*.md") if page != README)

_PARSER = MarkdownIt("commonmark").enable("table")
# After the end of a sentence comes a space and the beginning of the next one.
_SENTENCE_END = re.compile(r"(?<=[.!?])[)*\"]*\s+(?=[\"(*]*[A-Z0-9`])")


def tokens(page: Path) -> list[Token]:
    return _PARSER.parse(page.read_text())


def texts(page: Path) -> Iterator[str]:
    """Yield each paragraph, list item, heading and table cell, each piece of code as one word."""
    for token in tokens(page):
        if token.type == "inline":
            yield "".join(map(_text, token.children or ()))
        elif token.type == "fence" and re.match(r"\{(note|warning|tip)\}", token.info):
            yield re.sub(r"`[^`]+`", "CODE", token.content)


def _text(token: Token) -> str:
    if token.type == "code_inline":
        return "CODE"
    return " " if token.type in ("softbreak", "hardbreak") else token.content


def sentences(page: Path) -> Iterator[str]:
    for text in texts(page):
        yield from _SENTENCE_END.split(text)


def links(page: Path) -> Iterator[str]:
    """Yield the targets of links and pictures."""
    for token in tokens(page):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src")
            if target:
                yield str(target)


def anchors(page: Path) -> set[str]:
    """Return the anchors that headings have on GitHub, and in what Sphinx builds."""
    found = tokens(page)
    headings = (found[index + 1] for index, each in enumerate(found) if each.type == "heading_open")
    words = (heading.content.lower().replace("`", "") for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in words}


def functions_of(path: Path) -> set[str]:
    """Return the names of a module's functions, such as those of the tests that a page names."""
    return {
        node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)
    }
