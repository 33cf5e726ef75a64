"""Trigger that starts DAGs when dataflow runs end."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Hashable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.triggers.base import TriggerEvent
from asgiref.sync import sync_to_async
from tenacity import AsyncRetrying, RetryCallState

from airflow_provider_flowservice._arguments import kinds
from airflow_provider_flowservice._arguments.checked import CheckedArguments, conflicts_of_flows
from airflow_provider_flowservice._client.retries import error_of, retry_after_of
from airflow_provider_flowservice._compat import AirflowException, triggers
from airflow_provider_flowservice._defaults import CONN_ID, POLL_INTERVAL
from airflow_provider_flowservice._selection.feed import EndedRun, RunFeed, Snapshot, Watch
from airflow_provider_flowservice._selection.filters import FlowChoice, statuses_of
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

if TYPE_CHECKING:
    from datetime import timedelta

log = logging.getLogger(__name__)

LOOKBACK = 24 * 60 * 60.0

_END_STATUSES = frozenset({"failed", "partial", "success"})
# Longest pause in seconds, even if Retry-After asks for more.
_LONGEST_PAUSE = 1800.0
# Seconds after which an error that persists is logged again.
_REMINDER = 600.0


class DataflowRunEventTrigger(CheckedArguments, triggers.BaseEventTrigger):
    """
    Fires when a run of the watched flows has failed, or has ended as ``status`` says.

    Of use for an ``AssetWatcher``. Needs Airflow 3.0.

    The event's payload holds ``run_id``, ``flow_id``, ``status``, a one-line ``description`` of the
    run, and its ``url`` in the Experience Platform UI. The trigger reports each run once; a
    re-triggered run is a new run.

    From Airflow 3.3 on, all watchers of a connection share their polls, and the trigger stores the
    reported runs in the asset's state store, so it misses and repeats no run when the triggerer
    restarts. If the triggerer dies between the event and the store, the trigger reports the run
    again. On Airflow 3.0 to 3.2, each watcher polls by itself, and forgets the reported runs when
    the triggerer restarts.

    :param flow_id: ID of the flow, or a list of several.
    :param flow_name: Name of the flow instead, or a pattern for several, such as ``orders*``; upper
        and lower case are the same. Without both, all flows of the sandbox that load from a source
        are watched.
    :param status: Status of the runs to report: ``failed``, ``partialSuccess``, ``success``, or a
        list of several.
    :param all_kinds: Whether to include the service's own flows and flows to destinations, if flows
        are not selected by ID.
    :param poll_interval: Seconds between polls. Only watchers with the same interval share polls.
    :param lookback: Seconds for which the trigger polls a run after its creation. A triggerer that
        was down for less reports the runs that ended meanwhile.
    :param flowservice_conn_id: Airflow connection of type ``flowservice``.
    :param hook_params: Further arguments for the hook.
    :raises AirflowException: This Airflow is older than 3.0.
    :raises ValueError: An argument is invalid.
    """

    argument_kinds: ClassVar[Mapping[str, kinds.Kind]] = {
        "flow_id": kinds.ONE_OR_SEVERAL_IDS.or_none(),
        "flow_name": kinds.TEXT.or_none(),
        "status": kinds.END_STATUSES,
        "all_kinds": kinds.FLAG,
        "poll_interval": kinds.INTERVAL,
        "lookback": kinds.INTERVAL,
        "flowservice_conn_id": kinds.TEXT,
        "hook_params": kinds.HOOK_PARAMS,
    }

    def __init__(
        self,
        flow_id: str | Sequence[str] | None = None,
        flow_name: str | None = None,
        status: str | Sequence[str] = "failed",
        all_kinds: bool = False,
        poll_interval: float | timedelta = POLL_INTERVAL,
        lookback: float | timedelta = LOOKBACK,
        flowservice_conn_id: str = CONN_ID,
        hook_params: dict[str, Any] | None = None,
    ) -> None:
        if not triggers.HAS_EVENT_TRIGGERS:
            raise AirflowException(
                "DataflowRunEventTrigger starts DAGs by events, which needs Airflow 3.0 or later. "
                "Let a schedule and ListDataflowRunsOperator do it instead."
            )
        super().__init__()
        self.flow_id = flow_id
        self.flow_name = flow_name
        self.status = status
        self.all_kinds = all_kinds
        self.poll_interval: float = poll_interval  # type: ignore[assignment]  # becomes seconds
        self.lookback: float = lookback  # type: ignore[assignment]  # becomes seconds
        self.flowservice_conn_id = flowservice_conn_id
        self.hook_params = hook_params or {}
        self._check_arguments()
        self._flow_choice = FlowChoice.of(flow_id, flow_name, all_kinds)
        self._statuses = statuses_of(status)

    @classmethod
    def _conflicts(cls, values: Mapping[str, Any]) -> Iterator[str]:
        yield from conflicts_of_flows(values)
        # An empty list selects no flow, and not all of them.
        if values["flow_id"] is not None and not values["flow_id"]:
            yield "flow_id names no flow."
        if unfinished := statuses_of(values["status"]) - _END_STATUSES:
            yield f"status is {values['status']!r}, but no run ends as {', '.join(sorted(unfinished))}."

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments, which are JSON and hold nothing secret."""
        path = "airflow_provider_flowservice.triggers.flowservice.DataflowRunEventTrigger"
        return path, {
            # Sorted, so that the order of the arguments does not matter.
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
        """Report runs that have ended until cancelled; before Airflow 3.3 the entry point."""
        watch = Watch(self._flow_choice, self._statuses, time.time())
        async for snapshot in _snapshots(self.serialize()[1]):
            for ended_run in watch.take(snapshot):
                yield _event(ended_run)

    def shared_stream_key(self) -> Hashable:
        """Return the key of the shared polls: connection, interval and lookback."""
        hook_params = json.dumps(self.hook_params, sort_keys=True)
        timing = (self.poll_interval, self.lookback)
        return (type(self).__qualname__, self.flowservice_conn_id, *timing, hook_params)

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> triggers.SharedStreamProducer:
        """Return the producer that polls the service for all watchers that share it."""
        return _Producer(kwargs)

    async def filter_shared_stream(
        self, shared_stream: AsyncIterator[_Delivery]
    ) -> AsyncIterator[TriggerEvent]:
        """Report the ended runs that are new to this watcher."""
        stores = triggers.asset_stores(self.asset_state_store)
        seen = await self._load(stores)
        watch = Watch(self._flow_choice, self._statuses, time.time(), seen)
        async for delivery in shared_stream:
            for ended_run in watch.take(delivery.snapshot):
                yield _event(ended_run)
            if (unstored := watch.unstored()) is not None:
                # Not before the events are stored: a crash might lose them.
                delivery.commits.append(partial(self._store, stores, watch, unstored))

    @property
    def _store_key(self) -> str:
        # A watcher with another filter begins anew; another interval makes no difference.
        parts = [sorted(self._statuses), self.flow_name, self.all_kinds, self.flowservice_conn_id]
        parts.append(sorted(self._flow_choice.flow_ids or ()))
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        return f"flowservice_runs_{digest[:16]}"

    async def _load(self, stores: Sequence[Any]) -> dict[str, int] | None:
        found = [await store.aget(self._store_key) for store in stores]
        stored = [each for each in found if isinstance(each, Mapping)]
        return {key: ms for each in stored for key, ms in each.items()} if stored else None

    async def _store(self, stores: Sequence[Any], watch: Watch, seen: dict[str, int]) -> None:
        try:
            for store in stores:
                await store.aset(self._store_key, seen)
        except Exception:  # of any store
            # The next poll tries again. An error here would end the polls of all watchers.
            log.exception("Cannot store which dataflow runs have been reported.")
        else:
            watch.mark_stored(seen)


@dataclass
class _Delivery:
    """A snapshot on its way to the watchers."""

    snapshot: Snapshot
    # Each stores which runs a watcher has reported. Called when the events are stored.
    commits: list[Callable[[], Awaitable[None]]] = field(default_factory=list)


class _Producer(triggers.SharedStreamProducer):
    """Polls the service for all watchers, and commits what they reported."""

    def __init__(self, kwargs: dict[str, Any]) -> None:
        self._kwargs = kwargs

    async def open_stream(self) -> AsyncIterator[tuple[_Delivery, _Delivery]]:
        async for snapshot in _snapshots(self._kwargs):
            delivery = _Delivery(snapshot)
            yield delivery, delivery

    async def advance(self, batch: Sequence[triggers.AdvanceItem]) -> None:
        for delivery, outcome in batch:
            # After a failed delivery nothing is committed, so that the runs are reported again.
            if not outcome.failed:
                for commit in delivery.commits:
                    await commit()


async def _snapshots(kwargs: Mapping[str, Any]) -> AsyncIterator[Snapshot]:
    """
    Poll the service at an interval, forever.

    No error ends the polls, since Airflow would restart the trigger again and again.
    """
    conn_id, hook_params = kwargs["flowservice_conn_id"], kwargs["hook_params"]
    feed = RunFeed(partial(FlowServiceHook, conn_id, **hook_params), kwargs["lookback"])
    interval = kwargs["poll_interval"]
    # The hook blocks, so it runs in a worker thread.
    poll = sync_to_async(feed.poll, thread_sensitive=False)
    outage = _OutageLogger(conn_id)
    retrying = AsyncRetrying(
        wait=lambda state: max(interval, min(retry_after_of(state), _LONGEST_PAUSE)),
        before_sleep=outage.log_error,
        sleep=asyncio.sleep,
    )
    while True:
        snapshot: Snapshot = await retrying(poll)
        outage.log_end()
        yield snapshot
        await asyncio.sleep(interval)


class _OutageLogger:
    """Logs each kind of error once and then every ten minutes, and the end of an outage."""

    def __init__(self, conn_id: str) -> None:
        self._conn_id = conn_id
        self._kind: type[object] | None = None
        self._logged_mono = 0.0

    def log_error(self, state: RetryCallState) -> None:
        error, now_mono = error_of(state), time.monotonic()
        if type(error) is not self._kind or now_mono - self._logged_mono > _REMINDER:
            log.warning("Cannot poll dataflow runs of %s: %s", self._conn_id, error)
            self._logged_mono = now_mono
        self._kind = type(error)

    def log_end(self) -> None:
        if self._kind is not None:
            log.info("Polling dataflow runs of %s again.", self._conn_id)
            self._kind = None


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
