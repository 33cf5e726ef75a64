"""What IMS may answer when it is asked for a token, and what each answer means."""

from __future__ import annotations

import json

import pytest

from airflow_provider_flowservice._client.ims import _lifetime
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

IMS = "POST /ims/token/v3"


@pytest.fixture
def ask(monkeypatch, flowservice):
    """Return a function that asks for a token with a changed connection."""

    def ask(retries=0, extra=None, **changes):
        connection = {**flowservice.connection, **changes}
        connection["extra"] = {**connection["extra"], **(extra or {})}
        monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", json.dumps(connection))
        return FlowServiceHook(retries=retries, backoff=0).get_conn().get_token()

    return ask


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": "wrong-secret"}, "client secret .password. of the connection is wrong"),
        ({"login": "wrong-id"}, "Client ID .login. of the connection is wrong"),
        ({"extra": {"scopes": "openid,mars"}}, "does not grant the scope: check 'scopes'"),
    ],
)
def test_a_refused_credential_says_which_part_is_wrong_and_is_not_tried_again(
    flowservice, ask, changes, words
):
    with pytest.raises(FlowServiceAuthError, match=words) as caught:
        ask(retries=3, **changes)

    assert caught.value.sent == "no"
    assert "wrong-secret" not in str(caught.value)
    assert flowservice.count(IMS) == 1


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("body", [{"error": "invalid_client"}, {"error": 7}, [], b"", b"<html>"])
def test_a_refusal_in_other_words_is_one_all_the_same(flowservice, ask, status, body):
    flowservice.fail(Fault("POST /ims", status=status, body=body))

    with pytest.raises(FlowServiceAuthError, match="check Client ID, client secret and 'scopes'"):
        ask(retries=3)

    assert flowservice.count(IMS) == 1


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [
        ({"status": 429, "body": b""}, FlowServiceThrottledError),
        ({"status": 503, "body": b"<html><title>Down</title></html>"}, FlowServiceUnavailableError),
        ({"status": 500, "body": {"error": "server_error"}}, FlowServiceUnavailableError),
        ({"kind": "close_before"}, FlowServiceConnectionError),
    ],
)
def test_passing_trouble_is_tried_again(flowservice, ask, fault, error_class):
    flowservice.fail(Fault("POST /ims", times=2, **fault))

    assert ask(retries=2).text
    assert flowservice.count(IMS) == 3
    FlowServiceHook.drop_tokens()
    flowservice.fail(Fault("POST /ims", times=None, **fault))
    with pytest.raises(error_class):
        ask(retries=1)


def test_throttling_says_what_it_comes_from(flowservice, ask):
    flowservice.fail(Fault("POST /ims", status=429))

    with pytest.raises(FlowServiceThrottledError, match="requests too many tokens"):
        ask()


def test_a_wrong_address_of_ims_is_not_taken_for_a_missing_run(flowservice, ask):
    flowservice.fail(Fault("POST /ims", status=404, body={"message": "not found"}))

    with pytest.raises(FlowServiceApiError, match="Check 'ims_url'") as caught:
        ask()

    assert not isinstance(caught.value, FlowServiceNotFoundError)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        b"",
        b"<html>Welcome</html>",
        {"access_token": None},
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "a\r\nX-Evil: 1"},
        {"access_token": "tök"},
    ],
)
def test_a_success_without_a_usable_token_is_none(flowservice, ask, body):
    flowservice.fail(Fault("POST /ims", status=200, body=body))

    with pytest.raises(FlowServiceAnswerError, match="without an access token: check 'ims_url'"):
        ask()


def test_a_redirect_of_ims_is_not_followed_with_the_secret(flowservice, ask):
    headers = {"Location": f"{flowservice.url}/elsewhere"}
    flowservice.fail(Fault("POST /ims", status=307, headers=headers))

    with pytest.raises(FlowServiceApiError, match="Check 'ims_url'"):
        ask()

    assert [seen.path for seen in flowservice.requests] == ["/ims/token/v3"]


def test_the_credential_travels_in_the_body_only(flowservice, ask):
    ask()

    (seen,) = flowservice.requests
    assert seen.query == []
    assert flowservice.client_secret not in repr(seen)


@pytest.mark.parametrize("quoted", [True, False])
def test_an_answer_that_quotes_the_secret_is_not_repeated(flowservice, ask, quoted):
    secret = "planted secret/+&emulator-secret-5f3c9a"
    shown = "planted%20secret%2F%2B%26emulator-secret-5f3c9a" if quoted else secret
    flowservice.fail(
        Fault("POST /ims", status=400, body={"error": "x", "error_description": f"no {shown} no"})
    )

    with pytest.raises(FlowServiceError, match=r"no \*\*\* no") as caught:
        ask(password=secret)

    assert "5f3c9a" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (86399, 86399),
        ("86399", 86399),
        (86399992, 86399.992),  # milliseconds, as the exchange of old wrote it
        ("86400000", 86400),
        (1, 1),
        *((value, 600) for value in (None, 0, -1, "soon", [], {}, "nan", "inf", 1e400, "9" * 400)),
    ],
)
def test_a_lifetime_is_seconds_or_plainly_milliseconds(value, seconds):
    assert _lifetime(value) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "scopes",
    ["openid, AdobeID , session", ["openid", " AdobeID", "session"], "openid,,AdobeID,session,"],
)
def test_scopes_travel_without_blanks(ask, scopes):
    assert ask(extra={"scopes": scopes}).lifetime == 86399  # the emulator refuses blanks
