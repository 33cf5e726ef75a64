"""When a request is repeated, and after how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenacity import RetryCallState, Retrying

from airflow_provider_flowservice._client.retries import (
    RetryLimits,
    call_with_retries,
    is_transient,
)
from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.exceptions import (
    FlowServiceAnswerError,
    FlowServiceApiError,
    FlowServiceAuthError,
    FlowServiceConnectionError,
    FlowServiceError,
    FlowServiceNotFoundError,
    FlowServiceThrottledError,
    FlowServiceUnavailableError,
)
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

LIMITS = RetryLimits()


def calls(*results):
    """Return a function that raises or returns one result after the other."""
    left = list(results)

    def call():
        result = left.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    return call


def throttled(seconds):
    return FlowServiceThrottledError("too many", 429, retry_after=seconds)


def test_repeats_until_it_works_and_waits_longer_each_time():
    slept = []
    trouble = FlowServiceUnavailableError("down", 503)

    result = call_with_retries(calls(trouble, trouble, trouble, 7), LIMITS, sleep=slept.append)

    assert result == 7
    for pause, longest in zip(slept, [1, 2, 4], strict=True):
        assert longest / 2 <= pause <= longest


def test_gives_up_with_the_last_error():
    slept = []
    errors = [FlowServiceUnavailableError(str(number), 503) for number in range(4)]

    with pytest.raises(FlowServiceUnavailableError, match="3"):
        call_with_retries(calls(*errors), LIMITS, sleep=slept.append)

    assert len(slept) == 3


def test_a_wish_within_the_limit_is_granted():
    slept = []

    call_with_retries(calls(throttled(20), throttled(0.1), 7), LIMITS, sleep=slept.append)

    assert slept[0] == 20
    assert 1 <= slept[1] <= 2  # no less than without the wish


@pytest.mark.parametrize("seconds", [31, 3000, 1e9])
def test_a_retry_after_beyond_the_limit_puts_no_worker_to_sleep(seconds):
    with pytest.raises(FlowServiceThrottledError) as caught:
        call_with_retries(calls(throttled(seconds)), LIMITS, sleep=pytest.fail)

    assert caught.value.retry_after == seconds


def test_other_errors_are_not_repeated():
    for error_class in (FlowServiceApiError, FlowServiceAuthError, FlowServiceNotFoundError):
        with pytest.raises(error_class):
            call_with_retries(calls(error_class("no", 400)), LIMITS, sleep=pytest.fail)


def test_what_is_no_error_of_ours_comes_through():
    with pytest.raises(ZeroDivisionError):
        call_with_retries(calls(ZeroDivisionError()), LIMITS, sleep=pytest.fail)


def test_only_trouble_passes():
    passing = [
        FlowServiceConnectionError("x"),
        FlowServiceThrottledError("x"),
        FlowServiceUnavailableError("x"),
    ]
    lasting = [FlowServiceError("x"), FlowServiceApiError("x"), FlowServiceAnswerError("x")]

    assert all(map(is_transient, passing))
    assert not any(map(is_transient, lasting))


@given(
    st.integers(1, 10**6),
    st.integers(0, 10**6),
    st.floats(0, 1e9),
    st.floats(0, 1e9),
    st.none() | st.floats(0, 1e12),
)
def test_no_pause_is_longer_than_allowed(attempt, retries, backoff, longest, wish):
    limits = RetryLimits(retries, backoff, longest)
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    state.set_exception((FlowServiceThrottledError, throttled(wish), None))

    gives_up = limits.stop(state)

    assert gives_up == (attempt > retries or (wish or 0) > longest)
    assert gives_up or (wish or 0) <= limits.wait(state) <= longest


# Through the hook


@pytest.mark.parametrize(
    "fault",
    [
        *({"status": status, "body": b""} for status in (408, 429, 500, 502, 503, 504)),
        {"status": 503, "body": b"<html>Down</html>"},
        {"status": 404, "body": b"<html>Down</html>"},  # a gateway, and not the service
        {"status": 400, "body": {"error_code": "429050"}},
        {"status": 429, "headers": {"Retry-After": "0"}},
        {"status": 429, "headers": {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}},
        {"kind": "close_before"},
        {"kind": "close_after"},
        {"kind": "truncated"},
    ],
)
def test_reads_are_retried_through_transient_errors(flowservice, fault):
    flow_id = flowservice.add_flow()
    flowservice.fail(Fault("GET /flows", times=3, **fault))

    assert FlowServiceHook(backoff=0).get_flow(flow_id).flow_id == flow_id
    assert flowservice.count("GET /flows/{id}") == 4


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 412, 422])
def test_looks_that_were_refused_are_not_repeated(flowservice, status):
    flowservice.fail(Fault("GET /flows", status=status, body={}))

    with pytest.raises(FlowServiceApiError):
        FlowServiceHook(backoff=0).get_flow("f1")

    assert flowservice.count("GET /flows/{id}") == 1


@pytest.mark.parametrize("retries", [0, 1, 5])
def test_the_number_of_repetitions_can_be_set(flowservice, retries):
    flowservice.fail(Fault("GET /flows", status=503, times=None))

    with pytest.raises(FlowServiceUnavailableError):
        FlowServiceHook(retries=retries, backoff=0).get_flow("f1")

    assert flowservice.count("GET /flows/{id}") == 1 + retries


@pytest.mark.parametrize(
    ("wish", "seconds"), [("3600", 3600), ("Fri, 31 Dec 2100 23:59:59 GMT", 10**8)]
)
def test_a_huge_retry_after_is_raised_to_the_caller(flowservice, wish, seconds):
    flowservice.fail(Fault("GET /flows", status=429, headers={"Retry-After": wish}))

    with pytest.raises(FlowServiceThrottledError) as caught:
        FlowServiceHook(backoff=0).get_flow("f1")

    assert caught.value.retry_after >= seconds
    assert flowservice.count("GET /flows/{id}") == 1


def test_the_longest_sleep_can_be_set(flowservice):
    flow_id = flowservice.add_flow()
    flowservice.fail(Fault("GET /flows", status=429, headers={"Retry-After": "0.05"}, times=2))

    with pytest.raises(FlowServiceThrottledError):
        FlowServiceHook(backoff=0, longest_sleep=0.01).get_flow(flow_id)
    assert FlowServiceHook(backoff=0, longest_sleep=0.1).get_flow(flow_id).flow_id == flow_id


def test_trouble_with_the_token_is_not_repeated_twice_over(flowservice):
    flowservice.fail(Fault("POST /ims", status=503, times=None))

    with pytest.raises(FlowServiceUnavailableError):
        FlowServiceHook(retries=2, backoff=0).get_flow("f1")

    assert flowservice.count("POST /ims/token/v3") == 3


def test_each_repetition_is_told(flowservice, logged):
    flow_id = flowservice.add_flow()
    flowservice.fail(Fault("GET /flows", status=503, body={"title": "Down"}))

    FlowServiceHook(backoff=0).get_flow(flow_id)

    text = logged()
    assert "HTTP 503: Down." in text
    assert "Trying again in 0.0 s." in text


# One exchange, as it is


def test_an_exchange_returns_whatever_comes_and_is_not_repeated(flowservice):
    fault = Fault("GET /runs", status=503, body="<p>down</p>", headers={"Retry-After": "7"})
    flowservice.fail(fault)

    response, error = FlowServiceHook().get_conn().exchange("GET", "/runs", [("limit", "1")])

    assert (response.http_status, response.body, response.text) == (503, None, "<p>down</p>")
    assert response.headers["Retry-After"] == "7"
    assert error.retry_after == 7
    assert flowservice.count("GET /runs") == 1


def test_an_exchange_replaces_a_token_once(flowservice):
    client = FlowServiceHook().get_conn()
    client.get_token()
    flowservice.revoke_tokens()

    response, error = client.exchange("GET", "/flows")

    assert (response.http_status, error) == (200, None)
    assert [seen.status for seen in flowservice.requests if seen.method == "GET"] == [401, 200]


def test_an_exchange_without_a_response_says_whether_it_may_have_arrived(flowservice):
    flowservice.fail(Fault("POST /runs", kind="close_after"))

    with pytest.raises(FlowServiceConnectionError) as caught:
        FlowServiceHook().get_conn().exchange("POST", "/runs/r1/action", [("op", "re-trigger")])

    assert caught.value.sent == "maybe"
    assert flowservice.count("POST /runs/{id}/action") == 1
