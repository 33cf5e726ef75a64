"""Triggers that wait for dataflow runs, and that start DAGs when runs end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from airflow_provider_flowservice._event_trigger import DataflowRunEventTrigger
from airflow_provider_flowservice._flow_trigger import DataflowTrigger
from airflow_provider_flowservice._narration import Narrator
from airflow_provider_flowservice._waiting import (
    MISSING_GRACE,
    PATIENCE,
    POLL_INTERVAL,
    Seen,
    WaitRules,
    wait_async,
    wait_flow,
)
from airflow_provider_flowservice.exceptions import FlowServiceError
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

__all__ = ["DataflowRunEventTrigger", "DataflowRunTrigger", "DataflowTrigger"]


class DataflowRunTrigger(BaseTrigger):
    """
    Wait for a dataflow run, and fire once when the wait is over.

    Looks only: neither a shutdown nor a cancellation does anything to the run.

    :param run_id: ID of the run.
    :param flowservice_conn_id: Airflow connection of type ``flowservice``.
    :param poll_interval: Seconds between looks; the first few come earlier.
    :param deadline: Epoch seconds at which the wait is over, whatever the run does.
    :param patience: Seconds without any answer after which sight of the run is lost.
    :param missing_grace: Seconds during which a run the service does not show may still turn up.
    :param first_look: Seconds until the first look.
    :param hook_params: Further arguments for the hook.
    :param later: Arguments of other releases of this package, which are passed over.
    """

    def __init__(
        self,
        run_id: str,
        flowservice_conn_id: str = FlowServiceHook.default_conn_name,
        poll_interval: float = POLL_INTERVAL,
        deadline: float | None = None,
        patience: float = PATIENCE,
        missing_grace: float = MISSING_GRACE,
        first_look: float = 0.0,
        hook_params: dict[str, Any] | None = None,
        **later: Any,
    ) -> None:
        super().__init__()
        self.run_id = run_id
        self.flowservice_conn_id = flowservice_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.patience = patience
        self.missing_grace = missing_grace
        self.first_look = first_look
        self.hook_params = hook_params

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, which are JSON and hold nothing secret."""
        names = (
            "run_id",
            "flowservice_conn_id",
            "poll_interval",
            "deadline",
            "patience",
            "missing_grace",
            "first_look",
            "hook_params",
        )
        path = "airflow_provider_flowservice.triggers.flowservice.DataflowRunTrigger"
        return path, {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the run; an error that waiting does not mend fails the task with its traceback."""
        hook = FlowServiceHook(self.flowservice_conn_id, **self.hook_params or {})
        # The hook blocks, so it runs in a worker thread. asyncio.to_thread would not do:
        # on Airflow 3.0 and 3.1 a hook there cannot read its connection.
        get_run = sync_to_async(hook.get_run, thread_sensitive=False)
        narrator = Narrator(self.log, self.run_id)

        async def look(delay: float) -> Seen:
            await asyncio.sleep(delay)
            try:
                return narrator.tell(await get_run(self.run_id))
            except FlowServiceError as error:
                return narrator.tell(error)

        rules = WaitRules(self.poll_interval, self.deadline, self.patience, self.missing_grace)
        result = await wait_async(wait_flow(self.run_id, rules, self.first_look), look)
        yield TriggerEvent(dict(result.to_event()))
