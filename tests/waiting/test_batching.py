"""RunLoader shared by many waits: what they cost, and that each wait learns of its own run."""

from __future__ import annotations

import asyncio
import json
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_flowservice._compat import AirflowException
from airflow_provider_flowservice._waiting.batching import (
    PARALLEL,
    RunLoader,
    shared_loader,
    slot_of,
)
from airflow_provider_flowservice._waiting.fetching import Backoff
from airflow_provider_flowservice._waiting.rules import WaitRules
from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.exceptions import FlowServiceApiError, FlowServiceConnectionError
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator
from airflow_provider_flowservice.sensors.flowservice import DataflowRunSensor, DataflowSensor
from airflow_provider_flowservice.triggers.flowservice import DataflowRunTrigger
from helpers import virtual_time
from helpers.crowd import Crowd
from helpers.support import both_ways, run_to_the_end


@pytest.fixture
def add_runs(flowservice):
    """Return a function that adds runs of one flow."""
    flow_id = flowservice.add_flow()
    return lambda number, status="inProgress": [
        flowservice.add_run(flow_id, status) for _ in range(number)
    ]


def trigger(run_id, **kwargs):
    return DataflowRunTrigger(run_id, **{"hook_params": {"retries": 0}, **kwargs})


async def wait_for(waiting):
    async for event in waiting.run():
        return event.payload
    return None


async def start(waits, over=0.0):
    """Start waits, spread over some seconds."""
    tasks = []
    for waiting in waits:
        tasks.append(asyncio.create_task(wait_for(waiting)))
        await asyncio.sleep(over / len(waits))
    return tasks


async def all_events(waits):
    return await asyncio.gather(*await start(waits), return_exceptions=True)


# When


@given(
    now=st.floats(0, 1e6),
    delay=st.floats(0, 1e4),
    interval=st.floats(0, 1e4),
    phase=st.floats(0, 60),
)
def test_a_look_is_never_much_earlier_or_later_than_asked_for(now, delay, interval, phase):
    due = slot_of(now, delay, interval, phase)

    slack = min(30, interval / 2)
    assert min(delay / 2, delay - slack) - 0.01 <= due - now <= delay + max(slack, 5) + 0.01


@given(beats=st.integers(0, 1000), late=st.floats(0, 2), phase=st.floats(0, 60))
@pytest.mark.parametrize("interval", [5, 7, 30, 60, 120, 300])
def test_looks_on_the_beat_stay_on_it(beats, late, phase, interval):
    on_beat = phase + beats * min(interval, 60)

    following = slot_of(on_beat + late * interval / 60, interval, interval, phase)

    assert following == pytest.approx(on_beat + interval)


def test_looks_of_different_intervals_meet():
    assert slot_of(100, 30, 30, 0) == slot_of(107, 20, 60, 0) == 120


# What it costs


@pytest.mark.once
@pytest.mark.parametrize("over", [0, 60], ids=["at once", "over a minute"])
def test_a_thousand_waits_of_ten_minutes_cost_few_requests(flowservice, add_runs, over):
    random.seed(over)  # the phase, so that the count is the same each time
    run_ids = add_runs(1000)

    async def ten_minutes():
        await start([trigger(run_id) for run_id in run_ids], over)
        await asyncio.sleep(600 - over)

    virtual_time.run(ten_minutes())

    assert 100 <= flowservice.count(method="GET") <= 150
    assert flowservice.summary()["token_requests"] == 1


def test_two_waits_for_one_run_share_its_looks(flowservice, add_runs):
    (run_id,) = add_runs(1)
    flowservice.script(run_id, ["inProgress", "success"])

    events = virtual_time.run(all_events([trigger(run_id), trigger(run_id)]))

    assert [event["kind"] for event in events] == ["ended", "ended"]
    assert flowservice.count(method="GET") == 2


def test_no_more_requests_at_a_time_than_a_service_bears(flowservice, add_runs):
    run_ids = add_runs(1000, "success")
    crowd = Crowd(PARALLEL, 0.05)
    flowservice.on_request(lambda seen: crowd.work() if seen.method == "GET" else None)

    virtual_time.run(all_events([trigger(run_id) for run_id in run_ids]))

    assert max(crowd.sizes) == PARALLEL == 2
    assert flowservice.count(method="GET") == len(crowd.sizes) == 10


# Each wait learns of its own run


