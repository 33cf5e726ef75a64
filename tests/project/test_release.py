"""What a package page shows, and what a release refuses to publish."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from packaging.metadata import Metadata
from packaging.version import Version

from airflow_provider_flowservice import __version__

hatch_build = pytest.importorskip("hatch_build", reason="it is on the path in .venv only")
release = pytest.importorskip("dev.release", reason="it is on the path in .venv only")

ROOT = Path(__file__).parents[2]
REPOSITORY = "https://example.com/owner/name"
AT_TAG = re.compile(rf"{REPOSITORY}/(?:blob|tree|raw)/v{re.escape(__version__)}/([^#]+)")

pytestmark = pytest.mark.once


def metadata(**addresses: str):
    from hatchling.metadata.core import ProjectMetadata
    from hatchling.plugin.manager import PluginManager

    project = ProjectMetadata(str(ROOT), PluginManager())
    project.hatch.metadata.config["hooks"]["custom"].update(addresses)
    return project.core


def targets(markdown: str) -> list[str]:
    """List where a text's links and pictures lead, as a page shows them."""
    html = MarkdownIt("commonmark").render(markdown)
    return re.findall(r'\b(?:href|src|srcset)="([^"]+)"', html)


def test_without_an_address_there_are_no_urls():
    core = metadata(repository="", documentation="")

    assert core.urls == {}
    assert core.readme == (ROOT / "README.md").read_text()


@pytest.mark.parametrize("slash", ["", "/"])
def test_one_address_makes_all_urls(slash):
    urls = metadata(repository=REPOSITORY + slash, documentation="").urls

    assert all(url.startswith(REPOSITORY) and "//" not in url[8:] for url in urls.values())
    paths = [AT_TAG.match(url)[1] for url in urls.values() if AT_TAG.match(url)]
    assert paths
    assert all((ROOT / path).is_file() for path in paths)


def test_the_documentation_may_be_elsewhere():
    address = "https://docs.example.com"

    assert metadata(repository=REPOSITORY, documentation=address).urls["Documentation"] == address


def test_every_relative_link_of_the_readme_leads_to_a_file_of_the_tag():
    core = metadata(repository=REPOSITORY, documentation="")
    relative = [t for t in targets((ROOT / "README.md").read_text()) if not re.match(r"\w+:|#", t)]
    shown = targets(core.readme)

    assert core.readme_content_type == "text/markdown"
    assert f"git clone {REPOSITORY} " in core.readme
    assert [target for target in shown if not re.match(r"\w+:|#", target)] == []
    paths = [found[1] for found in map(AT_TAG.match, shown) if found]
    assert len(paths) == len(relative) > 0
    assert all((ROOT / path).exists() for path in paths)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("[a](docs/index.md#top)", "[a](R/blob/v1/docs/index.md#top)"),
        ("[a](./LICENSE)", "[a](R/blob/v1/LICENSE)"),
        ("[examples](example_dags)", "[examples](R/tree/v1/example_dags)"),
        ("![a](docs/images/log.png)", "![a](R/raw/v1/docs/images/log.png)"),
        (
            "[![a](docs/images/log.png)](docs)",
            "[![a](R/raw/v1/docs/images/log.png)](R/tree/v1/docs)",
        ),
        ("[a]: docs/index.md", "[a]: R/blob/v1/docs/index.md"),
        (
            '<img alt="" src="docs/images/log.png">',
            '<img alt="" src="R/raw/v1/docs/images/log.png">',
        ),
        ("[a](#use)", "[a](#use)"),
        ("[a](https://example.com/b)", "[a](https://example.com/b)"),
        ("[a](mailto:b)", "[a](mailto:b)"),
        ("```python\nx[0](docs)\n```", "```python\nx[0](docs)\n```"),
    ],
)
def test_only_relative_links_outside_of_code_are_changed(written, shown):
    text = hatch_build.absolute(f"Before\n\n{written}\n\nafter", "R", "v1", ROOT)

    assert text == f"Before\n\n{shown}\n\nafter"


CHANGELOG = "# Changelog\n\n## 0.2.0 (2027-01-31)\n\n- New.\n\n## 0.1.0 (2026-12-01)\n\n- Old.\n"


def lacking(version="0.2.0", repository=REPOSITORY, changelog=CHANGELOG, tag="v0.2.0") -> list[str]:
    lines = ["Metadata-Version: 2.4", "Name: x", f"Version: {version}"]
    lines += [f"Project-URL: Homepage, {repository}"] if repository else []
    return release.lacking(Metadata.from_email("\n".join([*lines, "", ""])), changelog, tag)


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
@pytest.mark.parametrize("tag", ["", "v{}"])
def test_what_lacks_nothing_can_be_released(version, tag):
    assert lacking(version, tag=tag.format(version)) == []


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"repository": ""}, "[tool.hatch.metadata.hooks.custom], repository"),
        ({"repository": "github.com/owner/name"}, "[tool.hatch.metadata.hooks.custom], repository"),
        ({"changelog": CHANGELOG.replace("2.0 (2027-01-31)", "2.0")}, "'## 0.2.0 (YYYY-MM-DD)'"),
        ({"changelog": CHANGELOG.replace("- New.\n\n", "")}, "'## 0.2.0 (YYYY-MM-DD)'"),
        ({"tag": "v0.2"}, "its tag is v0.2.0"),
        ({"tag": "0.2.0"}, "its tag is v0.2.0"),
    ],
)
def test_a_release_is_refused_with_the_place_to_change(wrong, place):
    (problem,) = lacking(**wrong)

    assert place in problem


@pytest.mark.parametrize("version", ["0.2.0.dev1", "0.2.0+local"])
def test_a_version_of_a_work_tree_is_refused(version):
    changelog = CHANGELOG.replace("0.2.0", version)

    (problem,) = lacking(version, changelog=changelog, tag=f"v{version}")
    assert "__version__" in problem


def test_all_that_is_lacking_is_said_at_once():
    assert len(lacking("0.3.dev1", repository="", tag="v1")) == 4


def test_the_notes_are_the_section_of_the_version_alone():
    assert release.notes(CHANGELOG, Version("0.2.0")) == "- New."
    assert release.notes(CHANGELOG, Version("0.1.0")) == "- Old."
