"""
Tolerant readers of JSON whose shape is not guaranteed, and how our own facts are kept as JSON.

Pure: any JSON value in, a value of the wanted type out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

# An object, as read from JSON or from the user: a `dict` is told in a quarter of the time of others.
_OBJECT = (dict, Mapping)
# Longer ones would fill log lines and XComs, and those of the service are far shorter.
_LONGEST_ADDRESS = 2000
# Smaller numbers are seconds: in milliseconds they would be before March 1973.
_SMALLEST_MILLISECONDS = 10**11
# Larger numbers are beyond the year 9999, and so no times.
_LARGEST_MILLISECONDS = 253_402_300_799_999


def mapping(value: object, key: str) -> Mapping[str, Any]:
    """Return the object under ``key``; an empty one if there is none."""
    found = value.get(key) if isinstance(value, _OBJECT) else None
    return found if found and isinstance(found, _OBJECT) else {}


def mappings(value: object) -> Iterator[Mapping[str, Any]]:
    """Iterate over the objects of an array, and skip its other entries."""
    if isinstance(value, list):
        yield from (entry for entry in value if isinstance(entry, _OBJECT))


def is_json_object(value: object) -> bool:
    """Whether a value is a JSON object, or the text of one."""
    try:
        return isinstance(json.loads(value) if isinstance(value, str) else value, dict)
    except (ValueError, RecursionError):
        return False


def line(value: object, longest: int = 500) -> str:
    """
    Return a text or number as one printable line; of any other value only its type.

    :param longest: Most characters to return.

    Texts of the service go into logs, XComs and databases. A line break could forge a log line, and
    not every database accepts a null character or half a surrogate pair.
    """
    if value is None:
        return ""
    if not isinstance(value, (str, int, float)):
        return f"({type(value).__name__})"
    # Cut generously first, since the rest is slow on a text of megabytes.
    text = str(value)[: 4 * longest]
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(text.split())[:longest]


def identifier(value: object) -> str:
    """Return an ID; empty if ``value`` is no text."""
    return line(value, longest=200) if isinstance(value, str) else ""


def identifiers(value: object) -> tuple[str, ...]:
    """Return the IDs in an array, each once."""
    entries = value if isinstance(value, list) else []
    return tuple(dict.fromkeys(filter(None, map(identifier, entries))))


def address(value: object) -> str | None:
    """Return the address of a web resource; ``None`` if ``value`` is none."""
    text = value.strip() if isinstance(value, str) else ""
    is_one = text.startswith(("https://", "http://")) and text.isprintable() and " " not in text
    return text if is_one and len(text) <= _LONGEST_ADDRESS else None


def count(value: object) -> int | None:
    """Return a count, which may be a text; ``None`` for ``-1``, the service's unknown count."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return None
    # Databases hold no larger number, and no real count or time is larger.
    return number if 0 <= number < 2**63 else None


def milliseconds(value: object, *, zero_is_none: bool = True) -> int | None:
    """Return a time as epoch milliseconds; the service also sends seconds, and ``0`` for none."""
    number = count(value)
    if number is None or (zero_is_none and not number):
        return None
    number = number if number > _SMALLEST_MILLISECONDS else number * 1000
    return number if number <= _LARGEST_MILLISECONDS else None


def with_lists(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as JSON holds them, with lists in place of tuples."""
    return {name: list(fact) if isinstance(fact, tuple) else fact for name, fact in facts.items()}


def with_tuples(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as a frozen class holds them, with tuples in place of lists."""
    return {name: tuple(fact) if isinstance(fact, list) else fact for name, fact in facts.items()}
