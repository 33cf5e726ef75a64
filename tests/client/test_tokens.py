"""Tokens: how many are asked for, when they are renewed, and what becomes of refused ones."""

from __future__ import annotations

import base64
import json
import threading
import time

import pytest

from airflow_provider_flowservice._client.tokens import ReadyToken, Token, TokenCache
from airflow_provider_flowservice._connection.settings import Settings
from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.exceptions import (
    FlowServiceAuthError,
    FlowServiceConnectionError,
    FlowServiceError,
    FlowServiceUnavailableError,
)
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from helpers.fake_clock import FakeClock

IMS = "POST /ims/token/v3"


class Ims:
    """Hands out tokens of a lifetime, or raises, and counts."""

    def __init__(self, lifetime=86399.0):
        self.lifetime = lifetime
        self.error = None
        self.asked = 0

    def __call__(self):
        self.asked += 1
        if self.error:
            raise self.error
        return Token(f"token-{self.asked}", self.lifetime)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def cache(clock):
    return TokenCache(clock)


@pytest.fixture
def ims():
    return Ims()


def ready_token(**claims):
    """Write a token as IMS does; nobody checks its signature."""
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{body}.c2ln"


# The cache


def test_a_token_is_used_until_shortly_before_its_end(cache, clock, ims):
    first = cache.get(ims)
    clock.now += 86399 - 301

    assert cache.get(ims) is first
    clock.now += 2
    assert cache.get(ims).text == "token-2"


@pytest.mark.parametrize("lifetime", [0.001, 1, 10, 599])
def test_a_short_lived_token_is_used_for_half_its_life(cache, clock, lifetime):
    ims = Ims(lifetime)
    cache.get(ims)
    clock.now += lifetime * 0.49
    cache.get(ims)

    assert ims.asked == 1
    clock.now += lifetime * 0.02
    cache.get(ims)
    assert ims.asked == 2


def test_a_dropped_token_is_not_used_again(cache, ims):
    assert cache.renew(cache.get(ims), 401)
    assert cache.get(ims).text == "token-2"


def test_only_the_token_that_was_refused_is_dropped(cache, ims):
    old = cache.get(ims)
    cache.renew(old, 401)
    new = cache.get(ims)

    assert cache.renew(old, 401)  # as another thread did already
    assert cache.get(ims) is new


def test_a_young_token_is_kept_where_only_an_old_one_can_be_to_blame(cache, clock, ims):
    token = cache.get(ims)

    assert not cache.renew(token, 403)
    clock.now += 301
    assert cache.renew(token, 403)


def test_passing_trouble_leaves_a_token_that_is_still_good_in_use(cache, clock, ims):
    token = cache.get(ims)
    clock.now += 86399 - 100
    ims.error = FlowServiceUnavailableError("IMS is down", 503)

    assert cache.get(ims) is token
    assert cache.get(ims) is token  # and IMS has a while of peace
    assert ims.asked == 2
    clock.now += 31
    cache.get(ims)
    assert ims.asked == 3


def test_after_its_end_a_token_is_not_used_whatever_the_trouble(cache, clock, ims):
    cache.get(ims)
    clock.now += 86400
    ims.error = FlowServiceUnavailableError("IMS is down", 503)

    with pytest.raises(FlowServiceUnavailableError):
        cache.get(ims)


def test_a_refused_credential_is_told_although_the_old_token_is_still_good(cache, clock, ims):
    cache.get(ims)
    clock.now += 86399 - 100
    ims.error = FlowServiceAuthError("wrong secret", 400)

    with pytest.raises(FlowServiceAuthError):
        cache.get(ims)


def test_threads_that_wait_for_an_attempt_share_its_error(cache):
    barrier, attempts = threading.Barrier(20), []

    def fetch():
        attempts.append(1)
        while len(waiting) < 20:
            time.sleep(0.001)
        time.sleep(0.05)  # from "about to wait" to waiting
        raise FlowServiceConnectionError("no answer", sent="no")

    waiting, errors = [], []

    def ask():
        barrier.wait()
        waiting.append(1)
        try:
            cache.get(fetch)
        except FlowServiceError as error:
            errors.append(error)

    run_in_threads(ask, 20)

    assert len(attempts) == 1
    assert len(set(map(id, errors))) == 20  # each thread its own, to put its traceback on
    assert {(str(error), error.sent) for error in errors} == {("no answer", "no")}


def test_an_earlier_error_is_not_told_again(cache, ims):
    ims.error = FlowServiceConnectionError("no answer")
    with pytest.raises(FlowServiceConnectionError):
        cache.get(ims)
    ims.error = None

    assert cache.get(ims).text == "token-2"


# A ready token


