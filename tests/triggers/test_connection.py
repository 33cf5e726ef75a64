"""Triggers whose Airflow cannot return the connection, as while its database is away."""

from __future__ import annotations

import asyncio
import json

import pytest
from airflow.exceptions import AirflowException, AirflowNotFoundException

from airflow_provider_flowservice._compat import BaseHook
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.triggers.flowservice import DataflowRunTrigger, DataflowTrigger
from helpers import virtual_time
from helpers.support import fire


@pytest.fixture(params=["run", "flow"])
def make_trigger(request, flowservice):
    """Return a function that makes a trigger which waits for what is there already."""
    flow_id = flowservice.add_flow()
    run_id = flowservice.add_run(flow_id, "success")

    def make(**arguments):
        if request.param == "run":
            return DataflowRunTrigger(run_id, **arguments)
        return DataflowTrigger(flow_id, 0, **arguments)

    return make


def test_a_connection_that_appears_late_is_waited_for(
    flowservice, make_trigger, monkeypatch, logged
):
    FlowServiceHook().get_conn()
    logged()  # what Airflow says when it masks its first secret

    async def define_it_later():
        wait = asyncio.create_task(
            anext(aiter(make_trigger(flowservice_conn_id="later", poll_interval=30).run()))
        )
        await asyncio.sleep(100)
        assert not wait.done()
        monkeypatch.setenv("AIRFLOW_CONN_LATER", flowservice.connection_json)
        return (await wait).payload

    event = virtual_time.run(define_it_later())

    assert event["kind"] == "ended"
    assert (log := logged()).count("Contact with the service lost") == 1
    assert "Airflow connection 'later' cannot be read" in log
    assert log.count("Contact with the service restored") == 1


@pytest.mark.parametrize(
    "error",
    [
        AirflowNotFoundException("The conn_id isn't defined"),
        AirflowException("The API server is away"),
        RuntimeError("API_SERVER_ERROR"),
        OSError("The database is away"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_airflow_says_of_a_connection_is_sat_out(make_trigger, monkeypatch, error):
    get_connection, errors = BaseHook.get_connection, [error] * 3

    def away_at_first(conn_id):
        if errors:
            raise errors.pop()
        return get_connection(conn_id)

    monkeypatch.setattr(BaseHook, "get_connection", staticmethod(away_at_first))

    event = fire(make_trigger())

    assert (event["kind"], errors) == ("ended", [])


def test_a_connection_that_never_appears_is_lost_contact(make_trigger):
    event = fire(make_trigger(flowservice_conn_id="nowhere", outage_timeout=0))

    assert event["kind"] == "lost"
    assert "Airflow connection 'nowhere' cannot be read" in event["detail"]


def test_a_connection_that_is_not_complete_ends_the_wait(make_trigger, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_EMPTY", json.dumps({"conn_type": "flowservice"}))

    event = fire(make_trigger(flowservice_conn_id="empty"))

    assert event["kind"] == "error"
    assert "Client ID (login) is empty" in event["error"]["message"]
