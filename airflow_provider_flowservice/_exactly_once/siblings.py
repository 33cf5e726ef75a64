"""What requests beside one another know of each other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

ATTEMPTS_KEY = "attempts"
"""XCom key of the IDs of all runs the task's requests have led to, the newest last."""


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


class MappedSiblings(Siblings):
    """The other tasks of the same dynamic task mapping; none where the task is not mapped."""

    def __init__(self, ti: Any) -> None:
        super().__init__(exist=ti.map_index is not None and ti.map_index >= 0)
        self._ti = ti

    def claimed_run_ids(self) -> set[str]:
        if not self.exist:
            return set()
        attempts = self._ti.xcom_pull(task_ids=[self._ti.task_id], key=ATTEMPTS_KEY) or []
        return {run_id for run_ids in attempts for run_id in run_ids or []}
