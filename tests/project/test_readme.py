"""What README.md shows is what the tests run."""

from __future__ import annotations

import re
import runpy
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_a_block_of_code_is_part_of_an_example(block):
    lines = block.splitlines()
    examples = [path.read_text().splitlines() for path in (ROOT / "example_dags").glob("*.py")]
    parts = (
        textwrap.dedent("\n".join(example[start : start + len(lines)]))
        for example in examples
        for start in range(len(example) - len(lines) + 1)
    )

    assert "\n".join(lines) in parts, block


@pytest.mark.once
def test_the_fields_of_the_connection_are_those_of_the_form():
    assert runpy.run_path(str(ROOT / "dev" / "tables.py"))["readme"]() == README
