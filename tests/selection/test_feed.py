"""RunFeed and Watch against the emulator, with a clock of the test's own."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice._selection.feed import RunFeed, Watch
from airflow_provider_flowservice._selection.filters import FlowChoice
from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.exceptions import FlowServiceError
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from helpers.fake_clock import FakeClock

HOUR = 3600
FAILED = frozenset({"failed"})


@pytest.fixture
def clock(flowservice):
    flowservice.clock = FakeClock()
    return flowservice.clock


@pytest.fixture
def feed(clock):
    return RunFeed(lambda: FlowServiceHook(retries=0), 24 * HOUR, clock)


@pytest.fixture
def flow_id(flowservice):
    return flowservice.add_flow("Orders")


def watch(clock, seen=None, **choice):
    choice = {"flow_id": None, "flow_name": None, "all_kinds": False, **choice}
    return Watch(FlowChoice.of(**choice), FAILED, clock.now, seen)


def told(watch, look):
    return [ended_run.run.run_id for ended_run in watch.take(look)]


def test_a_run_that_fails_is_told_once(flowservice, feed, clock, flow_id):
    run_id = flowservice.add_run(flow_id, "inProgress")
    watcher = watch(clock)

    assert told(watcher, feed.poll()) == []
    flowservice.script(run_id, ["failed"])
    clock.sleep(60)
    assert told(watcher, feed.poll()) == [run_id]
    clock.sleep(60)
    assert told(watcher, feed.poll()) == []


def test_the_end_of_a_long_run_is_noticed(flowservice, feed, clock, flow_id):
    run_id = flowservice.add_run(flow_id, "inProgress")
    watcher = watch(clock)
    told(watcher, feed.poll())

    clock.sleep(5 * HOUR)
    told(watcher, feed.poll())
    flowservice.script(run_id, ["failed"])
    clock.sleep(60)

    assert told(watcher, feed.poll()) == [run_id]


def test_what_had_failed_before_a_watch_began_is_no_news_to_it(flowservice, feed, clock, flow_id):
    flowservice.add_run(flow_id, "failed")
    clock.sleep(1)

    watcher = watch(clock)

    assert told(watcher, feed.poll()) == []


def test_a_watch_that_joins_late_is_told_what_failed_since_it_began(
    flowservice, feed, clock, flow_id
):
    feed.poll()
    clock.sleep(30)
    watcher = watch(clock)
    run_id = flowservice.add_run(flow_id, "failed")
    clock.sleep(30)
    feed.poll()  # not its own yet
    clock.sleep(60)

    assert told(watcher, feed.poll()) == [run_id]


def test_a_watch_that_is_taken_up_again_is_told_what_it_missed(flowservice, feed, clock, flow_id):
    known = flowservice.add_run(flow_id, "failed")
    missed = flowservice.add_run(flow_id, "failed")
    clock.sleep(2 * HOUR)

    watcher = watch(clock, seen={known: flowservice.now_ms()})

    assert told(watcher, feed.poll()) == [missed]


def test_a_run_that_is_listed_late_is_not_missed(flowservice, feed, clock, flow_id):
    watcher = watch(clock)
    told(watcher, feed.poll())
    created_at = flowservice.now_ms() - 120_000
    clock.sleep(60)
    run_id = flowservice.add_run(flow_id, "failed", created_at=created_at)

    assert told(watcher, feed.poll()) == [run_id]


def test_an_outage_loses_nothing(flowservice, feed, clock, flow_id):
    watcher = watch(clock)
    told(watcher, feed.poll())
    early = flowservice.add_run(flow_id, "failed")
    flowservice.fail(Fault("GET /runs", status=503, times=2))
    for _ in range(2):
        clock.sleep(HOUR)
        with pytest.raises(FlowServiceError):
            feed.poll()
    late = flowservice.add_run(flow_id, "failed")
    clock.sleep(60)

    assert told(watcher, feed.poll()) == [early, late]


def test_each_watch_is_told_of_its_own_flows(flowservice, feed, clock, flow_id):
    other, crm = flowservice.add_flow("Loyalty"), flowservice.add_flow("CRM", source=False)
    feed.poll()
    watches = {
        "all sources": watch(clock),
        "a name": watch(clock, flow_name="ord*"),
        "IDs": watch(clock, flow_id=[crm]),
        "all kinds": watch(clock, all_kinds=True),
    }
    runs = [flowservice.add_run(flow, "failed") for flow in (flow_id, other, crm)]
    clock.sleep(60)
    look = feed.poll()

    assert {name: set(told(each, look)) for name, each in watches.items()} == {
        "all sources": set(runs[:2]),
        "a name": set(runs[:1]),
        "IDs": set(runs[2:]),
        "all kinds": set(runs),
    }


def test_a_flow_made_later_is_learned(flowservice, feed, clock, flow_id):
    flowservice.add_run(flow_id, "success")
    watcher = watch(clock, flow_name="new*")
    told(watcher, feed.poll())
    run_id = flowservice.add_run(flowservice.add_flow("New flow"), "failed")
    clock.sleep(60)

    assert told(watcher, feed.poll()) == [run_id]
    assert flowservice.count("GET /flows") == 2


def test_a_name_that_no_flow_has_is_a_warning_once(flowservice, feed, clock, flow_id, caplog):
    watcher = watch(clock, flow_name="ordres*")

    for _ in range(3):
        told(watcher, feed.poll())
        clock.sleep(60)

    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "flow_name='ordres*' matches no flow of the sandbox" in warning.getMessage()
    assert "'Orders'" in warning.getMessage()
    assert flowservice.count("GET /flows") == 1


def test_a_name_that_a_flow_has_is_no_warning(flowservice, feed, clock, flow_id, caplog):
    told(watch(clock, flow_name="orders"), feed.poll())
    told(watch(clock, flow_id="made-later"), feed.poll())
    told(watch(clock), feed.poll())

    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_a_quiet_look_is_one_request(flowservice, feed, clock, flow_id):
    for _ in range(50):
        flowservice.add_run(flow_id, "success")
    feed.poll()
    flowservice.clear_requests()
    for _ in range(10):
        clock.sleep(60)
        feed.poll()

    assert flowservice.summary()["requests"] == {"GET /runs": 10}


def test_a_hundred_long_runs_cost_one_request_more(flowservice, feed, clock, flow_id):
    for _ in range(100):
        flowservice.add_run(flow_id, "inProgress")
    feed.poll()
    clock.sleep(HOUR)
    feed.poll()
    clock.sleep(60)
    flowservice.clear_requests()
    feed.poll()

    assert flowservice.summary()["requests"] == {"GET /runs": 2}


@pytest.mark.parametrize("honour_id_filter", [False, "first"])
def test_a_service_that_does_not_filter_by_ids_is_asked_otherwise(
    flowservice, feed, clock, flow_id, honour_id_filter
):
    flowservice.honour_id_filter = honour_id_filter
    run_ids = [flowservice.add_run(flow_id, "inProgress") for _ in range(3)]
    watcher = watch(clock)
    told(watcher, feed.poll())
    for run_id in run_ids:
        flowservice.script(run_id, ["failed"])
    clock.sleep(HOUR)

    assert sorted(told(watcher, feed.poll())) == sorted(run_ids)


def test_a_run_that_does_not_end_is_given_up(flowservice, feed, clock, flow_id, caplog):
    run_id = flowservice.add_run(flow_id, "inProgress")
    feed.poll()
    clock.sleep(25 * HOUR)
    feed.poll()
    flowservice.clear_requests()
    feed.poll()

    assert f"{run_id} has not ended" in caplog.text
    assert flowservice.summary()["requests"] == {"GET /runs": 1}


def test_what_a_watch_keeps_does_not_grow_for_ever(flowservice, feed, clock, flow_id):
    watcher = watch(clock)
    assert told(watcher, feed.poll()) == []
    assert watcher.unstored() == {}
    for _ in range(100):
        clock.sleep(HOUR)
        flowservice.add_run(flow_id, "failed")
        told(watcher, feed.poll())

    assert 24 <= len(watcher.unstored()) <= 26


def test_what_is_kept_is_not_kept_again(flowservice, feed, clock, flow_id):
    watcher = watch(clock)
    told(watcher, feed.poll())
    first = watcher.unstored()
    flowservice.add_run(flow_id, "failed")
    told(watcher, feed.poll())
    watcher.mark_stored(first)
    second = watcher.unstored()
    watcher.mark_stored(second)

    assert (first, len(second)) == ({}, 1)
    assert watcher.unstored() is None
