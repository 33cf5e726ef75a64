"""A distributed Airflow, and a Flow Service without flows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from airflow_provider_flowservice.emulator import FlowServiceEmulator
from integration.distributed.celery_airflow import CeleryAirflow
from integration.servers import lacking

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def flowservice():
    with FlowServiceEmulator(step_seconds=1.0) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def airflow(flowservice, tmp_path_factory):
    if reason := lacking(redis=True):
        pytest.skip(reason)
    connection = flowservice.connection
    connection["extra"]["request_timeout"] = 10  # for which retries wait, too
    env = {"AIRFLOW_CONN_FLOWSERVICE_DEFAULT": json.dumps(connection)}
    examples = tmp_path_factory.mktemp("examples")
    shutil.copy(ROOT / "example_dags" / "repair_run.py", examples)
    tests = Path(__file__).parent
    with CeleryAirflow(
        [tests / "dags", tests.parent / "many_tasks" / "dags", examples], env
    ) as instance:
        yield instance
