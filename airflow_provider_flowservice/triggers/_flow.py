"""Trigger that waits for a success of a dataflow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from airflow_provider_flowservice._defaults import CONN_ID, PATIENCE, POLL_INTERVAL
from airflow_provider_flowservice._waiting.flow_success import label_of, look_for_success
from airflow_provider_flowservice._waiting.poll import count_wait
from airflow_provider_flowservice._waiting.progress import Narrator
from airflow_provider_flowservice._waiting.rules import Seen, WaitRules, wait_async, wait_flow
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook


class DataflowTrigger(BaseTrigger):
    """
    Wait until a run of a flow has succeeded since a time, and fire once when the wait is over.

    :param flow_id: ID of the flow.
    :param since: The time, in epoch milliseconds.
    :param flowservice_conn_id: Airflow connection of type ``flowservice``.
    :param poll_interval: Seconds between looks; the first few come earlier.
    :param deadline: Epoch seconds at which the wait is over.
    :param patience: Seconds without any answer after which the wait is over.
    :param hook_params: Further arguments for the hook.
    :param later: Arguments of other releases of this package, which are passed over.
    """

    def __init__(
        self,
        flow_id: str,
        since: int,
        flowservice_conn_id: str = CONN_ID,
        poll_interval: float = POLL_INTERVAL,
        deadline: float | None = None,
        patience: float = PATIENCE,
        hook_params: dict[str, Any] | None = None,
        **later: Any,
    ) -> None:
        super().__init__()
        self.flow_id = flow_id
        self.since = since
        self.flowservice_conn_id = flowservice_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.patience = patience
        self.hook_params = hook_params

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, which are JSON and hold nothing secret."""
        names = ("flow_id", "since", "flowservice_conn_id", "poll_interval", "deadline", "patience")
        path = "airflow_provider_flowservice.triggers.flowservice.DataflowTrigger"
        return path, {name: getattr(self, name) for name in (*names, "hook_params")}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for a success; an error that waiting does not mend fails the task."""
        # The wait sits out what passes; a repetition would sleep in a thread that all triggers share.
        params = {**(self.hook_params or {}), "retries": 0}
        hook = FlowServiceHook(self.flowservice_conn_id, **params)
        look_now = sync_to_async(look_for_success, thread_sensitive=False)
        label = label_of(self.flow_id)
        narrator = Narrator(self.log, label)

        async def look(delay: float) -> Seen:
            await asyncio.sleep(delay)
            return narrator.tell(await look_now(hook, self.flow_id, self.since))

        rules = WaitRules(self.poll_interval, self.deadline, self.patience, missing_grace=0)
        began_at = time.monotonic()
        result = await wait_async(wait_flow(label, rules), look)
        count_wait(time.monotonic() - began_at)
        yield TriggerEvent(dict(result.to_event()))
