"""A service that hangs until the test has seen what goes on meanwhile."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import Any

from airflow_provider_flowservice.emulator import FlowServiceEmulator


class HeldAnswer:
    """
    The answer to the first look at runs, which is held back until the event loop has gone on.

    :param service: The service that is to hang.
    """

    def __init__(self, service: FlowServiceEmulator) -> None:
        self._asked_for: Future[None] = Future()
        self._let_go: Future[bool] = Future()
        self._may_go = threading.Event()
        service.on_request(self._hold)

    async def let_go(self, turns: int = 20) -> bool:
        """
        Let the answer go after some turns of the event loop, and return whether there were any.

        A loop that the request blocks goes on only when the service has lost outage_timeout.
        """
        await asyncio.wrap_future(self._asked_for)
        for _ in range(turns):
            await asyncio.sleep(0)
        self._may_go.set()
        return await asyncio.wrap_future(self._let_go)

    def _hold(self, seen: Any) -> None:
        if "/runs" in seen.path and not self._asked_for.done():
            self._asked_for.set_result(None)
            self._let_go.set_result(self._may_go.wait(10))
