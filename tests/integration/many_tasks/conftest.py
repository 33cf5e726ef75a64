"""An Airflow with room for many tasks at once, and a Flow Service without flows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_flowservice.emulator import FlowServiceEmulator
from integration.airflow_instance import AirflowInstance


@pytest.fixture(scope="package")
def flowservice():
    """A local Flow Service, whose runs go on when they are polled."""
    with FlowServiceEmulator() as emulator:
        yield emulator


@pytest.fixture(scope="package")
def airflow(flowservice):
    """An Airflow with workers to spare for those that are stopped."""
    connection = flowservice.connection
    connection["extra"]["request_timeout"] = 5  # for which retries wait, too
    env = {
        "AIRFLOW_CONN_FLOWSERVICE_DEFAULT": json.dumps(connection),
        "AIRFLOW__CORE__PARALLELISM": "48",
    }
    folders = [Path(__file__).parent / "dags", Path(__file__).parents[1] / "dags"]
    with AirflowInstance(folders, env) as instance:
        yield instance
