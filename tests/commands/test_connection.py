"""Where the requests of a command go."""

from __future__ import annotations

import argparse
import json

import pytest

from airflow_provider_flowservice._commands.connection import open_hook
from airflow_provider_flowservice._commands.definitions import COMMANDS
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

ARGUMENTS = {
    "check": {"flow": None},
    "failures": {"flow": None, "since": 0, "json": False},
}


@pytest.fixture
def elsewhere(flowservice, monkeypatch):
    """Let the connection lead to where nobody listens."""
    extra = {**flowservice.connection["extra"], "ims_url": "https://127.0.0.1:9"}
    connection = {**flowservice.connection, "host": "https://127.0.0.1:9", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", json.dumps(connection))
    return flowservice


@pytest.mark.parametrize("name", ARGUMENTS)
def test_all_requests_of_a_command_can_go_elsewhere(elsewhere, name):
    (command,) = (command for command in COMMANDS if command.name == name)
    options = argparse.Namespace(
        conn_id="flowservice_default", via=elsewhere.url, **ARGUMENTS[name]
    )

    assert command.run(options) == 0
    assert [seen.path for seen in elsewhere.requests if seen.path.endswith("/flows")]


def test_all_other_settings_stay(elsewhere):
    settings = open_hook("flowservice_default", elsewhere.url).settings

    assert (settings.base_url, settings.ims_url, settings.ca_bundle) == (*[elsewhere.url] * 2, None)
    assert settings.client_secret == elsewhere.client_secret
    assert settings.sandbox_name == FlowServiceHook().settings.sandbox_name


def test_a_connection_is_read_when_the_hook_needs_it():
    hook = open_hook("there_is_none", "http://127.0.0.1:9")

    with pytest.raises(Exception, match="there_is_none"):
        _ = hook.settings
