"""An Airflow for many waits at once, and a Flow Service without flows."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_flowservice.emulator import FlowServiceEmulator
from integration.airflow_instance import AirflowInstance


@pytest.fixture(scope="module")
def flowservice():
    with FlowServiceEmulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def airflow(flowservice):
    env = {"AIRFLOW_CONN_FLOWSERVICE_DEFAULT": flowservice.connection_json}
    with AirflowInstance([Path(__file__).parent / "dags"], env) as instance:
        yield instance
