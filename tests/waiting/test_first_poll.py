"""The first poll of a trigger: late enough for Airflow's scheduler to know that the task is deferred."""

from __future__ import annotations

import asyncio
import random

import pytest

from airflow_provider_flowservice._waiting.drivers import FIRST_POLL
from airflow_provider_flowservice.triggers.flowservice import DataflowRunTrigger, DataflowTrigger
from helpers import virtual_time


def wait_for_run(flow_id, run_id, **arguments):
    return DataflowRunTrigger(run_id, **arguments)


def wait_for_flow(flow_id, run_id, **arguments):
    return DataflowTrigger(flow_id, 0, **arguments)


@pytest.mark.parametrize("phase", range(5))
@pytest.mark.parametrize("interval", [0.01, 1, 5, 60])
@pytest.mark.parametrize("make", [wait_for_run, wait_for_flow])
def test_a_trigger_polls_first_after_five_seconds_at_the_earliest(
    flowservice, make, interval, phase
):
    random.seed(phase)
    flow_id = flowservice.add_flow()
    trigger = make(flow_id, flowservice.add_run(flow_id, "success"), poll_interval=interval)

    async def first_poll():
        loop = asyncio.get_running_loop()
        began_at, at = loop.time(), []
        flowservice.on_request(lambda _: at.append(loop.time()))
        event = await anext(aiter(trigger.run()))
        return event.payload["kind"], at[0] - began_at

    kind, seconds = virtual_time.run(first_poll())

    assert kind == "ended"
    assert FIRST_POLL == 5
    assert FIRST_POLL <= seconds <= 2 * FIRST_POLL


def test_a_first_poll_that_is_asked_for_later_comes_later(flowservice):
    run_id = flowservice.add_run(flowservice.add_flow(), "success")

    async def first_poll():
        began_at = asyncio.get_running_loop().time()
        await anext(aiter(DataflowRunTrigger(run_id, poll_interval=0.01, first_poll=60).run()))
        return asyncio.get_running_loop().time() - began_at

    assert virtual_time.run(first_poll()) == pytest.approx(60)
