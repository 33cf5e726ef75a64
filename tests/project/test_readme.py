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
    examples = [path.read_text() for path in (ROOT / "example_dags").glob("*.py")]
    marked = [
        textwrap.dedent(part)
        for text in examples
        for part in re.findall(r"# \[START \w+\]\n(.*?) *# \[END", text, re.DOTALL)
    ]

    assert any(block.strip() in part for part in marked), block


@pytest.mark.once
def test_the_fields_of_the_connection_are_those_of_the_form():
    assert runpy.run_path(str(ROOT / "dev" / "tables.py"))["readme"]() == README
