"""An emulator in which time passes only when the engine sleeps."""

from __future__ import annotations

import time

import pytest

from airflow_provider_flowservice._client.tokens import drop_tokens
from airflow_provider_flowservice.emulator import FlowServiceEmulator
from helpers.engine import hook_with
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
    module_service.start_answer = "items"
    module_service.on_demand_window = "params"


@pytest.fixture(scope="module")
def hook(module_service, clock):
    return hook_with(clock)


@pytest.fixture
def direct_hook(service, clock):
    """A hook that needs no HTTP, for tens of thousands of requests."""
    return connect(hook_with(clock), service)
