"""Lays out a table for a terminal. Pure: cells in, lines out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from textwrap import wrap

_BETWEEN = " | "


def table(rows: Sequence[Sequence[str]], widths: Sequence[int]) -> Iterator[str]:
    """
    Return a table as lines, with a rule below each row.

    :param rows: The cells of each row, the head first.
    :param widths: Characters in each column; longer texts are wrapped.
    """
    rule = "-+-".join("-" * width for width in widths)
    for row in rows:
        columns = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
        for parts in zip_longest(*columns, fillvalue=""):
            line = _BETWEEN.join(
                f"{part:<{width}}" for part, width in zip(parts, widths, strict=True)
            )
            yield line.rstrip()
        yield rule


def _wrapped(text: str, width: int) -> list[str]:
    # Paths of keys are long and have no blanks, so a word may be broken.
    return wrap(text, width, break_on_hyphens=False)
