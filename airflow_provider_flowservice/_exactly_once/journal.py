"""What a task remembers from try to try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_flowservice._compat import NEVER_EXPIRE
from airflow_provider_flowservice._json import with_lists, with_tuples

STORE_KEY = "flowservice_retrigger"  # of starts as well


@dataclass(frozen=True)
class Record:
    """
    What is stored about an action: the intent before its request is sent, the new run after.

    :param source_run_id: Key of the action: the run that the user wants to be re-triggered, or flow and
        window of a start.
    :param target_run_id: Run the request names: the source, or its latest failed successor.
    :param max_tries: Of the task when it was written.
    :param requested_ms: Epoch milliseconds just before the request was sent.
    :param new_run_id: The new run, once known.
    :param is_certain: Whether the service named the new run, or it shows the source's window; not
        so for one that was only found.
    :param known_run_ids: All runs that earlier requests of this task have led to.
    :param earlier_run_ids: Candidates that were there before the request.
    :param done_run_ids: Runs of the same window that had ended before the request.
    """

    source_run_id: str
    target_run_id: str
    max_tries: int
    requested_ms: int
    new_run_id: str | None = None
    is_certain: bool = True
    known_run_ids: tuple[str, ...] = ()
    earlier_run_ids: tuple[str, ...] = ()
    done_run_ids: tuple[str, ...] = ()

    def with_run(self, new_run_id: str, max_tries: int) -> Record:
        """Return the record once the new run is known; ``max_tries`` is that of the task now."""
        known = tuple(dict.fromkeys((*self.known_run_ids, new_run_id)))
        return replace(self, new_run_id=new_run_id, max_tries=max_tries, known_run_ids=known)

    def to_json(self) -> dict[str, Any]:
        """Write the record as JSON values."""
        return with_lists(vars(self))

    @classmethod
    def from_json(cls, value: object) -> Record | None:
        """Read a record back; ``None`` for anything that is none."""
        if not isinstance(value, Mapping):
            return None
        if not all(isinstance(value.get(name), kind) for name, kind in _KINDS.items()):
            return None
        if not all(isinstance(item, str) for name in _LISTS for item in value[name]):
            return None
        return cls(**with_tuples({name: value[name] for name in _KINDS}))


_LISTS = ("known_run_ids", "earlier_run_ids", "done_run_ids")
_KINDS: dict[str, Any] = {
    "source_run_id": str,
    "target_run_id": str,
    "max_tries": int,
    "requested_ms": int,
    "new_run_id": str | None,
    "is_certain": bool,
    **dict.fromkeys(_LISTS, list),
}


class TaskStore:
    """
    What the task remembers from try to try; nothing before Airflow 3.3.

    :param state_store: The task's ``task_state_store``, if there is one.
    :param key: Key to remember it under; a task with several requests has one for each.
    """

    def __init__(self, state_store: Any, key: str = STORE_KEY) -> None:
        self.record: Record | None = None
        """What is stored, as last read or written."""
        self._state_store = state_store
        self._key = key

    @property
    def exists(self) -> bool:
        """Whether anything can be remembered."""
        return self._state_store is not None

    def load(self) -> tuple[Record | None, bool]:
        """Return the record, and whether what is stored could be read."""
        value = self._state_store.get(self._key) if self.exists else None
        self.record = Record.from_json(value)
        return self.record, value is None or self.record is not None

    def restore(self, record: Record | None) -> None:
        """Remember what was stored before."""
        if record is not None:
            self.save(record)
        elif self.exists:
            self._state_store.delete(self._key)
            self.record = None

    def save(self, record: Record) -> None:
        """Remember ``record`` for as long as the task exists."""
        if self.exists:
            self._state_store.set(self._key, record.to_json(), retention=NEVER_EXPIRE)
            self.record = record
