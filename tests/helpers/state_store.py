"""A state store as Airflow's, of a task or of an asset."""

from __future__ import annotations

import copy
import json
from typing import Any


class StateStore:
    """Takes JSON only, and never ``None``. It outlives the tries."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.writes = 0

    def get(self, key: str, default: Any = None) -> Any:
        """Return a copy, as what is read from a database is one."""
        return copy.deepcopy(self.values.get(key, default))

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        """Keep a value."""
        if value is None:
            raise ValueError("Cannot set value as None")
        self.values[key] = json.loads(json.dumps(value))
        self.writes += 1

    def delete(self, key: str) -> None:
        """Forget a value."""
        self.values.pop(key, None)

    async def aget(self, key: str, default: Any = None) -> Any:
        """Return a value, in a triggerer."""
        return self.get(key, default)

    async def aset(self, key: str, value: Any) -> None:
        """Keep a value, in a triggerer."""
        self.set(key, value)
