"""Lets worker threads call Airflow, which may refuse calls outside of the task's own thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

_T = TypeVar("_T")


class TaskThread:
    """
    The task's own thread, which makes the calls into Airflow that worker threads hand to it.

    The thread that makes this object is the task's own.
    """

    def __init__(self) -> None:
        self._thread = threading.current_thread()
        self._changed = threading.Condition()
        self._calls: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._is_closed = False
        self._is_ending = threading.Event()

    def call(self, function: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
        """
        Call a function in the task's thread, from any thread, and return its result.

        :raises RuntimeError: The task's thread makes no more calls.
        """
        if threading.current_thread() is self._thread:
            return function(*args, **kwargs)
        result: Future[_T] = Future()
        with self._changed:
            if self._is_closed:
                raise RuntimeError("The task has ended.")
            self._calls.append((result, partial(function, *args, **kwargs)))
            self._changed.notify()
        return result.result()

    def serve(self, workers: Collection[Future[Any]]) -> None:
        """Make the calls of the workers until all workers have ended."""
        for worker in workers:
            worker.add_done_callback(self._wake)
        while self._wait_for_call(workers):
            # It leaves the queue once it is made: if the task is killed meanwhile, its worker
            # still waits for it.
            _make(*self._calls[0])
            self._calls.popleft()

    def sleep(self, seconds: float) -> None:
        """
        Sleep in a worker thread.

        :raises RuntimeError: The task ends meanwhile.
        """
        if self._is_ending.wait(seconds):
            raise RuntimeError("The task has ended.")

    def wake(self) -> None:
        """End all sleep, since the task ends."""
        self._is_ending.set()

    def close(self) -> None:
        """Refuse the calls that wait, and further ones, so that no worker waits for ever."""
        with self._changed:
            self._is_closed = True
        for result, _ in self._calls:
            if not result.done():
                result.set_exception(RuntimeError("The task has ended."))

    def _wait_for_call(self, workers: Collection[Future[Any]]) -> bool:
        """Wait until there is a call to make, or none can come."""
        with self._changed:
            self._changed.wait_for(lambda: self._calls or all(worker.done() for worker in workers))
            return bool(self._calls)

    def _wake(self, _: Future[Any]) -> None:
        with self._changed:
            self._changed.notify()


class TaskThreadStore:
    """A task's state store whose calls are made in the task's thread."""

    def __init__(self, state_store: Any, thread: TaskThread) -> None:
        self._state_store = state_store
        self._thread = thread

    def get(self, key: str) -> Any:
        """Return a value."""
        return self._thread.call(self._state_store.get, key)

    def set(self, key: str, value: Any, **kwargs: Any) -> None:
        """Keep a value."""
        self._thread.call(self._state_store.set, key, value, **kwargs)

    def delete(self, key: str) -> None:
        """Forget a value."""
        self._thread.call(self._state_store.delete, key)


def _make(result: Future[Any], call: Callable[[], Any]) -> None:
    if result.done():
        return
    try:
        value = call()
    except Exception as error:  # noqa: BLE001  # whatever Airflow raises is for the worker
        result.set_exception(error)
    else:
        result.set_result(value)