def test_a_ready_token_that_has_expired_says_so_before_any_request():
    token = ready_token(created_at="1700000000000", expires_in="86400000")
    source = ReadyToken(token, clock=lambda: 1700000000 + 86400 + 301)

    with pytest.raises(FlowServiceAuthError, match="expired at 2023-11-15 22:13 UTC") as caught:
        source.get()
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    "token",
    [
        ready_token(created_at="1700000000000", expires_in="86400000"),
        ready_token(),
        ready_token(created_at="soon", expires_in=None),
        "opaque",
        "a.b.c",
        "eyJ.W10.",
    ],
)
def test_a_ready_token_that_is_good_or_silent_is_used(token):
    source = ReadyToken(token, clock=lambda: 1700000000)

    assert source.get().text == token
    assert not source.renew(source.get(), 401)  # there is no other


def test_a_ready_token_asks_nobody(monkeypatch, flowservice):
    flow_id, connection = flowservice.add_flow(), flowservice.connection
    connection["extra"] |= {"access_token": flowservice.issue_token(), "api_key": "k"}
    flowservice.api_key = "k"
    connection.update(login=None, password=None)
    monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", json.dumps(connection))

    assert FlowServiceHook().get_flow(flow_id).flow_id == flow_id
    flowservice.revoke_tokens()
    with pytest.raises(FlowServiceAuthError, match="401013"):
        FlowServiceHook().get_flow(flow_id)
    assert flowservice.count(IMS) == 0
    assert flowservice.count("GET /flows/{id}") == 2


# Through the hook


def test_hooks_of_one_credential_share_a_token(flowservice):
    flow_id = flowservice.add_flow()

    for _ in range(3):
        FlowServiceHook().get_flow(flow_id)

    assert flowservice.count(IMS) == 1


def test_another_secret_gets_another_token(monkeypatch, flowservice):
    flow_id, connection = flowservice.add_flow(), flowservice.connection
    FlowServiceHook().get_flow(flow_id)
    connection["password"] = flowservice.client_secret = "rotated-emulator-secret-5f3c9a"
    monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", json.dumps(connection))

    FlowServiceHook().get_flow(flow_id)

    assert flowservice.count(IMS) == 2


def test_two_hundred_threads_at_once_ask_for_one_token(flowservice, tell):
    flowservice.fail(Fault("POST /ims", kind="slow", delay=0.3))  # time for all to come
    barrier, tokens = threading.Barrier(200), []

    def ask():
        hook = FlowServiceHook()
        client = hook.get_conn()
        barrier.wait(timeout=60)
        tokens.append(client.get_token())

    run_in_threads(ask, 200)

    assert len(tokens) == 200
    assert len({token.text for token in tokens}) == 1
    assert flowservice.count(IMS) == 1
    tell(f"200 threads asked for a token at once: {flowservice.count(IMS)} IMS request")


def test_a_refused_token_is_renewed_once(flowservice):
    flow_id, hook = flowservice.add_flow(), FlowServiceHook()
    hook.get_flow(flow_id)
    flowservice.revoke_tokens()

    assert hook.get_flow(flow_id).flow_id == flow_id
    assert flowservice.count(IMS) == 2


def test_a_token_refused_again_and_again_is_no_loop(flowservice):
    refusal = {"error_code": "401013", "message": "Oauth token is not valid"}
    flowservice.fail(Fault("GET /flows", status=401, body=refusal, times=None))

    with pytest.raises(FlowServiceAuthError, match="401013: Oauth token is not valid"):
        FlowServiceHook(backoff=0).get_flow("f1")

    assert flowservice.count("GET /flows/{id}") == 2
    assert flowservice.count(IMS) == 2


def test_threads_whose_token_was_revoked_get_one_new_one(flowservice):
    flow_id, hook = flowservice.add_flow(), FlowServiceHook()
    hook.get_flow(flow_id)
    flowservice.revoke_tokens()
    barrier = threading.Barrier(20)

    def look():
        barrier.wait(timeout=60)
        hook.get_flow(flow_id)

    run_in_threads(look, 20)

    assert flowservice.count(IMS) == 2


def test_a_missing_permission_costs_a_young_token_nothing():
    # Permissions are fixed in a token when it is made, and this one was made a moment ago.
    tokens, ims = TokenCache(), Ims()
    token = tokens.get(ims)

    assert not tokens.renew(token, 403)
    assert tokens.get(ims) is token
    assert tokens.renew(token, 401)
    assert tokens.get(ims).text == "token-2"


def test_dropped_tokens_are_asked_for_again(flowservice):
    flow_id, hook = flowservice.add_flow(), FlowServiceHook()
    hook.get_flow(flow_id)

    FlowServiceHook.drop_tokens()
    hook.get_flow(flow_id)

    assert flowservice.count(IMS) == 2


def test_the_settings_of_a_credential_never_show_it(flowservice):
    settings = FlowServiceHook().settings

    assert isinstance(settings, Settings)
    assert flowservice.client_secret not in f"{settings!r} {settings}"


def run_in_threads(function, number):
    threads = [threading.Thread(target=function) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
