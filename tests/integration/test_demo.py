"""``make demo``, as README.md shows it."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from helpers.pages import README, ROOT

pytestmark = pytest.mark.timeout(240)

# What differs from one time to the next.
_VARIES = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[\w-]{4,}|https://\S+/activity/|^ +[\d.]+ s", re.MULTILINE
)


def test_the_demo_prints_what_readme_shows():
    shown = next(
        block
        for block in re.findall(r"```text\n(.*?)```", README.read_text(), re.DOTALL)
        if block.startswith("A dataflow run has failed")
    )

    printed = subprocess.run(
        [sys.executable, "-m", "dev.demo"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    assert _VARIES.sub("", shown) in _VARIES.sub("", printed)
