"""An emulator in which time passes only when the engine sleeps."""

from __future__ import annotations

import time

import pytest

from airflow_provider_flowservice._client.tokens import drop_tokens
from airflow_provider_flowservice.emulator import FlowServiceEmulator
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from helpers.fake_clock import FakeClock
from helpers.in_process import connect


@pytest.fixture(scope="module")
def clock():
    return FakeClock(time.time())


@pytest.fixture(scope="module")
def module_service(clock):
    drop_tokens()
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        FlowServiceEmulator(step_seconds=30, clock=clock) as emulator,
    ):
        emulator.token_lifetime = 10**7
        monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", emulator.connection_json)
        yield emulator
    drop_tokens()


@pytest.fixture
def service(module_service):
    """An emulator in which time passes only when the engine sleeps."""
    yield module_service
    module_service.clear_faults()
    module_service.new_run_hidden_for = 0
    module_service.retrigger_answer = "id_etag"


@pytest.fixture(scope="module")
def hook(module_service):
    return FlowServiceHook(retries=0, backoff=0)


@pytest.fixture
def direct_hook(service):
    """A hook that needs no HTTP, for tens of thousands of requests."""
    return connect(FlowServiceHook(retries=0, backoff=0), service)
