"""The tables of known traps and of guarantees name tests that exist, and leave no row out."""

from __future__ import annotations

import re

import pytest

from helpers.pages import DOCS, ROOT, functions_of

pytestmark = pytest.mark.once

TESTS = ROOT / "tests"
TABLE = (DOCS / "reference" / "known-traps.md").read_text()
GUARANTEES = (DOCS / "explanation" / "exactly-once.md").read_text()
TEST_ID = re.compile(r"`([\w/]+\.py)::(\w+)`")


NAMED = TEST_ID.findall(TABLE + GUARANTEES)


@pytest.mark.parametrize("name", sorted({name for name, _ in NAMED}))
def test_every_test_that_is_named_exists(name):
    named = {test for file, test in NAMED if file == name}

    assert named <= functions_of(TESTS / name)
    assert all(test.startswith("test_") for test in named)


def numbered(text):
    """Return the numbers of a table's rows, and of those entries of the list below that name a test."""
    rows, _, after = text.partition("\n\n")
    entries = re.split(r"^(?=\d+\. )", after.partition("\n## ")[0], flags=re.MULTILINE)
    listed = [entry for entry in entries if TEST_ID.search(entry)]
    return (
        [int(number) for number in re.findall(r"^\| (\d+) \|", rows, re.MULTILINE)],
        [int(entry.partition(".")[0]) for entry in listed],
    )


def test_every_row_names_a_test():
    tables = re.split(r"^\|[-|]+\|\n", TABLE, flags=re.MULTILINE)[1:]

    assert sum(map(len, (numbered(table)[0] for table in tables))) == TABLE.count("\n| ") - 4
    for table in tables:
        rows, listed = numbered(table)
        assert rows == listed == list(range(1, len(rows) + 1))


def test_every_guarantee_names_its_test():
    _, _, table = GUARANTEES.partition("| Situation |")
    _, _, tests = GUARANTEES.partition("\n## The tests of each guarantee\n")
    rows, _ = numbered(table)
    _, listed = numbered(tests)

    assert rows == listed == list(range(1, 12))


def test_all_traps_are_there():
    rows, _ = numbered(TABLE.partition("\n|-|-|-|\n")[2])

    assert rows == list(range(1, 38))
