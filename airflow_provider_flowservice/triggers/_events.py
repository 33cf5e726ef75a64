"""Trigger that starts DAGs when dataflow runs end."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from functools import partial
from typing import Any

from airflow.triggers.base import TriggerEvent
from asgiref.sync import sync_to_async

from airflow_provider_flowservice._compat import AirflowException
from airflow_provider_flowservice._compat.triggers import (
    HAS_EVENT_TRIGGERS,
    AdvanceItem,
    BaseEventTrigger,
    SharedStreamProducer,
    asset_stores,
)
from airflow_provider_flowservice._defaults import CONN_ID, POLL_INTERVAL
from airflow_provider_flowservice._selection.feed import EndedRun, RunFeed, Snapshot, Watch
from airflow_provider_flowservice._selection.filters import FlowChoice, statuses_of
from airflow_provider_flowservice.exceptions import FlowServiceApiError
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

log = logging.getLogger(__name__)

LOOKBACK = 24 * 60 * 60.0

_ENDS = frozenset({"failed", "partial", "success"})
# Seconds to wait at most because the service asked for it.
_LONGEST_PAUSE = 1800.0
# Seconds after which trouble that goes on is told again.
_REMINDER = 600.0


class DataflowRunEventTrigger(BaseEventTrigger):
    """
    Fire whenever a run of the watched flows has ended, for an ``AssetWatcher``.

    The event's payload holds ``run_id``, ``flow_id``, ``status``, the ``digest`` of the run in one
    line, and its ``url`` in the user interface. A run is reported once: each failed attempt to
    repair it is a run of its own.

    From Airflow 3.3 on, all watchers of a connection share one look at the service, and what has
    been reported is kept in the asset's state store: no end of a run is missed or reported twice
    when the triggerer restarts. Should the triggerer die in the moment between the two, the run is
    reported again. Airflow 3.0 to 3.2 forget what was reported when the triggerer restarts, and
    each watcher looks for itself.

    :param flow_id: ID of the flow, or a list of several.
    :param flow_name: Name of the flow instead, or a pattern for several, such as ``orders*``; upper
        and lower case are the same. Without both, all flows of the sandbox that load from a source
        are watched.
    :param status: How a run is to have ended: ``failed``, ``partialSuccess``, ``success``, or a list
        of several.
    :param all_kinds: Whether to watch the service's own flows and those to destinations, too, where
        flows are not named by their IDs.
    :param poll_interval: Seconds between looks. Watchers with other intervals have looks of their own.
    :param lookback: Seconds for which a run is watched from its creation, and for which the ends of
        runs are made up for after a standstill of the triggerer.
    :param flowservice_conn_id: Airflow connection of type ``flowservice``.
    :param hook_params: Further arguments for the hook.
    :raises AirflowException: This Airflow is older than 3.0.
    :raises ValueError: An argument makes no sense.
    """

    def __init__(
        self,
        flow_id: str | Sequence[str] | None = None,
        flow_name: str | None = None,
        status: str | Sequence[str] = "failed",
        all_kinds: bool = False,
        poll_interval: float = POLL_INTERVAL,
        lookback: float = LOOKBACK,
        flowservice_conn_id: str = CONN_ID,
        hook_params: dict[str, Any] | None = None,
    ) -> None:
        if not HAS_EVENT_TRIGGERS:
            raise AirflowException(
                "DataflowRunEventTrigger starts DAGs by events, which needs Airflow 3.0 or later. "
                "Let a schedule and ListDataflowRunsOperator do it instead."
            )
        super().__init__()
        self.flow_id = flow_id
        self.flow_name = flow_name
        self.status = status
        self.all_kinds = all_kinds
        self.poll_interval = poll_interval
        self.lookback = lookback
        self.flowservice_conn_id = flowservice_conn_id
        self.hook_params = hook_params
        # An empty list means no flow at all, and not all of them.
        if flow_id is not None and not flow_id:
            raise ValueError("flow_id names no flow.")
        self._flow_choice = FlowChoice.of(flow_id, flow_name, all_kinds)
        self._statuses = statuses_of(status)
        if unknown := self._statuses - _ENDS:
            raise ValueError(f"No run ends as {', '.join(sorted(unknown))}.")
        if poll_interval <= 0 or lookback <= 0:
            raise ValueError("poll_interval and lookback are to be more than 0 seconds.")

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, which are JSON and hold nothing secret."""
        path = "airflow_provider_flowservice.triggers.flowservice.DataflowRunEventTrigger"
        return path, {
            # In order, so that the same watch in another order is the same.
            "flow_id": sorted(self._flow_choice.flow_ids or ()) or None,
            "flow_name": self.flow_name,
            "status": self.status if isinstance(self.status, str) else sorted(self.status),
            "all_kinds": self.all_kinds,
            "poll_interval": self.poll_interval,
            "lookback": self.lookback,
            "flowservice_conn_id": self.flowservice_conn_id,
            "hook_params": self.hook_params,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Report ends of runs until cancelled; before Airflow 3.3 the way in."""
        watch = Watch(self._flow_choice, self._statuses, time.time())
        async for snapshot in _snapshots(self.serialize()[1]):
            for ended_run in watch.take(snapshot):
                yield _event(ended_run)

    def shared_stream_key(self) -> Hashable:
        """Name the looks that are shared: those with one connection and in one rhythm."""
        hook_params = json.dumps(self.hook_params or {}, sort_keys=True)
        rhythm = (self.poll_interval, self.lookback)
        return (type(self).__qualname__, self.flowservice_conn_id, *rhythm, hook_params)

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        """Make what looks at the service for all watchers that share it."""
        return _Producer(kwargs)

    async def filter_shared_stream(
        self, shared_stream: AsyncIterator[Snapshot]
    ) -> AsyncIterator[TriggerEvent]:
        """Report the ends of runs this watcher wants to know of."""
        stores = asset_stores(self.asset_state_store)
        seen = await self._load(stores)
        watch = Watch(self._flow_choice, self._statuses, time.time(), seen)
        async for snapshot in shared_stream:
            for ended_run in watch.take(snapshot):
                yield _event(ended_run)
            if (unkept := watch.unkept(snapshot)) is not None:
                # Not now: the events are on their way, and an accident might lose them.
                snapshot.when_stored.append(partial(self._keep, stores, watch, unkept))

    @property
    def _store_key(self) -> str:
        # A watcher that is to watch for something else begins anew. The interval does not count.
        wishes = [sorted(self._statuses), self.flow_name, self.all_kinds, self.flowservice_conn_id]
        wishes.append(sorted(self._flow_choice.flow_ids or ()))
        digest = hashlib.sha256(json.dumps(wishes).encode()).hexdigest()
        return f"flowservice_runs_{digest[:16]}"

    async def _load(self, stores: Sequence[Any]) -> dict[str, int] | None:
        found = [await store.aget(self._store_key) for store in stores]
        known = [each for each in found if isinstance(each, Mapping)]
        return {run_id: at for each in known for run_id, at in each.items()} if known else None

    async def _keep(self, stores: Sequence[Any], watch: Watch, seen: dict[str, int]) -> None:
        try:
            for store in stores:
                await store.aset(self._store_key, seen)
        except Exception:  # whatever the store is made of
            # The next look tries again. An error here would end the looks of all watchers.
            log.exception("Cannot store which dataflow runs have been reported.")
        else:
            watch.kept(seen)


class _Producer(SharedStreamProducer):
    """RunLoader at the service for all watchers, and learns when their events are stored."""

    def __init__(self, kwargs: dict[str, Any]) -> None:
        self._kwargs = kwargs

    async def open_stream(self) -> AsyncIterator[tuple[Snapshot, Snapshot]]:
        async for snapshot in _snapshots(self._kwargs):
            yield snapshot, snapshot

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        for snapshot, outcome in batch:
            # Where an event of one watcher may be lost, it is found again by what is not kept.
            if not outcome.failed:
                for keep in snapshot.when_stored:
                    await keep()


async def _snapshots(kwargs: Mapping[str, Any]) -> AsyncIterator[Snapshot]:
    """Snapshot at the service again and again, and sit out all trouble."""
    conn_id, hook_params = kwargs["flowservice_conn_id"], kwargs["hook_params"] or {}
    feed = RunFeed(partial(FlowServiceHook, conn_id, **hook_params), kwargs["lookback"])
    # The hook blocks, so it runs in a worker thread.
    poll = sync_to_async(feed.poll, thread_sensitive=False)
    trouble: Exception | None = None
    told_at = 0.0
    while True:
        pause = kwargs["poll_interval"]
        try:
            snapshot = await poll()
        except Exception as error:  # noqa: BLE001
            # Nobody waits for a watcher: Airflow would start it again at once, and again.
            if type(error) is not type(trouble) or time.monotonic() - told_at > _REMINDER:
                log.warning("Cannot look for dataflow runs of %s: %s", conn_id, error)
                told_at = time.monotonic()
            trouble = error
            if isinstance(error, FlowServiceApiError) and error.retry_after:
                pause = max(pause, min(error.retry_after, _LONGEST_PAUSE))
        else:
            if trouble is not None:
                trouble = None
                log.info("Looking for dataflow runs of %s again.", conn_id)
            yield snapshot
        await asyncio.sleep(pause)


def _event(ended_run: EndedRun) -> TriggerEvent:
    run = ended_run.run
    return TriggerEvent(
        {
            "run_id": run.run_id,
            "flow_id": run.flow_id,
            "status": run.status,
            "description": run.description,
            "url": ended_run.url,
        }
    )
