"""Whoever searches the page on troubleshooting for what a screen shows finds it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from airflow_provider_flowservice import exceptions
from helpers.pages import DOCS, ROOT

pytestmark = pytest.mark.once

PAGE = (DOCS / "how-to" / "troubleshoot.md").read_text()
OURS = PAGE.partition("\n## Connection and credential\n")[2]
# Of what other software says, or in the reader's words.
NOT_QUOTED = {
    "HTTP 400, 401 or 403 from the gateway",
    "Is it the credential of the source?",
    "Rejected rows cannot be read",
}
QUOTED = [
    "Client secret (password) is empty",
    *sorted({*re.findall("^### (.+)", OURS, re.MULTILINE)} - NOT_QUOTED),
]


def messages() -> Iterator[str]:
    """Yield each text in the package, without the values in it."""
    for path in (ROOT / "airflow_provider_flowservice").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if isinstance(node, ast.JoinedStr):
                parts = (
                    each.value if isinstance(each, ast.Constant) else "…" for each in node.values
                )
                yield "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and node not in docstrings:
                yield str(node.value)


MESSAGES = "\n".join([*messages(), *vars(exceptions)])


@pytest.mark.parametrize("heading", QUOTED)
def test_a_quoted_message_is_one_of_the_package(heading):
    status = re.sub(r"HTTP \d{3}.*?(?= /|$)", "HTTP …", heading)
    pieces = [piece.strip(" ,:") for piece in re.split(r"(?<!HTTP )…| / ", status)]

    assert [piece for piece in pieces if piece not in MESSAGES] == []


def test_every_error_is_found():
    errors = {
        name
        for name in vars(exceptions)
        if re.match("(FlowService|Dataflow|Retr|Source).*Error$", name)
    }

    assert {name for name in errors if f"`{name}`" not in PAGE and f"### {name}\n" not in PAGE} == {
        "FlowServiceError",  # base classes
        "FlowServiceApiError",
    }
