"""The triggers to compare, and how each connects to its service."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.services import Emulator, Fake, make_certificate

FOREVER = 7 * 24 * 3600.0


class Contender(NamedTuple):
    """
    One trigger.

    :param package: Its distribution.
    :param operators: Module of its operators.
    :param serve: Starts its service with a number of runs, and sets the environment up for it.
    :param new_trigger: Makes a trigger for a run, given by its number, with an interval in seconds.
    """

    package: str
    operators: str
    serve: Callable[[Path, int], Emulator | Fake]
    new_trigger: Callable[[int, float], Any]

    @property
    def title(self) -> str:
        """Name and version."""
        name = self.package.replace("apache-airflow-providers-", "")
        return f"{name} {version(self.package)}"


def run_id_of(number: int) -> str:
    """Return the ID of a run of the emulator."""
    return f"00000000-0000-4000-8000-{number:012}"


def _serve_ours(_: Path, runs: int) -> Emulator:
    emulator = Emulator(runs)
    os.environ["AIRFLOW_CONN_FLOWSERVICE_DEFAULT"] = emulator.connection
    return emulator


def _new_ours(number: int, interval: float) -> Any:
    from airflow_provider_flowservice.triggers.flowservice import DataflowRunTrigger

    deadline = time.time() + FOREVER
    return DataflowRunTrigger(run_id_of(number), poll_interval=interval, deadline=deadline)


def _serve_databricks(_: Path, __: int) -> Fake:
    fake = Fake()
    # A personal token, since the peer requests tokens of a service principal over TLS only.
    _connect(
        "DATABRICKS",
        conn_type="databricks",
        schema="http",
        password="token",
        host="127.0.0.1",
        port=fake.port,
    )
    return fake


def _new_databricks(_: int, interval: float) -> Any:
    from airflow.providers.databricks.triggers.databricks import DatabricksExecutionTrigger

    return DatabricksExecutionTrigger(1, "bench_databricks", polling_period_seconds=interval)


def _serve_dbt(folder: Path, _: int) -> Fake:
    # It does not support plain HTTP.
    fake = Fake(make_certificate(folder))
    host = fake.url.removeprefix("https://")
    _connect("DBT", conn_type="dbt_cloud", host=host, login="1", password="token")
    return fake


def _new_dbt(_: int, interval: float) -> Any:
    from airflow.providers.dbt.cloud.triggers.dbt import DbtCloudRunJobTrigger

    return DbtCloudRunJobTrigger("bench_dbt", 1, time.time() + FOREVER, interval, 1)


def _serve_airbyte(_: Path, __: int) -> Fake:
    fake = Fake()
    _connect("AIRBYTE", conn_type="airbyte", host=f"{fake.url}/v1/", login="id", password="secret")
    return fake


def _new_airbyte(_: int, interval: float) -> Any:
    from airflow.providers.airbyte.triggers.airbyte import AirbyteSyncTrigger

    return AirbyteSyncTrigger(1, "bench_airbyte", time.time() + FOREVER, interval)


def _connect(name: str, **connection: str | int) -> None:
    os.environ[f"AIRFLOW_CONN_BENCH_{name}"] = json.dumps(connection)


OURS = "ours"
CONTENDERS = {
    OURS: Contender(
        "airflow-provider-flowservice",
        "airflow_provider_flowservice.operators.flowservice",
        _serve_ours,
        _new_ours,
    ),
    "databricks": Contender(
        "apache-airflow-providers-databricks",
        "airflow.providers.databricks.operators.databricks",
        _serve_databricks,
        _new_databricks,
    ),
    "dbt-cloud": Contender(
        "apache-airflow-providers-dbt-cloud",
        "airflow.providers.dbt.cloud.operators.dbt",
        _serve_dbt,
        _new_dbt,
    ),
    "airbyte": Contender(
        "apache-airflow-providers-airbyte",
        "airflow.providers.airbyte.operators.airbyte",
        _serve_airbyte,
        _new_airbyte,
    ),
}
# Only its import is measured, since its trigger cannot use a local service.
FIVETRAN = ("airflow-provider-fivetran-async", "fivetran_provider_async.operators")
