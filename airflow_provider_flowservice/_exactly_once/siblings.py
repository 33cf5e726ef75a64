"""
What requests beside one another know of each other.

They are those of one bulk, and of the tasks of one dynamic task mapping. Each publishes a claim
before it reads those of the others, so of two that compete at least one sees the other.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from airflow_provider_flowservice._json import with_lists, with_tuples

_T = TypeVar("_T")

ATTEMPTS_KEY = "attempts"
"""XCom key of the IDs of all runs the task's requests have led to, the newest last."""

_CLAIMS_KEY = "flowservice_claims"


@dataclass(frozen=True)
class Claim:
    """
    What a request tells the requests beside it.

    :param source_run_id: Key of the action, see :class:`Record`.
    :param window: Data it loads, in epoch milliseconds; ``None`` if that is not known.
    :param map_index: Of the task.
    :param max_tries: Of the task, which is higher after a Clear.
    :param asked_ms: Epoch milliseconds when the try asked for its turn.
    :param state: ``asks`` for its turn, and keeps it; ``yields`` it to another; is ``over``.
    :param new_run_id: The new run, if it led to one.
    :param is_certain: Whether it is certain that this run is the new one.
    :param known_run_ids: All runs that the task's requests have led to.
    """

    source_run_id: str
    flow_id: str
    window: tuple[int, int] | None
    map_index: int
    max_tries: int
    asked_ms: int
    state: Literal["asks", "yields", "over"] = "asks"
    new_run_id: str | None = None
    is_certain: bool = True
    known_run_ids: tuple[str, ...] = ()

    @property
    def rank(self) -> tuple[int, str]:
        """Its place among those that ask at the same time."""
        return self.map_index, self.source_run_id

    def is_same_request(self, other: Claim) -> bool:
        """Whether both are for the same run, or for the same data of the same flow."""
        if self.source_run_id == other.source_run_id:
            return True
        is_same_window = self.window is not None and self.window == other.window
        return is_same_window and self.flow_id == other.flow_id

    def to_json(self) -> dict[str, Any]:
        """Write the claim as JSON values."""
        return with_lists(vars(self))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Claim:
        """Read a claim back, which a task of the same mapping has written."""
        return cls(**with_tuples(value))


class Siblings:
    """
    The requests of a task, and of the other tasks of its dynamic task mapping.

    :param call: Calls a function where Airflow may be called.
    """

    def __init__(self, ti: Any, call: Callable[..., Any] | None = None) -> None:
        self.exist = ti.map_index is not None and ti.map_index >= 0
        """Whether other tasks may have requests at the same time."""
        self.map_index = ti.map_index if self.exist else -1
        self._ti = ti
        self._call = call or _call
        self._own: defaultdict[str, dict[str, Claim]] = defaultdict(dict)  # by flow and source

    def publish(self, claim: Claim) -> None:
        """Show a claim to the others, in place of an earlier one for the same run."""
        self._own[claim.flow_id][claim.source_run_id] = claim
        if self.exist:
            self._call(self._push, claim.flow_id)

    def others(self, mine: Claim) -> list[Claim]:
        """Return the claims on runs of the same flow, without the given one."""
        own = list(self._own[mine.flow_id].values())
        claims = [claim for claim in own if claim.rank != mine.rank]
        if self.exist:
            pulled = self._call(self._pull, _claims_key(mine.flow_id))
            shown = (Claim.from_json(value) for values in pulled for value in values)
            claims += (claim for claim in shown if claim.map_index != self.map_index)
        return claims

    def attempts(self) -> set[str]:
        """Return the runs that other tasks show as theirs."""
        if not self.exist:
            return set()
        return {run_id for run_ids in self._call(self._pull, ATTEMPTS_KEY) for run_id in run_ids}

    def _push(self, flow_id: str) -> None:
        claims = [claim.to_json() for claim in self._own[flow_id].values()]
        self._ti.xcom_push(key=_claims_key(flow_id), value=claims)

    def _pull(self, key: str) -> list[Any]:
        """Return the values of all tasks of the mapping."""
        values = self._ti.xcom_pull(task_ids=[self._ti.task_id], key=key) or []
        return [value for value in values if value]


def _claims_key(flow_id: str) -> str:
    # A digest, because the key becomes a part of a path.
    return f"{_CLAIMS_KEY}_{hashlib.sha256(flow_id.encode()).hexdigest()[:32]}"


def _call(function: Callable[..., _T], *args: Any) -> _T:
    return function(*args)