def test_each_wait_learns_of_its_own_run(flowservice, add_runs):
    good, bad = add_runs(130, "success"), add_runs(130, "failed")

    events = virtual_time.run(all_events([trigger(run_id) for run_id in good + bad]))

    assert [event["run_id"] for event in events] == good + bad
    assert [event["run"]["status"] for event in events] == ["success"] * 130 + ["failed"] * 130


def test_a_run_missing_among_others_is_looked_at_by_itself(flowservice, add_runs):
    run_ids = add_runs(20, "success")
    waits = [trigger(run_id, missing_grace=0) for run_id in [*run_ids, "no-such-run"]]

    events = virtual_time.run(all_events(waits))

    assert [event["kind"] for event in events] == ["ended"] * 20 + ["missing"]
    assert flowservice.count("GET /runs") == 1
    assert flowservice.count("GET /runs/{id}") == 1


@pytest.mark.once
@pytest.mark.parametrize("honoured", [False, "first"])
def test_a_service_without_the_filter_is_asked_for_each_run(
    flowservice, add_runs, logged, honoured
):
    flowservice.honour_id_filter = honoured
    run_ids = add_runs(150)
    for run_id in run_ids:
        flowservice.script(run_id, ["inProgress"] * 3 + ["success"])

    events = virtual_time.run(all_events([trigger(run_id) for run_id in run_ids]))

    assert {event["run"]["status"] for event in events} == {"success"}
    assert flowservice.count("GET /runs") <= 2  # not asked in vain again and again
    assert logged().count("requests at most 1 at a time") == 1


def test_a_run_the_service_rejects_fails_its_own_wait_only(flowservice, add_runs):
    run_ids = add_runs(3, "success")
    flowservice.fail(Fault("GET /runs$", status=400, body={"message": "bad id"}))
    flowservice.fail(Fault("GET /runs/odd", status=400, body={"message": "bad id"}, times=None))

    events = virtual_time.run(all_events([trigger(run_id) for run_id in [*run_ids, "odd"]]))

    assert [event["kind"] for event in events] == ["ended"] * 3 + ["error"]
    assert events[-1]["error"]["http_status"] == 400


def test_an_odd_run_among_others_does_not_hide_them(flowservice, add_runs):
    odd = flowservice.add_run(flowservice.flow_ids[0], "success", run_id="odd", id=...)
    waits = [trigger(run_id, outage_timeout=0) for run_id in [odd, *add_runs(30, "success")]]

    odd_event, *events = virtual_time.run(all_events(waits))

    assert odd_event["kind"] == "lost"
    assert {event["kind"] for event in events} == {"ended"}


def test_a_service_that_talks_nonsense_is_not_asked_for_each_run(flowservice, add_runs):
    flowservice.fail(Fault("GET /runs", status=200, body="<html>Welcome!</html>", times=None))
    waits = [trigger(run_id, outage_timeout=0) for run_id in add_runs(500)]

    events = virtual_time.run(all_events(waits))

    assert {event["kind"] for event in events} == {"lost"}
    assert flowservice.count(method="GET") <= 2 * 4


