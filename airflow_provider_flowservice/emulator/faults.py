"""Trouble on demand."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from airflow_provider_flowservice.emulator.messages import Answer

Kind = Literal["answer", "close_before", "close_after", "slow", "truncated"]


@dataclass(frozen=True)
class Fault:
    """
    Something that goes wrong with certain requests.

    :param on: Method and start of the path, as in ``POST /runs/.*/action``. The method may be
        ``*``; the path is a regular expression, without the base path of the Flow Service.
    :param times: Requests to spoil; ``None`` spoils all.
    :param status: HTTP status of kind "answer", 500 if not given.
    :param body: Body of kind "answer": a dict goes out as JSON, text and bytes as they are.
    :param headers: Headers of kind "answer".
    :param delay: Seconds to hold back the answer, or the end of the connection.
    :param kind: "answer" answers instead of acting, "close_before" hangs up instead of acting,
        "close_after" acts and hangs up, "slow" acts and answers after the delay, "truncated"
        acts and sends only a part of the answer.
    :param after: Matching requests to let pass first.
    """

    on: str
    times: int | None = 1
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] | None = None
    delay: float = 0.0
    kind: Kind = "answer"
    after: int = 0

    def __post_init__(self) -> None:
        method, _, pattern = self.on.partition(" ")
        if not method or not pattern.startswith(("/", ".", "(", "^")):
            raise ValueError(f"A fault is on a method and a path, not on {self.on!r}.")
        if self.kind not in get_args(Kind):
            raise ValueError(f"There is no kind of fault {self.kind!r}.")
        re.compile(pattern)

    @property
    def acts(self) -> bool:
        """Whether the request takes effect all the same."""
        return self.kind in {"close_after", "slow", "truncated"}

    @property
    def hangs_up(self) -> bool:
        """Whether the connection ends without an answer."""
        return self.kind in {"close_before", "close_after"}

    @property
    def is_truncated(self) -> bool:
        """Whether the answer breaks off."""
        return self.kind == "truncated"

    @property
    def answer(self) -> Answer:
        """The answer given instead of acting."""
        return Answer(self.status or 500, self.body, self.headers or {})

    def matches(self, method: str, path: str) -> bool:
        """Tell whether a request is one of those meant."""
        wanted, _, pattern = self.on.partition(" ")
        return wanted in {"*", method} and re.match(pattern, path) is not None


class Faults:
    """The faults switched on, oldest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []

    def add(self, fault: Fault) -> None:
        """Switch a fault on."""
        with self._lock:
            self._armed.append(_Armed(fault, fault.after, fault.times))

    def clear(self) -> None:
        """Switch all faults off."""
        with self._lock:
            self._armed.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault that spoils this request, and count it as used."""
        with self._lock:
            for armed in self._armed:
                if armed.fault.matches(method, path) and armed.strikes():
                    return armed.fault
        return None


@dataclass
class _Armed:
    """A fault, with what is left of its counts."""

    fault: Fault
    to_pass: int
    left: int | None

    def strikes(self) -> bool:
        """Count a matching request, and tell whether the fault spoils it."""
        if self.left == 0:
            return False
        if self.to_pass:
            self.to_pass -= 1
            return False
        if self.left is not None:
            self.left -= 1
        return True
