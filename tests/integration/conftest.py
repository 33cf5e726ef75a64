from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_flowservice.emulator import FlowServiceEmulator
from integration.airflow_instance import AirflowInstance
from integration.servers import lacking

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def servers():
    """Skip what cannot run here, and say why."""
    if reason := lacking():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def flowservice():
    """A local Flow Service, which the running Airflow is connected to."""
    with FlowServiceEmulator(seed=True, step_seconds=1.0) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def airflow(flowservice):
    """A running Airflow with the example DAGs, and those of the tests."""
    connection = flowservice.connection
    connection["extra"]["request_timeout"] = 10  # for which retries wait, too
    env = {"AIRFLOW_CONN_FLOWSERVICE_DEFAULT": json.dumps(connection)}
    with AirflowInstance([ROOT / "example_dags", Path(__file__).parent / "dags"], env) as instance:
        yield instance


def pytest_collection_modifyitems(items):
    """Run last what shares one Airflow, which would go on beside those of the other tests."""
    items.sort(key=lambda item: (_shares_an_airflow(item), not item.get_closest_marker("early")))


def _shares_an_airflow(item):
    info = getattr(item, "_fixtureinfo", None)  # which pytest names to plugins only
    fixtures = info and info.name2fixturedefs.get("airflow")
    return bool(fixtures) and fixtures[-1].scope == "session"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Show what Airflow's components said last beside a test that failed."""
    report = yield
    instance = getattr(item, "funcargs", {}).get("airflow")
    if report.failed and instance:
        report.sections.append(("Airflow's components", instance.log_tails()))
    return report
