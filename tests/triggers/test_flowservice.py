"""DataflowRunTrigger: its row, and what it does to the event loop."""

from __future__ import annotations

import asyncio
import json

import pytest

from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.exceptions import FlowServiceApiError
from airflow_provider_flowservice.triggers.flowservice import DataflowRunTrigger
from helpers.support import fire


def test_its_row_is_json_and_makes_an_equal_trigger():
    trigger = DataflowRunTrigger("r1", "conn", 30, deadline=1e9, hook_params={"retries": 1})

    path, kwargs = trigger.serialize()

    assert path == "airflow_provider_flowservice.triggers.flowservice.DataflowRunTrigger"
    assert DataflowRunTrigger(**json.loads(json.dumps(kwargs))).serialize() == (path, kwargs)


def test_takes_rows_of_other_releases():
    trigger = DataflowRunTrigger(run_id="r1", something_of_a_later_release=True)

    assert trigger.serialize()[1]["run_id"] == "r1"


def test_its_row_holds_nothing_secret(flowservice):
    row = repr(DataflowRunTrigger("r1").serialize())

    assert flowservice.connection["password"] not in row


def test_the_event_is_the_run_in_short(flowservice):
    run_id = flowservice.add_run(flowservice.add_flow(name="orders"), status="failed")

    event = fire(DataflowRunTrigger(run_id))

    assert event["kind"] == "ended"
    assert event["run"]["status"] == "failed"
    assert set(event) == {"kind", "run_id", "run", "detail"}


def test_the_event_loop_goes_on_while_an_answer_hangs(flowservice):
    run_id = flowservice.add_run(flowservice.add_flow(name="orders"), status="success")
    flowservice.fail(Fault("GET /runs", kind="slow", delay=1))

    async def turns_of_the_loop() -> int:
        async def first_event() -> None:
            async for _ in DataflowRunTrigger(run_id).run():
                return

        wait = asyncio.create_task(first_event())
        turns = 0
        while not wait.done():
            turns += 1
            await asyncio.sleep(0.01)
        return turns

    assert asyncio.run(turns_of_the_loop()) > 20


def test_a_request_the_service_rejects_is_an_error_not_an_event(flowservice):
    flowservice.fail(Fault("GET /runs", status=400, body={"message": "no"}, times=None))

    with pytest.raises(FlowServiceApiError, match="HTTP 400"):
        fire(DataflowRunTrigger("r1"))
