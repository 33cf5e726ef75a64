"""A distributed Airflow, and a Flow Service without flows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_flowservice.emulator import FlowServiceEmulator
from integration.distributed.celery_airflow import CeleryAirflow
from integration.servers import lacking


@pytest.fixture(scope="package")
def flowservice():
    with FlowServiceEmulator(step_seconds=1.0) as emulator:
        yield emulator


@pytest.fixture(scope="package")
def airflow(flowservice):
    if reason := lacking(redis=True):
        pytest.skip(reason)
    connection = flowservice.connection
    connection["extra"]["request_timeout"] = 10  # for which retries wait, too
    env = {"AIRFLOW_CONN_FLOWSERVICE_DEFAULT": json.dumps(connection)}
    with CeleryAirflow([Path(__file__).parent / "dags"], env) as instance:
        yield instance
