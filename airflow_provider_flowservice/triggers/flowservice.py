"""Triggers that wait for dataflow runs, and that start DAGs when runs end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from airflow_provider_flowservice._arguments import kinds
from airflow_provider_flowservice._arguments.checked import CheckedArguments
from airflow_provider_flowservice._defaults import (
    CONN_ID,
    MISSING_GRACE,
    OUTAGE_TIMEOUT,
    POLL_INTERVAL,
)
from airflow_provider_flowservice._waiting.batching import shared_loader
from airflow_provider_flowservice._waiting.drivers import wait_in_triggerer
from airflow_provider_flowservice._waiting.flow_success import poll_for_success
from airflow_provider_flowservice._waiting.poll import read_connection
from airflow_provider_flowservice._waiting.rules import Seen, WaitRules
from airflow_provider_flowservice.exceptions import FlowServiceError
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.triggers._events import DataflowRunEventTrigger

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["DataflowRunEventTrigger", "DataflowRunTrigger", "DataflowTrigger"]


class _WaitTrigger(CheckedArguments, BaseTrigger):
    """A trigger that keeps its arguments under their names."""

    argument_kinds: ClassVar[Mapping[str, kinds.Kind]] = {
        "flowservice_conn_id": kinds.TEXT,
        "poll_interval": kinds.INTERVAL,
        "deadline": kinds.EPOCH_SECONDS.or_none(),
        "outage_timeout": kinds.DURATION,
        "hook_params": kinds.HOOK_PARAMS,
    }
    poll_interval: float
    outage_timeout: float

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
    :param first_poll: Seconds until the first poll, which comes after five at the earliest.
    :param hook_params: Further arguments for the hook.
    :param url: Address of the run in the user interface; the event carries it.
    :param later: Arguments of other releases of this package, which are ignored.
    """

    argument_kinds: ClassVar[Mapping[str, kinds.Kind]] = {
        **_WaitTrigger.argument_kinds,
        "run_id": kinds.ID,
        "missing_grace": kinds.DURATION,
        "first_poll": kinds.DURATION,
        "url": kinds.TEXT.or_none(),
    }

    def __init__(
        self,
        run_id: str,
        flowservice_conn_id: str = CONN_ID,
        poll_interval: float | timedelta = POLL_INTERVAL,
        deadline: float | None = None,
        outage_timeout: float | timedelta = OUTAGE_TIMEOUT,
        missing_grace: float | timedelta = MISSING_GRACE,
        first_poll: float | timedelta = 0.0,
        hook_params: dict[str, Any] | None = None,
        url: str | None = None,
        **later: Any,
    ) -> None:
        super().__init__()
        self.run_id = run_id
        self.flowservice_conn_id = flowservice_conn_id
        self.poll_interval = poll_interval  # type: ignore[assignment]  # becomes seconds
        self.deadline = deadline
        self.outage_timeout = outage_timeout  # type: ignore[assignment]  # becomes seconds
        self.missing_grace: float = missing_grace  # type: ignore[assignment]  # becomes seconds
        self.first_poll: float = first_poll  # type: ignore[assignment]  # becomes seconds
        self.hook_params = hook_params or {}
        self.url = url
        self._check_arguments()

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the run; the event says how the wait ended."""
        rules = WaitRules(
            self.poll_interval, self.deadline, self.outage_timeout, self.missing_grace
        )
        params = self.hook_params
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
    :param first_poll: Seconds until the first poll, which comes after five at the earliest.
    :param later: Arguments of other releases of this package, which are ignored.
    """

    argument_kinds: ClassVar[Mapping[str, kinds.Kind]] = {
        **_WaitTrigger.argument_kinds,
        "flow_id": kinds.ID,
        "since_ms": kinds.EPOCH_MILLISECONDS,
        "first_poll": kinds.DURATION,
    }

    def __init__(
        self,
        flow_id: str,
        since_ms: int,
        flowservice_conn_id: str = CONN_ID,
        poll_interval: float | timedelta = POLL_INTERVAL,
        deadline: float | None = None,
        outage_timeout: float | timedelta = OUTAGE_TIMEOUT,
        hook_params: dict[str, Any] | None = None,
        first_poll: float | timedelta = 0.0,
        **later: Any,
    ) -> None:
        super().__init__()
        self.flow_id = flow_id
        self.since_ms = since_ms
        self.flowservice_conn_id = flowservice_conn_id
        self.poll_interval = poll_interval  # type: ignore[assignment]  # becomes seconds
        self.deadline = deadline
        self.outage_timeout = outage_timeout  # type: ignore[assignment]  # becomes seconds
        self.hook_params = hook_params or {}
        self.first_poll: float = first_poll  # type: ignore[assignment]  # becomes seconds
        self._check_arguments()

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for a success; the event says how the wait ended."""
        # The wait sits out transient errors; a retry would sleep in a thread that all triggers share.
        hook = FlowServiceHook(self.flowservice_conn_id, **self.hook_params).without_retries()
        poll = sync_to_async(self._poll, thread_sensitive=False)

        async def poll_after(delay: float) -> Seen:
            await asyncio.sleep(delay)
            return await poll(hook)

        rules = WaitRules(self.poll_interval, self.deadline, self.outage_timeout, missing_grace=0)
        result = await wait_in_triggerer(
            f"a success of flow {self.flow_id}", poll_after, rules, self.log, self.first_poll
        )
        yield TriggerEvent(dict(result.to_event()))

    def _poll(self, hook: FlowServiceHook) -> Seen:
        try:
            read_connection(hook)
        except FlowServiceError as error:
            return error
        return poll_for_success(hook, self.flow_id, self.since_ms)
