"""FlowServiceHook.start_run, and the switch of a flow: what is sent, and what the service's answers mean."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from jsonschema import Draft202012Validator

from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.exceptions import (
    DataflowNotStartableError,
    FlowServiceAnswerError,
    FlowServiceApiError,
    FlowServiceAuthError,
    FlowServiceConnectionError,
    FlowServiceNotFoundError,
)
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook, may_have_started_a_run
from emulator import shapes

STARTS = "POST /runs$"
DAY = {"window_start": "2026-11-01", "window_end": datetime(2026, 11, 2, tzinfo=timezone.utc)}


@pytest.fixture
def hook(flowservice):
    return FlowServiceHook(backoff=0)


@pytest.fixture
def flow_id(flowservice):
    return flowservice.add_flow(frequency="once")


@pytest.fixture
def bodies(hook):
    """The bodies of the requests that are sent, as JSON."""
    sent = []
    client = hook.get_conn()
    send = client._http.send

    def watch(method, url, **arguments):
        if method == "POST" and url.endswith("/runs"):
            sent.append(json.loads(json.dumps(arguments["body"])))
        return send(method, url, **arguments)

    client._http.send = watch
    return sent


@pytest.mark.parametrize("answer", ["items", "id_etag", "full_run", "200"])
def test_returns_the_run_whatever_the_answer_looks_like(flowservice, hook, flow_id, answer):
    flowservice.start_answer = answer

    started = hook.start_run(flow_id, **DAY)

    assert flowservice.starts == [(flow_id, started.run_id)]
    assert started.etag == flowservice.run(started.run_id)["etag"]


@pytest.mark.parametrize("answer", ["no_id", "empty"])
def test_an_answer_without_a_run_is_no_success(flowservice, hook, flow_id, answer):
    flowservice.start_answer = answer

    with pytest.raises(FlowServiceAnswerError) as caught:
        hook.start_run(flow_id, **DAY)

    assert may_have_started_a_run(caught.value)
    assert len(flowservice.starts) == 1


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ({}, {}),
        (DAY, {"windowStartTime": 1793491200, "windowEndTime": 1793577600}),
        ({"start_time": "2050-01-01"}, {"startTime": 2524608000}),
        ({"delta_column": "updated_at"}, {"deltaColumn": {"name": "updated_at"}}),
        (
            {"delta_column": {"name": "at", "dateFormat": "YYYY-MM-DD", "timezone": "UTC"}},
            {"deltaColumn": {"name": "at", "dateFormat": "YYYY-MM-DD", "timezone": "UTC"}},
        ),
    ],
    ids=["nothing", "a window", "a time", "a column", "a column with its format"],
)
def test_the_request_has_the_published_shape(hook, flow_id, bodies, arguments, asked):
    hook._now = lambda: 2_000_000_000.1

    hook.start_run(flow_id, **arguments)

    (body,) = bodies
    assert body == {"flowId": flow_id, "params": {"startTime": 2_000_000_001, **asked}}
    assert not list(Draft202012Validator(shapes.START_REQUEST).iter_errors(body))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"flow_id": "a b"}, "flow_id is 'a b', and must be an ID"),
        ({"window_start": "2026-11-01"}, "go together"),
        ({"window_end": "2026-11-01"}, "go together"),
        ({"window_start": "2026-11-02", "window_end": "2026-11-01"}, "after window_start"),
        ({"window_start": "2026-11-02", "window_end": "2026-11-02"}, "after window_start"),
        ({"window_start": "soon", "window_end": "2026-11-02"}, "window_start is 'soon'"),
        ({"start_time": "2026-11-01"}, "start_time is '2026-11-01', which has passed"),
        ({"delta_column": {}}, "delta_column is {}, and must be"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    flowservice, hook, flow_id, arguments, words
):
    with pytest.raises(ValueError, match=words):
        hook.start_run(**{"flow_id": flow_id, **arguments})

    assert flowservice.requests == []


WRONG = {
    "1381-400": "window_end is before window_start",
    "1382-400": "keeps the delta column of its first run",
    "1383-400": "needs a delta_column",
    "1384-400": "parameters of the run are not valid",
}
OF_THE_FLOW = {
    "1385-400": "only batch sources",
    "1386-400": "scheduled once",
    "1388-400": "not enabled",
}
REFUSALS = {**WRONG, **OF_THE_FLOW}


def error_for(code):
    return DataflowNotStartableError if code in OF_THE_FLOW else FlowServiceApiError


@pytest.mark.parametrize("code", REFUSALS)
@pytest.mark.parametrize("is_wrapped", [False, True], ids=["alone", "wrapped"])
def test_a_refusal_is_explained(flowservice, hook, flow_id, code, is_wrapped):
    number = f"FLOW-1100-400: Error from flow provider: {code}" if is_wrapped else code
    body = {"title": "Invalid request", "report": {"detailed-message": f"{number} it says"}}
    flowservice.fail(Fault(STARTS, status=400, body=body))

    with pytest.raises(error_for(code), match=f"{flow_id} is refused: .*{REFUSALS[code]}"):
        hook.start_run(flow_id, **DAY)

    assert flowservice.count("POST /runs") == 1


PLAYED = {
    "1382-400": (dict(delta_column="updated_at"), dict(delta_column="created_at")),
    "1383-400": (dict(delta_column=""), {}),
    "1385-400": (dict(batch=False), {}),
    "1386-400": (dict(frequency="hour"), {}),
    "1388-400": (dict(state="disabled"), {}),
}


@pytest.mark.parametrize("code", PLAYED)
def test_a_refusal_of_the_emulator_is_explained(flowservice, hook, code):
    flow, arguments = PLAYED[code]
    flow_id = flowservice.add_flow(**{"frequency": "once", **flow})

    with pytest.raises(error_for(code), match=f"{REFUSALS[code]}.*{code}"):
        hook.start_run(flow_id, **DAY, **arguments)

    assert flowservice.starts == []


def test_a_clock_that_is_behind_that_of_the_service_by_less_than_a_minute_does_not_matter(
    flowservice, hook, flow_id
):
    hook._now = lambda: flowservice.now_ms() / 1000 - 30

    started = hook.start_run(flow_id, **DAY)

    assert flowservice.starts == [(flow_id, started.run_id)]
    assert flowservice.count("POST /runs") == 2


def test_a_clock_that_is_behind_by_more_is_named(flowservice, hook, flow_id):
    hook._now = lambda: flowservice.now_ms() / 1000 - 300

    with pytest.raises(FlowServiceApiError, match="past by the clock of the service"):
        hook.start_run(flow_id, **DAY)

    assert flowservice.starts == []


def test_a_lost_answer_is_never_asked_for_again(flowservice, hook, flow_id):
    flowservice.fail(Fault(STARTS, kind="close_after"))

    with pytest.raises(FlowServiceConnectionError) as caught:
        hook.start_run(flow_id, **DAY)

    assert may_have_started_a_run(caught.value)
    assert len(flowservice.starts) == flowservice.count("POST /runs") == 1


def test_what_certainly_started_nothing_is_asked_for_again(flowservice, hook, flow_id):
    flowservice.fail(Fault(STARTS, status=429, body=""))

    started = hook.start_run(flow_id, **DAY)

    assert flowservice.starts == [(flow_id, started.run_id)]


def test_an_unknown_flow_is_not_found(flowservice, hook):
    with pytest.raises(FlowServiceNotFoundError, match="sandbox_name"):
        hook.start_run("no-such-flow", **DAY)


# The switch of a flow


def test_a_flow_is_disabled_and_enabled(flowservice, hook, flow_id):
    hook.disable_flow(flow_id)
    assert hook.get_flow(flow_id).state == "disabled"

    hook.enable_flow(flow_id)
    assert hook.get_flow(flow_id).state == "enabled"


def test_a_disabled_flow_is_enabled_and_its_run_retriggered(flowservice, hook):
    flow_id = flowservice.add_flow(state="disabled")
    run_id = flowservice.add_run(flow_id, "failed")

    hook.enable_flow(flow_id)

    assert hook.retrigger_run(run_id).run_id


def test_a_credential_that_may_not_switch_flows_is_told_what_is_missing(flowservice, hook, flow_id):
    flowservice.forbidden = "manage"

    with pytest.raises(FlowServiceAuthError, match="Manage Sources"):
        hook.enable_flow(flow_id)


def test_another_refusal_of_the_switch_is_told_as_it_is(flowservice, hook, flow_id):
    flowservice.refuse_same_state = True

    with pytest.raises(FlowServiceApiError, match="FLOW-1422-400"):
        hook.enable_flow(flow_id)