def test_what_is_wrong_with_the_connection_ends_each_wait(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_EMPTY", json.dumps({"conn_type": "flowservice"}))
    waits = [trigger(run_id, flowservice_conn_id="empty") for run_id in ("r1", "r2")]

    events = virtual_time.run(all_events(waits))

    assert [event["kind"] for event in events] == ["error", "error"]
    assert [event["detail"].count("Client ID (login) is empty") for event in events] == [1, 1]


# Trouble


def test_a_throttle_slows_all_waits_together(flowservice, add_runs):
    run_ids = add_runs(500)
    throttle = Fault("GET /runs", status=429, headers={"Retry-After": "90"}, times=1, after=5)
    flowservice.fail(throttle)

    async def two_minutes():
        loop = asyncio.get_running_loop()
        at = []
        flowservice.on_request(lambda seen: at.append((loop.time(), seen.status)))
        await start([trigger(run_id) for run_id in run_ids])
        await asyncio.sleep(180)
        return [moment for moment in at if moment[1] in (200, 429)]

    seen = virtual_time.run(two_minutes())

    (throttled_at,) = (at for at, status in seen if status == 429)
    later = [at for at, _ in seen if at > throttled_at]
    assert later
    assert min(later) >= throttled_at + 90


def test_a_wish_for_a_very_long_pause_is_cut_short(flowservice, add_runs):
    run_ids = add_runs(2, "success")
    flowservice.fail(Fault("GET /runs", status=429, headers={"Retry-After": "86400"}))

    async def until_the_end():
        began_at = asyncio.get_running_loop().time()
        await all_events([trigger(run_id, outage_timeout=600) for run_id in run_ids])
        return asyncio.get_running_loop().time() - began_at

    assert 295 <= virtual_time.run(until_the_end()) <= 400


def test_one_request_tells_all_waits_that_the_service_is_away(flowservice, add_runs):
    run_ids = add_runs(1000)
    flowservice.fail(Fault("GET /runs", status=503, times=None))

    events = virtual_time.run(all_events([trigger(run_id, outage_timeout=0) for run_id in run_ids]))

    assert {event["kind"] for event in events} == {"lost"}
    assert flowservice.count(method="GET") <= 2


def test_trouble_of_a_moment_is_no_news_for_waits(flowservice, add_runs, logged):
    run_ids = add_runs(150, "success")
    flowservice.fail(Fault("GET /runs", status=503, times=2))

    waits = [trigger(run_id, hook_params=None) for run_id in run_ids]
    events = virtual_time.run(all_events(waits))

    assert {event["kind"] for event in events} == {"ended"}
    assert "Contact with the service lost" not in logged()


def test_a_new_credential_in_the_connection_is_taken(flowservice, add_runs, monkeypatch):
    (run_id,) = add_runs(1)

    async def rotate_in_mid_wait():
        (waiting,) = await start([trigger(run_id)])
        await asyncio.sleep(100)
        flowservice.client_secret = "another-secret"
        flowservice.revoke_tokens()
        monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", flowservice.connection_json)
        flowservice.script(run_id, ["inProgress", "success"])
        return await waiting

    assert virtual_time.run(rotate_in_mid_wait())["kind"] == "ended"


def test_a_new_credential_that_is_refused_too_ends_the_wait(flowservice, add_runs, monkeypatch):
    (run_id,) = add_runs(1)

    async def rotate_in_mid_wait():
        (waiting,) = await start([trigger(run_id, hook_params=None)])
        await asyncio.sleep(100)
        wrong = flowservice.connection_json.replace(flowservice.client_secret, "wrong-secret")
        monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", wrong)
        flowservice.client_secret = "another-secret"
        flowservice.revoke_tokens()
        # The first request of the next poll meets an error that passes, so it is sent again.
        flowservice.fail(Fault("GET /runs", status=503))
        return await waiting

    event = virtual_time.run(rotate_in_mid_wait())

    assert event["kind"] == "refused"
    assert event["run"]["status"] == "inProgress"


def test_a_connection_that_cannot_be_read_again_stays_as_it_was(
    flowservice, add_runs, monkeypatch, logged
):
    (run_id,) = add_runs(1)

    async def lose_the_connection():
        (waiting,) = await start([trigger(run_id)])
        await asyncio.sleep(100)
        monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", '{"conn_type": "flowservice"}')
        flowservice.script(run_id, ["inProgress", "success"])
        return await waiting

    assert virtual_time.run(lose_the_connection())["kind"] == "ended"
    assert "cannot read the connection again" in logged()


def test_a_look_that_is_never_answered_ends_with_the_wait():
    class Silence:
        max_batch_size = 100

        def __init__(self):
            self.backoff = Backoff()

        async def fetch(self, run_ids):
            await asyncio.sleep(1e6)

        def close(self):
            pass

    async def look():
        loader = RunLoader(Silence(), on_unused=lambda: None)
        loader.waits = 1
        began_at = asyncio.get_running_loop().time()
        seen = await loader.load("r1", 60, WaitRules(deadline=time.time() + 90))
        loader.release()
        return seen, asyncio.get_running_loop().time() - began_at

    seen, seconds = virtual_time.run(look())

    assert isinstance(seen, FlowServiceConnectionError)
    assert 85 <= seconds <= 100


# What is counted


def test_airflows_metrics_tell_what_waiting_costs(flowservice, add_runs, metrics):
    run_ids = add_runs(150)
    for run_id in run_ids:
        flowservice.script(run_id, ["inProgress", "success"])
    flowservice.fail(Fault("GET /runs", status=429, after=2))
    flowservice.fail(Fault("GET /runs", status=503, after=2))

    waits = [trigger(run_id, hook_params=None) for run_id in run_ids]
    virtual_time.run(all_events(waits))

    assert metrics["flowservice.polls"] == flowservice.count(method="GET")
    assert metrics["flowservice.polled_runs"] >= 2 * 150
    assert metrics["flowservice.throttles"] == 1
    assert metrics["flowservice.poll_errors"] == 1
    assert metrics["flowservice.wait"] > 0


def test_a_wait_in_a_worker_is_counted_alike(flowservice, add_runs, metrics):
    (run_id,) = add_runs(1, "success")

    run_to_the_end(DataflowRunSensor(task_id="wait", run_id=run_id))

    assert metrics["flowservice.polls"] == metrics["flowservice.polled_runs"] == 1
    assert metrics["flowservice.wait"] > 0


@both_ways
def test_a_wait_for_a_flow_is_counted_alike(flowservice, metrics, deferrable):
    flow_id = flowservice.add_flow()
    flowservice.add_run(flow_id, "success")

    run_to_the_end(
        DataflowSensor(
            task_id="wait", flow_id=flow_id, completed_after="2020-01-01", deferrable=deferrable
        )
    )

    assert metrics["flowservice.polls"] == flowservice.count("GET /runs") == 1
    assert metrics["flowservice.wait"] > 0


@pytest.mark.parametrize("mode", [{"deferrable": True}, {}], ids=["deferred", "poke"])
def test_a_wait_that_ends_in_an_error_is_counted_alike(flowservice, add_runs, metrics, mode):
    (run_id,) = add_runs(1)
    flowservice.fail(Fault("GET /runs", status=400, body={"message": "no"}, times=None))

    # A trigger's error reaches the task in one of Airflow's own.
    with pytest.raises(AirflowException, match="HTTP 400"):
        run_to_the_end(DataflowRunSensor(task_id="wait", run_id=run_id, **mode))

    assert metrics["flowservice.wait"] > 0


def test_a_rejected_poll_of_the_operator_is_counted_alike(flowservice, failed_run, metrics):
    rejected = Fault("GET /runs", status=400, body={"message": "no"}, after=2, times=None)
    flowservice.fail(rejected)
    task = RetriggerDataflowRunOperator(task_id="retrigger", run_id=failed_run, poll_interval=0.01)

    with pytest.raises(FlowServiceApiError, match="HTTP 400"):
        run_to_the_end(task)

    assert metrics["flowservice.wait"] > 0


# Nothing is left behind


def looks_of_all():
    """Return the looks that triggers share, as one more wait would get them."""
    loader = shared_loader("flowservice_default", {"retries": 0}, FlowServiceHook)
    loader.release()
    return loader


def test_cancelled_waits_leave_nothing_behind(flowservice, add_runs):
    run_ids = add_runs(300)

    async def cancel_all():
        loop = asyncio.get_running_loop()
        tasks = await start([trigger(run_id, deadline=2e9) for run_id in run_ids])
        await asyncio.sleep(100)
        shared = looks_of_all()
        assert shared.waits == 300
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
        timers = [timer for timer in loop._scheduled if not timer.cancelled()]
        return shared, looks_of_all(), timers, asyncio.all_tasks() - {asyncio.current_task()}

    shared, new, timers, tasks = virtual_time.run(cancel_all())

    assert shared.waits == 0
    assert new is not shared
    assert timers == []
    assert tasks == set()


def test_a_cancelled_wait_costs_no_further_look(flowservice, add_runs):
    first, second = add_runs(2)

    async def cancel_one():
        staying, leaving = await start([trigger(first), trigger(second)])
        await asyncio.sleep(100)
        leaving.cancel()
        await asyncio.sleep(1)
        flowservice.clear_requests()
        flowservice.script(first, ["success"])
        return await staying

    assert virtual_time.run(cancel_one())["kind"] == "ended"
    assert flowservice.count("GET /runs/{id}") == 1
    assert flowservice.count(method="GET") == 1


# All of it


@pytest.mark.once
def test_ten_thousand_waits_live_through_an_outage_and_throttles(flowservice, add_runs):
    run_ids = add_runs(10_000)

    async def a_bad_night():
        params = {"poll_interval": 300, "hook_params": None}
        tasks = await start([trigger(run_id, **params) for run_id in run_ids], over=3)
        await asyncio.sleep(7)
        flowservice.stop()
        await asyncio.sleep(900)
        flowservice.start()
        throttle = Fault("GET /runs", status=429, headers={"Retry-After": "20"}, times=30)
        flowservice.fail(throttle)
        for run_id in run_ids:
            flowservice.script(run_id, ["success"])
        return await asyncio.gather(*tasks)

    events = virtual_time.run(a_bad_night())

    assert [event["run_id"] for event in events] == run_ids
    assert {event["run"]["status"] for event in events} == {"success"}
    assert flowservice.summary()["token_requests"] == 1
