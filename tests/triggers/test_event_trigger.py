"""DataflowRunEventTrigger: its row, its events, and its looks shared in a triggerer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from functools import partial

import pytest

from airflow_provider_flowservice._compat import AirflowException
from airflow_provider_flowservice._compat.triggers import HAS_EVENT_TRIGGERS
from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.triggers.flowservice import DataflowRunEventTrigger
from helpers.held_answer import HeldAnswer
from helpers.state_store import StateStore

try:
    from airflow.triggers.shared_stream import SharedStreamManager
except ImportError:
    SharedStreamManager = None

FAST = {"poll_interval": 0.05, "hook_params": {"retries": 0}}

needs_events = pytest.mark.skipif(not HAS_EVENT_TRIGGERS, reason="Event triggers need Airflow 3.0.")
needs_sharing = pytest.mark.skipif(
    SharedStreamManager is None, reason="Shared streams need Airflow 3.3."
)


class Triggerer:
    """
    As much of a triggerer as event triggers meet: it shares looks, and stores events.

    :param stores: Whether events reach the database, without which nothing may be kept.
    """

    def __init__(self, stores=True):
        self.manager = SharedStreamManager()
        self.stores = stores
        self.events = []
        self.tasks = []

    def start(self, trigger, store, trigger_id):
        trigger.asset_state_store = store
        self.tasks.append(asyncio.create_task(self._follow(trigger, trigger_id)))

    async def _follow(self, trigger, trigger_id):
        key = trigger.shared_stream_key()
        stream = self.manager.subscribe(trigger_id=trigger_id, trigger=trigger, key=key)
        async for event in trigger.filter_shared_stream(stream):
            number = self.manager.bind_pending_event(trigger_id=trigger_id, key=key)
            self.events.append((trigger_id, event.payload["run_id"]))
            if self.stores:
                self.manager.confirm_persisted([number])

    async def stop(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.manager.stop_all()


async def until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "too long"
        await asyncio.sleep(0.01)


@pytest.mark.skipif(HAS_EVENT_TRIGGERS, reason="This Airflow has event triggers.")
def test_an_old_airflow_is_told_what_is_needed():
    with pytest.raises(AirflowException, match=r"needs Airflow 3\.0"):
        DataflowRunEventTrigger()


@needs_events
@pytest.mark.parametrize(
    "arguments",
    [
        dict(status="inProgress"),
        dict(status=[]),
        dict(status="broken"),
        dict(flow_id=[]),
        dict(flow_id=""),
        dict(flow_id="a", flow_name="b"),
        dict(poll_interval=0),
        dict(lookback=0),
    ],
)
def test_arguments_that_make_no_sense_are_refused_at_once(arguments):
    with pytest.raises(ValueError, match=r"\w"):
        DataflowRunEventTrigger(**arguments)


@needs_events
def test_its_row_is_json_and_makes_an_equal_trigger(flowservice):
    trigger = DataflowRunEventTrigger(flow_id=["b", "a"], status=["success", "failed"])

    path, kwargs = trigger.serialize()

    assert path == "airflow_provider_flowservice.triggers.flowservice.DataflowRunEventTrigger"
    assert DataflowRunEventTrigger(**json.loads(json.dumps(kwargs))).serialize() == (path, kwargs)
    assert flowservice.connection["password"] not in repr(trigger)


@needs_events
def test_the_same_watch_in_another_order_is_the_same():
    one = DataflowRunEventTrigger(flow_id=["b", "a"], status=["success", "failed"])
    other = DataflowRunEventTrigger(flow_id=["a", "b"], status=["failed", "success"])

    assert one.serialize() == other.serialize()


async def first_events(trigger, count, act):
    """Run a trigger for itself, act after its first look, and return its first events."""
    events = []

    async def follow():
        async for event in trigger.run():
            events.append(event.payload)

    task = asyncio.create_task(follow())
    await act()
    await until(lambda: len(events) >= count)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return events


@needs_events
def test_the_event_tells_what_there_is_to_know(flowservice):
    flow_id = flowservice.add_flow("Orders")

    async def act():
        await until(lambda: flowservice.count("GET /runs") > 0)
        flowservice.add_run(flow_id, "success")
        flowservice.add_run(flow_id, "failed", run_id="r1")

    (event,) = asyncio.run(first_events(DataflowRunEventTrigger(**FAST), 1, act))

    assert (event["run_id"], event["flow_id"], event["status"]) == ("r1", flow_id, "failed")
    assert "Dataflow run r1 of flow" in event["description"]
    assert event["url"].endswith(f"/{flow_id}/activity/r1")
    assert json.loads(json.dumps(event)) == event


@needs_events
def test_other_ends_can_be_watched_for(flowservice):
    flow_id = flowservice.add_flow("Orders")

    async def act():
        await until(lambda: flowservice.count("GET /runs") > 0)
        for status in ("failed", "partialSuccess", "success"):
            flowservice.add_run(flow_id, status)

    trigger = DataflowRunEventTrigger(status=["success", "partial"], **FAST)
    events = asyncio.run(first_events(trigger, 2, act))

    assert {event["status"] for event in events} == {"success", "partialSuccess"}


@needs_events
def test_trouble_is_sat_out_and_told_once(flowservice, logged):
    flow_id = flowservice.add_flow("Orders")

    async def act():
        await until(lambda: flowservice.count("GET /runs") > 0)
        flowservice.fail(Fault("GET /runs", status=500, body={"title": "no"}, times=3))
        await until(lambda: flowservice.count("GET /runs") > 5)
        flowservice.add_run(flow_id, "failed")

    assert len(asyncio.run(first_events(DataflowRunEventTrigger(**FAST), 1, act))) == 1
    assert (log := logged()).count("Cannot poll dataflow runs") == 1
    assert log.count("runs of flowservice_default again") == 1


@needs_events
def test_a_connection_that_is_mended_is_read_again(flowservice, monkeypatch):
    flow_id = flowservice.add_flow("Orders")
    monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", '{"conn_type": "flowservice"}')

    async def act():
        await asyncio.sleep(0.2)
        assert flowservice.requests == []
        monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", flowservice.connection_json)
        await until(lambda: flowservice.count("GET /runs") > 0)
        flowservice.add_run(flow_id, "failed")

    assert len(asyncio.run(first_events(DataflowRunEventTrigger(**FAST), 1, act))) == 1


@needs_events
def test_the_event_loop_goes_on_while_an_answer_hangs(flowservice):
    answer = HeldAnswer(flowservice)

    async def watch_meanwhile():
        watch = asyncio.create_task(anext(aiter(DataflowRunEventTrigger(**FAST).run())))
        went_on = await answer.let_go()
        watch.cancel()
        return went_on

    assert asyncio.run(watch_meanwhile())


@needs_sharing
def test_a_hundred_watchers_share_one_look(flowservice):
    flow_ids = [flowservice.add_flow(f"flow {number}") for number in range(100)]
    failing = {}

    async def act():
        triggerer = Triggerer()
        for number, flow_id in enumerate(flow_ids):
            trigger = DataflowRunEventTrigger(flow_id=flow_id, **FAST)
            triggerer.start(trigger, StateStore(), number)
        await until(lambda: flowservice.count("GET /runs") > 3)
        for number in (7, 42):
            failing[number] = flowservice.add_run(flow_ids[number], "failed")
        await until(lambda: len(triggerer.events) == 2)
        looks = flowservice.count("GET /runs")
        await until(lambda: flowservice.count("GET /runs") >= looks + 5)
        await triggerer.stop()
        return triggerer.events

    began = time.monotonic()
    events = asyncio.run(act())

    assert sorted(events) == sorted(failing.items())
    looks = (time.monotonic() - began) / FAST["poll_interval"] + 1
    assert set(flowservice.summary()["requests"]) == {
        "GET /runs",
        "GET /flows",
        "POST /ims/token/v3",
    }
    assert flowservice.count("GET /runs") <= looks
    assert flowservice.count("GET /flows") <= 2


@needs_sharing
def test_a_restarted_triggerer_misses_nothing_and_repeats_nothing(flowservice):
    flow_id = flowservice.add_flow("Orders")
    store = StateStore()
    runs = [flowservice.add_run(flow_id, "failed")]  # no news

    async def session(fail_before, fail_during):
        triggerer = Triggerer()
        runs.extend(flowservice.add_run(flow_id, "failed") for _ in range(fail_before))
        writes = store.writes
        triggerer.start(DataflowRunEventTrigger(flow_id=flow_id, **FAST), store, 1)
        await until(lambda: store.writes > writes)
        runs.extend(flowservice.add_run(flow_id, "failed") for _ in range(fail_during))
        await until(lambda: len(triggerer.events) == fail_before + fail_during)
        await until(lambda: next(iter(store.values.values())).keys() == set(runs))
        await triggerer.stop()
        return {run_id for _, run_id in triggerer.events}

    assert asyncio.run(session(0, 2)) == set(runs[1:3])
    assert asyncio.run(session(1, 0)) == set(runs[3:4])
    assert asyncio.run(session(2, 1)) == set(runs[4:7])


@needs_sharing
def test_an_event_that_did_not_reach_the_database_is_repeated(flowservice):
    flow_id = flowservice.add_flow("Orders")
    store = StateStore()

    async def session(stores):
        triggerer = Triggerer(stores)
        triggerer.start(DataflowRunEventTrigger(**FAST), store, 1)
        await until(lambda: store.writes > 0)
        if not stores:
            flowservice.add_run(flow_id, "failed", run_id="r1")
        await until(lambda: len(triggerer.events) == 1)
        looks = flowservice.count("GET /runs")
        await until(lambda: flowservice.count("GET /runs") > looks + 3)
        await triggerer.stop()
        return triggerer.events

    assert asyncio.run(session(stores=False)) == [(1, "r1")]
    assert asyncio.run(session(stores=True)) == [(1, "r1")]
    assert next(iter(store.values.values())).keys() == {"r1"}


@needs_sharing
def test_a_store_in_trouble_does_not_end_the_watch(flowservice, caplog):
    flow_id = flowservice.add_flow("Orders")

    class Broken(StateStore):
        async def aset(self, key, value):
            if self.writes == 0:
                self.writes += 1
                raise OSError("no database")
            await super().aset(key, value)

    async def act():
        triggerer, store = Triggerer(), Broken()
        triggerer.start(DataflowRunEventTrigger(**FAST), store, 1)
        await until(lambda: store.writes > 1)
        flowservice.add_run(flow_id, "failed")
        await until(lambda: triggerer.events)
        await until(lambda: any(store.values.values()))
        await triggerer.stop()

    asyncio.run(act())

    assert "Cannot store which dataflow runs have been reported" in caplog.text


@needs_sharing
def test_quiet_watchers_write_nothing(flowservice):
    flowservice.add_run(flowservice.add_flow("Orders"), "failed")
    store = StateStore()

    async def act():
        triggerer = Triggerer()
        triggerer.start(DataflowRunEventTrigger(**FAST), store, 1)
        await until(lambda: flowservice.count("GET /runs") > 10)
        await triggerer.stop()

    asyncio.run(act())

    assert store.writes == 1


@needs_sharing
def test_watchers_of_one_asset_keep_apart_what_they_have_reported(flowservice):
    store = StateStore()

    async def act():
        triggerer = Triggerer()
        make = partial(DataflowRunEventTrigger, **FAST)
        triggerer.start(make(flow_name="orders*"), store, 1)
        triggerer.start(make(flow_name="loyalty*"), store, 2)
        await until(lambda: store.writes == 2)
        await triggerer.stop()

    asyncio.run(act())

    assert len(store.values) == 2
