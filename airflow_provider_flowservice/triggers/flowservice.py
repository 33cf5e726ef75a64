"""Triggers that wait for dataflow runs, and that start DAGs when runs end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from airflow_provider_flowservice._defaults import (
    CONN_ID,
    MISSING_GRACE,
    OUTAGE_TIMEOUT,
    POLL_INTERVAL,
)
from airflow_provider_flowservice._waiting.batching import RunLoader, shared_loader
from airflow_provider_flowservice._waiting.flow_success import label_of, poll_for_success
from airflow_provider_flowservice._waiting.poll import count_wait
from airflow_provider_flowservice._waiting.progress import ProgressLogger
from airflow_provider_flowservice._waiting.rules import Seen, WaitRules, wait_async, wait_flow
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.triggers._events import DataflowRunEventTrigger

__all__ = ["DataflowRunEventTrigger", "DataflowRunTrigger", "DataflowTrigger"]


class DataflowRunTrigger(BaseTrigger):
    """
    Wait for a dataflow run, and fire once when the wait is over.

    RunLoader only: neither a shutdown nor a cancellation does anything to the run.

    :param run_id: ID of the run.
    :param flowservice_conn_id: Airflow connection of type ``flowservice``.
    :param poll_interval: Seconds between looks; the first few come earlier.
    :param deadline: Epoch seconds at which the wait is over, whatever the run does.
    :param outage_timeout: Seconds without any answer after which sight of the run is lost.
    :param missing_grace: Seconds during which a run the service does not show may still turn up.
    :param first_poll: Seconds until the first look.
    :param hook_params: Further arguments for the hook.
    :param url: Address of the run in the user interface.
    :param later: Arguments of other releases of this package, which are passed over.
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

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, which are JSON and hold nothing secret."""
        names = (
            "run_id",
            "flowservice_conn_id",
            "poll_interval",
            "deadline",
            "outage_timeout",
            "missing_grace",
            "first_poll",
            "hook_params",
            "url",
        )
        path = "airflow_provider_flowservice.triggers.flowservice.DataflowRunTrigger"
        return path, {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the run; an error that waiting does not mend fails the task with its traceback."""
        rules = WaitRules(
            self.poll_interval, self.deadline, self.outage_timeout, self.missing_grace
        )
        params = self.hook_params or {}
        new_hook = partial(FlowServiceHook, self.flowservice_conn_id, **params)
        loader = shared_loader(self.flowservice_conn_id, params, new_hook)
        # The logger is that of the class: one for each of thousands of waits is a lot.
        look = _Look(loader, self.run_id, rules, ProgressLogger(self.logger(), self.run_id))
        began_at = time.monotonic()
        try:
            result = await wait_async(wait_flow(self.run_id, rules, self.first_poll), look)
        finally:
            loader.release()
        count_wait(time.monotonic() - began_at)
        yield TriggerEvent(dict(result.to_event()))

    async def on_kill(self) -> None:
        """Say that the run goes on; the service has no call to cancel it. Since Airflow 3.3."""
        self.log.warning(
            "The task was killed. Dataflow run %s goes on: %s", self.run_id, self.url or "no link"
        )


class DataflowTrigger(BaseTrigger):
    """
    Wait until a run of a flow has succeeded since a time, and fire once when the wait is over.

    :param flow_id: ID of the flow.
    :param since: The time, in epoch milliseconds.
    :param flowservice_conn_id: Airflow connection of type ``flowservice``.
    :param poll_interval: Seconds between looks; the first few come earlier.
    :param deadline: Epoch seconds at which the wait is over.
    :param outage_timeout: Seconds without any answer after which the wait is over.
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
        outage_timeout: float = OUTAGE_TIMEOUT,
        hook_params: dict[str, Any] | None = None,
        **later: Any,
    ) -> None:
        super().__init__()
        self.flow_id = flow_id
        self.since = since
        self.flowservice_conn_id = flowservice_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.outage_timeout = outage_timeout
        self.hook_params = hook_params

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, which are JSON and hold nothing secret."""
        names = (
            "flow_id",
            "since",
            "flowservice_conn_id",
            "poll_interval",
            "deadline",
            "outage_timeout",
        )
        path = "airflow_provider_flowservice.triggers.flowservice.DataflowTrigger"
        return path, {name: getattr(self, name) for name in (*names, "hook_params")}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for a success; an error that waiting does not mend fails the task."""
        # The wait sits out what passes; a repetition would sleep in a thread that all triggers share.
        params = {**(self.hook_params or {}), "retries": 0}
        hook = FlowServiceHook(self.flowservice_conn_id, **params)
        look_now = sync_to_async(poll_for_success, thread_sensitive=False)
        label = label_of(self.flow_id)
        progress = ProgressLogger(self.log, label)

        async def look(delay: float) -> Seen:
            await asyncio.sleep(delay)
            return progress.log(await look_now(hook, self.flow_id, self.since))

        rules = WaitRules(self.poll_interval, self.deadline, self.outage_timeout, missing_grace=0)
        began_at = time.monotonic()
        result = await wait_async(wait_flow(label, rules), look)
        count_wait(time.monotonic() - began_at)
        yield TriggerEvent(dict(result.to_event()))


class _Look:
    """RunLoader at a run, and tells the log."""

    __slots__ = ("_loader", "_progress", "_rules", "_run_id")

    def __init__(
        self, loader: RunLoader, run_id: str, rules: WaitRules, progress: ProgressLogger
    ) -> None:
        self._loader = loader
        self._run_id = run_id
        self._rules = rules
        self._progress = progress

    async def __call__(self, delay: float) -> Seen:
        return self._progress.log(await self._loader.load(self._run_id, delay, self._rules))
