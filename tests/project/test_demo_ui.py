"""What ``make demo-ui`` prints is enough to fill in the connection form by hand."""

from __future__ import annotations

import json
import re

import pytest

from airflow_provider_flowservice.emulator import FlowServiceEmulator
from airflow_provider_flowservice.emulator.seed import SEEDED_FAILED_RUN_ID
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

demo_ui = pytest.importorskip("dev.demo_ui", reason="dev/ is not on the path of an installed wheel")


@pytest.mark.once
def test_a_connection_of_what_is_printed_works(monkeypatch):
    with FlowServiceEmulator(seed=True) as emulator:
        text = demo_ui.welcome("http://127.0.0.1:8080", emulator)
        printed = dict(re.findall(r"^(\S.*?)\s{2,}(\S.*)$", text, re.MULTILINE))
        extra = {
            "org_id": printed["Organization ID"],
            "sandbox_name": printed["Sandbox name"],
            "ims_url": printed["IMS URL"],
        }
        connection = {
            "conn_type": "flowservice",
            "host": printed["Platform URL"],
            "login": printed["Client ID"],
            "password": printed["Client secret"],
            "extra": extra,
        }
        monkeypatch.setenv("AIRFLOW_CONN_BY_HAND", json.dumps(connection))

        run = FlowServiceHook("by_hand").get_run(printed["Run to re-trigger"])

    assert run.run_id == SEEDED_FAILED_RUN_ID
    assert run.is_failed
