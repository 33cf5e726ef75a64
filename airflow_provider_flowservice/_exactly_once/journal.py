"""What a task remembers from try to try."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_flowservice._compat import NEVER_EXPIRE
from airflow_provider_flowservice._exactly_once.decisions import Record

STORE_KEY = "flowservice_retrigger"


class TaskStore:
    """
    What the task remembers from try to try; nothing before Airflow 3.3.

    :param state_store: The task's ``task_state_store``, if there is one.
    :param key: Key to remember it under; a task with several requests has one for each.
    """

    def __init__(self, state_store: Any, key: str = STORE_KEY) -> None:
        self._state_store = state_store
        self._key = key

    @property
    def exists(self) -> bool:
        """Whether anything can be remembered."""
        return self._state_store is not None

    def load(self) -> tuple[Record | None, bool]:
        """Return the record, and whether what is stored could be read."""
        value = self._state_store.get(self._key) if self.exists else None
        record = Record.from_json(value)
        return record, value is None or record is not None

    def restore(self, record: Record | None) -> None:
        """Remember what was stored before."""
        if record is not None:
            self.save(record)
        elif self.exists:
            self._state_store.delete(self._key)

    def save(self, record: Record) -> None:
        """Remember ``record`` for as long as the task exists."""
        if self.exists:
            self._state_store.set(self._key, record.to_json(), retention=NEVER_EXPIRE)


class Siblings:
    """
    Requests beside this one, whose runs are not its own: those of a bulk, one after the other.

    :param exist: Whether there are any at the same time.
    """

    def __init__(self, exist: bool = False) -> None:
        self.exist = exist
        self._claimed: list[str] = []

    def claim(self, run_ids: Iterable[str]) -> None:
        """Take note that these runs belong to one of them."""
        self._claimed += run_ids

    def claimed_run_ids(self) -> set[str]:
        """Return the runs that belong to them."""
        return set(self._claimed)
