"""An event loop whose clock jumps to the next timer instead of waiting for it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """
    Runs hours of timers in a moment; what runs in threads takes no time at all.

    :param start: Seconds its clock shows at first.
    """

    def __init__(self, start: float = 1000.0) -> None:
        self._now = start
        self._in_threads = 0
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Return seconds that pass only when nothing else happens."""
        return self._now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        """Count what runs in threads, since time stands still for it."""
        self._in_threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._returned)
        return future

    def pass_time(self, seconds: float) -> bool:
        """Let time pass, unless a thread is at work."""
        if not self._in_threads:
            self._now += seconds
        return not self._in_threads

    def _returned(self, _: Any) -> None:
        self._in_threads -= 1


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        events = super().select(0)
        if events or (timeout is not None and (timeout <= 0 or self._loop.pass_time(timeout))):
            return events
        return super().select(0.05)  # until a thread is done


def run(main: Coroutine[Any, Any, T], start: float = 1000.0) -> T:
    """Run a coroutine to its end in virtual time."""
    loop = VirtualLoop(start)
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(_end_tasks())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _end_tasks() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
