"""Crashes at every point where the engine talks to the service or to the store."""

from __future__ import annotations

import threading
from typing import Any


class Crash(BaseException):
    """The end of the process: nothing can catch it, as with SIGKILL."""


class Points:
    """
    The points a try passes, and the one it ends at, in all its threads.

    :param crash_at: Number or name of the point to crash at; ``None`` for none.
    """

    def __init__(self, crash_at: int | str | None = None) -> None:
        self._crash_at = crash_at
        self.passed: list[str] = []
        self._lock = threading.Lock()

    def pass_by(self, name: str) -> None:
        """Pass a point, or crash at it."""
        with self._lock:
            if self._crash_at in (name, len(self.passed)):
                raise Crash(name)
            self.passed.append(name)


class Crashing:
    """
    Passes calls on, with a point before each and one after it.

    :param inner: What really does it.
    :param names: Methods that do something outside of the process.
    """

    def __init__(self, inner: Any, points: Points, names: tuple[str, ...]) -> None:
        self._inner = inner
        self._points = points
        self._names = names

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if name not in self._names:
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            self._points.pass_by(f"before {name}")
            result = value(*args, **kwargs)
            result = list(result) if name == "list_runs" else result
            self._points.pass_by(f"after {name}")
            return result

        return call


HOOK_CALLS = ("get_run", "list_runs", "retrigger_run", "start_run")
STORE_CALLS = ("get", "set", "delete")
XCOM_CALLS = ("xcom_push", "xcom_pull")
