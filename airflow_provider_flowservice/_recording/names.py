"""Other names for what identifies a customer: equal ones where there were equal ones."""

from __future__ import annotations

import re

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class Names:
    """
    Hands out other names, numbered in the order of their first use.

    The same names that are given to them again, in the same order, stay as they are.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._names)

    def of(self, text: str, word: str) -> str:
        """
        Return the other name of a text; upper and lower case do not make another text.

        :param word: What the name begins with, such as ``name``. Instead of a UUID stands another one.
        """
        key = text.lower()
        if key not in self._names:
            number = len(self._names) + 1
            is_uuid = _UUID.fullmatch(text)
            # The letters show whether the ID was written in upper case.
            name = f"aaaaaaaa-0000-4000-8000-{number:012}" if is_uuid else f"{word}-{number}"
            self._names[key] = name
        name = self._names[key]
        return name.upper() if text.isupper() else name
