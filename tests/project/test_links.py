"""Links between files lead somewhere. Those within docs/ are checked by the build, too."""

from __future__ import annotations

import pytest

from helpers.pages import FOR_CONTRIBUTORS, GUIDES, README, anchors, links

pytestmark = pytest.mark.once


@pytest.mark.parametrize("page", [README, *FOR_CONTRIBUTORS, *GUIDES], ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page):
    missing = []
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if "://" in link:
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(link)

    assert missing == []


def test_links_are_found():
    assert "CHANGELOG.md" in set(links(README))
    assert "connect" in anchors(README)
