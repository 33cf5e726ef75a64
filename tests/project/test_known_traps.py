"""The tables of known traps and of guarantees name tests that exist, and leave no row out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

TESTS = Path(__file__).parents[1]
DOCS = TESTS.parent / "docs"
TABLE = (DOCS / "reference" / "known-traps.md").read_text()
GUARANTEES = (DOCS / "explanation" / "exactly-once.md").read_text()
TEST_ID = re.compile(r"`([\w/]+\.py)::(\w+)`")


def functions_of(path):
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


NAMED = TEST_ID.findall(TABLE + GUARANTEES)


@pytest.mark.parametrize("name", sorted({name for name, _ in NAMED}))
def test_every_test_that_is_named_exists(name):
    named = {test for file, test in NAMED if file == name}

    assert named <= functions_of(TESTS / name)
    assert all(test.startswith("test_") for test in named)


def test_every_row_names_a_test():
    rows = [line for line in TABLE.splitlines() if re.match(r"\| (?!What|Who|Where|\|)", line)]

    assert len(rows) == TABLE.count("\n| ") - len(
        re.findall(r"^\| (What|Who|Where|\|)", TABLE, re.MULTILINE)
    )
    assert [row for row in rows if not TEST_ID.search(row)] == []


def test_every_guarantee_names_its_test():
    _, _, after = GUARANTEES.partition("| Situation |")
    _, _, *rows = after.partition("\n\n")[0].splitlines()

    assert len(rows) >= 10
    assert [row for row in rows if not TEST_ID.search(row)] == []


def test_all_traps_are_there():
    numbers = [int(number) for number in re.findall(r"^\| (\d+) \|", TABLE, re.MULTILINE)]

    assert numbers == list(range(1, 38))
