"""Triggers that wait for dataflow runs, and that start DAGs when runs end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from inspect import signature
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from airflow_provider_flowservice._defaults import (
    CONN_ID,
    MISSING_GRACE,
    OUTAGE_TIMEOUT,
    POLL_INTERVAL,
)
from airflow_provider_flowservice._waiting.batching import shared_loader
from airflow_provider_flowservice._waiting.drivers import wait_in_triggerer
from airflow_provider_flowservice._waiting.flow_success import poll_for_success
from airflow_provider_flowservice._waiting.rules import Seen, WaitRules
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.triggers._events import DataflowRunEventTrigger

__all__ = ["DataflowRunEventTrigger", "DataflowRunTrigger", "DataflowTrigger"]


class _WaitTrigger(BaseTrigger):
    """A trigger that keeps its arguments under their names."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, which are JSON and hold nothing secret."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        names = [*signature(type(self)).parameters][:-1]  # all but those of other releases
        return path, {name: getattr(self, name) for name in names}


class DataflowRunTrigger(_WaitTrigger):
    """
    Wait for a dataflow run, and fire once when the wait is over.

    The trigger only reads: neither a shutdown nor a cancellation affects the run.

    :param run_id: ID of the run.
    :param flowservice_conn_id: Airflow connection of type ``flowservice``.
    :param poll_interval: Seconds between polls; the first few come earlier.
    :param deadline: Epoch seconds at which the wait is over, whatever the run does.
    :param outage_timeout: Seconds without any response after which contact counts as lost.
    :param missing_grace: Seconds during which a run that the service does not show may still appear.
    :param first_poll: Seconds until the first poll.
    :param hook_params: Further arguments for the hook.
    :param url: Address of the run in the user interface; the event carries it.
    :param later: Arguments of other releases of this package, which are ignored.
    """

    def __init__(
        self,
        run_id: str,
        flowservice_conn_id: str = CONN_ID,
        poll_interval: float = POLL_INTERVAL,
        deadline: float | None = None,
        outage_timeout: float = OUTAGE_TIMEOUT,
        missing_grace: float = MISSING_GRACE,
        first_poll: float = 0.0,
        hook_params: dict[str, Any] | None = None,
        url: str | None = None,
        **later: Any,
    ) -> None:
        super().__init__()
        self.run_id = run_id
        self.flowservice_conn_id = flowservice_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.outage_timeout = outage_timeout
        self.missing_grace = missing_grace
        self.first_poll = first_poll
        self.hook_params = hook_params
        self.url = url

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the run; an error that waiting cannot fix fails the task with its traceback."""
        rules = WaitRules(
            self.poll_interval, self.deadline, self.outage_timeout, self.missing_grace
        )
        params = self.hook_params or {}
        new_hook = partial(FlowServiceHook, self.flowservice_conn_id, **params)
        loader = shared_loader(self.flowservice_conn_id, params, new_hook)
        try:
            result = await wait_in_triggerer(
                f"dataflow run {self.run_id}",
                partial(loader.load, self.run_id, rules=rules),
                rules,
                # The logger of the class: one for each of thousands of waits is a lot.
                self.logger(),
                self.first_poll,
            )
        finally:
            loader.release()
        yield TriggerEvent({**result.to_event(), "run_id": self.run_id, "url": self.url})

    async def on_kill(self) -> None:
        """Log that the run goes on; the service has no call to cancel it. Since Airflow 3.3."""
        self.log.warning(
            "The task was killed. Dataflow run %s goes on: %s", self.run_id, self.url or "no link"
        )


class DataflowTrigger(_WaitTrigger):
    """
    Wait until a run of a flow has succeeded since a time, and fire once when the wait is over.

    :param flow_id: ID of the flow.
    :param since_ms: The time, in epoch milliseconds.
    :param flowservice_conn_id: Airflow connection of type ``flowservice``.
    :param poll_interval: Seconds between polls; the first few come earlier.
    :param deadline: Epoch seconds at which the wait is over.
    :param outage_timeout: Seconds without any response after which the wait is over.
    :param hook_params: Further arguments for the hook.
    :param later: Arguments of other releases of this package, which are ignored.
    """

    def __init__(
        self,
        flow_id: str,
        since_ms: int,
        flowservice_conn_id: str = CONN_ID,
        poll_interval: float = POLL_INTERVAL,
        deadline: float | None = None,
        outage_timeout: float = OUTAGE_TIMEOUT,
        hook_params: dict[str, Any] | None = None,
        **later: Any,
    ) -> None:
        super().__init__()
        self.flow_id = flow_id
        self.since_ms = since_ms
        self.flowservice_conn_id = flowservice_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.outage_timeout = outage_timeout
        self.hook_params = hook_params

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for a success; an error that waiting cannot fix fails the task."""
        # The wait sits out transient errors; a retry would sleep in a thread that all triggers share.
        hook = FlowServiceHook(self.flowservice_conn_id, **self.hook_params or {}).without_retries()
        poll = sync_to_async(poll_for_success, thread_sensitive=False)

        async def poll_after(delay: float) -> Seen:
            await asyncio.sleep(delay)
            return await poll(hook, self.flow_id, self.since_ms)

        rules = WaitRules(self.poll_interval, self.deadline, self.outage_timeout, missing_grace=0)
        result = await wait_in_triggerer(
            f"a success of flow {self.flow_id}", poll_after, rules, self.log
        )
        yield TriggerEvent(dict(result.to_event()))
