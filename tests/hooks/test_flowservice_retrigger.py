"""FlowServiceHook.retrigger_run: the new run or a clear no, and never a second request by accident."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.exceptions import (
    DataflowRunNotRetriggerableError,
    FlowServiceAnswerError,
    FlowServiceApiError,
    FlowServiceAuthError,
    FlowServiceConnectionError,
    FlowServiceNotFoundError,
    FlowServiceThrottledError,
    FlowServiceUnavailableError,
)
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook, may_have_started_a_run

ACTION = "POST /runs/{id}/action"
ON_ACTION = "POST /runs/.*/action"


def flow_error(code, text=""):
    """Return an error of the Flow Service, as it writes it."""
    return {
        "type": f"https://ns.adobe.com/aep/errors/{code}",
        "title": "Invalid request",
        "report": {"detailed-message": text},
    }


@pytest.fixture
def hook(flowservice):
    return FlowServiceHook(backoff=0)


@pytest.mark.parametrize("answer", ["id_etag", "items", "full_run", "201"])
def test_returns_the_new_run_whatever_the_answer_looks_like(flowservice, hook, failed_run, answer):
    flowservice.retrigger_answer = answer

    new_run = hook.retrigger_run(failed_run)

    assert flowservice.retriggers == [(failed_run, new_run.run_id)]
    assert new_run.etag == flowservice.run(new_run.run_id)["etag"]
    assert new_run.etag[0] == new_run.etag[-1] == '"'  # quotes belong to an etag


@pytest.mark.parametrize(
    ("answer", "words"),
    [("same_id", "names the same run"), ("no_id", "no 'items'"), ("empty", "empty or no JSON")],
)
def test_an_answer_without_a_new_run_is_no_success(flowservice, hook, failed_run, answer, words):
    flowservice.retrigger_answer = answer

    with pytest.raises(FlowServiceAnswerError, match=words) as caught:
        hook.retrigger_run(failed_run)

    assert may_have_started_a_run(caught.value)
    assert flowservice.count(ACTION) == 1


@pytest.mark.parametrize("op", ["re-trigger", "RE_TRIGGER"])
def test_the_word_for_it_can_be_changed(flowservice, failed_run, op):
    FlowServiceHook(retrigger_op=op).retrigger_run(failed_run)

    assert flowservice.requests[-1].query == [("op", op)]


def test_an_unknown_word_says_where_to_change_it(flowservice, failed_run):
    with pytest.raises(DataflowRunNotRetriggerableError, match="1398-400.*") as caught:
        FlowServiceHook(retrigger_op="retry").retrigger_run(failed_run)

    assert "retrigger_op" in str(caught.value)


# Refusals


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "wrapped"])
@pytest.mark.parametrize(
    ("flow", "code", "words"),
    [
        ({"batch": False}, "1333-400", "only batch sources"),
        ({"source": False}, "1333-400", "only batch sources"),
        ({"state": "disabled"}, "1388-400", "flow is not enabled"),
    ],
)
def test_a_run_that_cannot_be_retriggered_says_why(flowservice, hook, flow, code, words, wrapped):
    flowservice.wrap_errors = wrapped
    run_id = flowservice.add_run(flowservice.add_flow(**flow))

    with pytest.raises(DataflowRunNotRetriggerableError, match=f"{run_id}.*{words}.*{code}"):
        hook.retrigger_run(run_id)

    assert flowservice.count(ACTION) == 1


@pytest.mark.parametrize(
    "code",
    ["1384-400", "1385-400", "1386-400", "1398-400", "1401-400", "FLOW-1434-400", "FLOW-1437-400"],
)
@pytest.mark.parametrize(
    "body",
    [
        lambda code: flow_error(code, "no"),
        lambda code: flow_error("FLOW-1100-400", f"Error from flow provider: {code}: no"),
        lambda code: flow_error(
            "FLOW-1101-404", f"Error from flow provider: CONNECTOR-{code[-8:]}"
        ),
        lambda code: {"error_code": code, "message": "no"},
        lambda code: {"errorMessage": f"Error [{code}] no"},
    ],
    ids=["plain", "wrapped", "with another prefix", "gateway", "older"],
)
def test_every_documented_refusal_is_known_wherever_its_code_stands(
    flowservice, hook, failed_run, code, body
):
    flowservice.fail(Fault(ON_ACTION, status=400, body=body(code)))

    with pytest.raises(DataflowRunNotRetriggerableError, match="cannot be re-triggered"):
        hook.retrigger_run(failed_run)

    assert flowservice.retriggers == []


def test_another_meaning_of_the_same_number_is_no_refusal(flowservice, hook, failed_run):
    # "Internal error" here, and something else in the other catalogue.
    flowservice.fail(Fault(ON_ACTION, status=500, body=flow_error("FLOW-1401-500"), times=None))

    with pytest.raises(FlowServiceUnavailableError):
        hook.retrigger_run(failed_run)


def test_a_run_not_ready_yet_is_asked_for_again(flowservice, hook, failed_run):
    refusal = flow_error("1387-400", "invalid state for re-triggering, try again after some time")
    flowservice.fail(Fault(ON_ACTION, status=400, body=refusal, times=2))

    new_run = hook.retrigger_run(failed_run)

    assert flowservice.retriggers == [(failed_run, new_run.run_id)]
    assert flowservice.count(ACTION) == 3


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "wrapped"])
def test_a_run_never_ready_is_given_up_after_a_few_times(flowservice, hook, wrapped):
    flowservice.wrap_errors = wrapped
    run_id = flowservice.add_run(flowservice.add_flow(), "success")

    with pytest.raises(DataflowRunNotRetriggerableError, match="try again later"):
        hook.retrigger_run(run_id)

    assert flowservice.count(ACTION) == 1 + hook.retries


def test_a_missing_run_stays_a_missing_run(flowservice, hook):
    with pytest.raises(FlowServiceNotFoundError):
        hook.retrigger_run("r1")


def test_a_missing_permission_is_not_called_a_refusal_of_the_run(flowservice, hook, failed_run):
    body = flow_error("FLOW-2121-403", "permission manage is denied on resource Enterprise Source")
    flowservice.fail(Fault(ON_ACTION, status=403, body=body))

    with pytest.raises(FlowServiceAuthError, match="Manage Sources"):
        hook.retrigger_run(failed_run)

    assert flowservice.count(ACTION) == 1


def test_an_error_nobody_knows_is_told_as_it_is(flowservice, hook, failed_run):
    flowservice.fail(Fault(ON_ACTION, status=400, body=flow_error("1380-400", "out of quota")))

    with pytest.raises(FlowServiceApiError, match="1380-400: out of quota") as caught:
        hook.retrigger_run(failed_run)

    assert not may_have_started_a_run(caught.value)


# Silence and trouble: sent once


@pytest.mark.parametrize("kind", ["close_before", "close_after", "truncated"])
def test_a_lost_answer_is_not_asked_for_again(flowservice, hook, failed_run, kind):
    flowservice.fail(Fault(ON_ACTION, kind=kind))

    with pytest.raises(FlowServiceConnectionError) as caught:
        hook.retrigger_run(failed_run)

    assert caught.value.sent == "maybe"
    assert flowservice.count(ACTION) == 1


def test_an_answer_that_takes_too_long_is_not_asked_for_again(monkeypatch, flowservice, failed_run):
    uri = f"{flowservice.connection_uri}&request_timeout=0.2"
    monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", uri)
    flowservice.fail(Fault(ON_ACTION, kind="slow", delay=30))

    with pytest.raises(FlowServiceConnectionError, match="timed out") as caught:
        FlowServiceHook(backoff=0).retrigger_run(failed_run)

    assert caught.value.sent == "maybe"
    assert len(flowservice.retriggers) == flowservice.count(ACTION) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, flow_error("FLOW-1102-500")),
        (500, b""),
        (502, b"<html>Bad gateway</html>"),
        (503, b"<html>Service unavailable</html>"),  # nobody knows whether it was handed on
        (503, b""),
        (504, flow_error("FLOW-1104-504")),
        (408, b""),
    ],
)
def test_trouble_after_which_a_run_may_have_started(flowservice, hook, failed_run, status, body):
    flowservice.fail(Fault(ON_ACTION, status=status, body=body))

    with pytest.raises(FlowServiceUnavailableError) as caught:
        hook.retrigger_run(failed_run)

    assert may_have_started_a_run(caught.value)
    assert flowservice.count(ACTION) == 1


# Sure refusals: sent again


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, b""),
        (429, {"error_code": "429050", "message": "Too many requests"}),
        (400, {"error_code": "429050", "message": "Too many requests"}),
        (503, flow_error("FLOW-1103-503", "Service Unavailable")),
        (401, {"error_code": "401013", "message": "Oauth token is not valid"}),
        (400, flow_error("FLOW-2115-400", "Invalid token")),
    ],
)
def test_a_sure_refusal_is_sent_again(flowservice, hook, failed_run, status, body):
    flowservice.fail(Fault(ON_ACTION, status=status, body=body))

    new_run = hook.retrigger_run(failed_run)

    assert flowservice.retriggers == [(failed_run, new_run.run_id)]
    assert flowservice.count(ACTION) == 2


def test_a_request_that_never_left_is_sent_again(flowservice, hook, failed_run, logged):
    hook.get_run(failed_run)  # so that there is a token
    flowservice.stop()

    with pytest.raises(FlowServiceConnectionError, match="Connection refused") as caught:
        hook.retrigger_run(failed_run)

    assert caught.value.sent == "no"
    assert not may_have_started_a_run(caught.value)
    assert logged().count("Trying again") == hook.retries


def test_a_wish_to_wait_for_an_hour_is_passed_on(flowservice, hook, failed_run):
    flowservice.fail(Fault(ON_ACTION, status=429, headers={"Retry-After": "3600"}))

    with pytest.raises(FlowServiceThrottledError, match="wait 3600 s") as caught:
        hook.retrigger_run(failed_run)

    assert caught.value.retry_after == 3600
    assert flowservice.count(ACTION) == 1


def test_trouble_with_the_token_is_before_the_request(flowservice, hook, failed_run):
    flowservice.fail(Fault("POST /ims", status=503, times=None))

    with pytest.raises(FlowServiceUnavailableError) as caught:
        hook.retrigger_run(failed_run)

    assert caught.value.sent == "no"
    assert not may_have_started_a_run(caught.value)
    assert flowservice.count(ACTION) == 0


# A last word before the request


def test_it_asks_each_time_before_it_sends(flowservice, hook, failed_run):
    flowservice.fail(Fault(ON_ACTION, status=429, headers={"Retry-After": "0"}))
    sent_before = []

    hook.retrigger_run(
        failed_run, before_send=lambda: sent_before.append(flowservice.count(ACTION))
    )

    assert sent_before == [0, 1]


def test_nothing_is_sent_against_the_last_word(flowservice, hook, failed_run):
    def refuse():
        raise RuntimeError("too late")

    with pytest.raises(RuntimeError, match="too late"):
        hook.retrigger_run(failed_run, before_send=refuse)

    assert flowservice.count(ACTION) == 0
