"""The guides can be read at once: no sentence is long."""

from __future__ import annotations

import pytest

from helpers.pages import GUIDES, README, sentences

pytestmark = pytest.mark.once

MOST_WORDS = 30


@pytest.mark.parametrize("page", [README, *GUIDES], ids=lambda page: page.stem)
def test_no_sentence_is_long(page):
    long = [sentence for sentence in sentences(page) if len(sentence.split()) > MOST_WORDS]

    assert long == []
