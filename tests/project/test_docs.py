"""What the documentation quotes is tested, and what it lists is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_provider_flowservice.get_provider_info import get_provider_info
from airflow_provider_flowservice.operators import flowservice as operators
from airflow_provider_flowservice.sensors import flowservice as sensors
from airflow_provider_flowservice.triggers import flowservice as triggers
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


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_a_file_is_shown_whole_with_a_link_to_it(page):
    includes = re.findall(
        r"^```\{literalinclude\} (\S+)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL
    )

    for path, options in includes:
        assert options == f':caption: "{{download}}`{Path(path).name} <{path}>`"\n', path


@pytest.mark.parametrize(
    "module", [operators, sensors, triggers], ids=lambda module: module.__name__
)
def test_each_class_has_a_table_of_its_arguments(module):
    kind = module.__name__.split(".")[1]
    page = (DOCS / "reference" / f"{kind}.md").read_text()

    for name in module.__all__:
        assert f"## {name}\n" in page
        assert f"{{{{ arguments_of_{name} }}}}" in page


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
