"""What the documentation quotes is tested, and what it lists is there."""

from __future__ import annotations

import re

import pytest

from airflow_provider_flowservice.get_provider_info import get_provider_info
from helpers.pages import DOCS, GUIDES

pytestmark = pytest.mark.once


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_python_is_quoted_from_files_that_are_tested(page):
    text = page.read_text()
    quoted = re.findall(r"\{literalinclude\} (\S+)", text)

    assert not re.search(
        r"^ *(```|:::|~~~) *\{?(code-block\}? *)?(py|python|pycon)\b", text, re.MULTILINE
    )
    assert all(name.startswith(("../../example_dags/", "../sample_project/")) for name in quoted)
    assert all((page.parent / name).is_file() for name in quoted)


def test_every_picture_is_shown():
    shown = {
        name for page in GUIDES for name in re.findall(r"\(\.\./images/(\S+?)\)", page.read_text())
    }

    assert shown == {path.name for path in (DOCS / "images").glob("*")}


def test_every_guide_of_the_provider_is_there():
    guides = [
        guide
        for integration in get_provider_info()["integrations"]
        for guide in integration["how-to-guide"]
    ]

    assert guides
    assert all((DOCS.parent / guide.lstrip("/")).is_file() for guide in guides)
