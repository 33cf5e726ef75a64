"""
Careful readers of JSON whose shape is not certain.

Pure: any JSON value in, a value of the wanted type out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# Smaller numbers are seconds: in milliseconds they would be before March 1973.
_SMALLEST_MILLISECONDS = 10**11
# Larger ones are beyond the year 9999, and so no times.
_LARGEST_MILLISECONDS = 253_402_300_799_999


def mapping(value: object, key: str) -> Mapping[str, Any]:
    """Take the object under ``key``; an empty one where there is none."""
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def mappings(value: object) -> Iterator[Mapping[str, Any]]:
    """Go through the objects of an array."""
    if isinstance(value, list):
        yield from (entry for entry in value if isinstance(entry, Mapping))


def line(value: object, longest: int = 500) -> str:
    """
    Read text as one printable line; a number as Python writes it, and of all else the kind only.

    What the service sends goes into logs, XComs and databases. A line break in it could forge a log
    line, and not every database takes a null character or half a surrogate pair.
    """
    if value is None:
        return ""
    if not isinstance(value, (str, int, float)):
        return f"({type(value).__name__})"
    # Cut first, generously: the rest is slow on a text of megabytes.
    text = str(value)[: 4 * longest]
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(text.split())[:longest]


def identifier(value: object) -> str:
    """Read an ID; empty where there is none."""
    return line(value, longest=200) if isinstance(value, str) else ""


def count(value: object) -> int | None:
    """Read a count, which may come as text; ``-1`` stands for an unknown one."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return None
    # No database holds more, and no count or time is larger.
    return number if 0 <= number < 2**63 else None


def milliseconds(value: object) -> int | None:
    """Read a time as epoch milliseconds; some come in seconds, and ``0`` stands for none."""
    number = count(value)
    if not number:
        return None
    number = number if number > _SMALLEST_MILLISECONDS else number * 1000
    return number if number <= _LARGEST_MILLISECONDS else None
