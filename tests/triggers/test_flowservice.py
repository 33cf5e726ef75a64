"""DataflowRunTrigger: its row, and what it does to the event loop."""

from __future__ import annotations

import asyncio
import json

import pytest

from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.triggers.flowservice import DataflowRunTrigger
from helpers import virtual_time
from helpers.held_answer import HeldAnswer
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
    assert set(event) == {"kind", "run_id", "subject", "run", "detail", "error", "url"}


def test_the_event_loop_goes_on_while_an_answer_hangs(flowservice):
    run_id = flowservice.add_run(flowservice.add_flow(name="orders"), status="success")
    answer = HeldAnswer(flowservice)

    async def wait_meanwhile():
        wait = asyncio.create_task(
            anext(aiter(DataflowRunTrigger(run_id, poll_interval=0.01).run()))
        )
        went_on = await answer.let_go()
        return went_on, (await wait).payload["kind"]

    assert virtual_time.run(wait_meanwhile()) == (True, "ended")


def test_the_event_carries_what_the_service_said_of_a_request_it_rejects(flowservice):
    flowservice.fail(Fault("GET /runs", status=400, body={"message": "no"}, times=None))

    event = fire(DataflowRunTrigger("r1"))

    assert (event["kind"], event["error"]["http_status"]) == ("error", 400)
    assert "HTTP 400" in event["error"]["message"]


def test_an_argument_that_cannot_be_one_fails_the_trigger_with_a_traceback(flowservice):
    with pytest.raises(ValueError, match="None"):
        fire(DataflowRunTrigger("None"))
