"""
Pytest plugin that lets users test their DAGs without an Adobe account.

Active wherever this package is installed; imports only pytest until a test uses one of its
fixtures.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_provider_flowservice.emulator import FlowServiceEmulator, Lifecycle

__all__ = ["fails", "flowservice", "flowservice_conn_id", "remove_delays", "succeeds"]

_PAUSES: dict[str, Any] = {
    "poll_interval": 0.01,
    "poke_interval": 0.01,
    "settle_time": 0,
    "retry_delay": timedelta(0),
}


@pytest.fixture
def flowservice_conn_id() -> str:
    """ID of the connection to the local Flow Service; override the fixture for another ID."""
    from airflow_provider_flowservice._defaults import CONN_ID

    return CONN_ID


@pytest.fixture
def flowservice(
    flowservice_conn_id: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FlowServiceEmulator]:
    """Run a local Flow Service without flows and runs, with an Airflow connection to it."""
    from airflow_provider_flowservice._client.tokens import drop_tokens
    from airflow_provider_flowservice.emulator import FlowServiceEmulator

    drop_tokens()
    with FlowServiceEmulator() as emulator:
        name = f"AIRFLOW_CONN_{flowservice_conn_id.upper()}"
        monkeypatch.setenv(name, emulator.connection_json)
        yield emulator
    drop_tokens()


def succeeds(records: int = 100, failed_records: int = 0) -> Lifecycle:
    """
    Let a re-triggered run succeed.

    :param records: Number of records it reads.
    :param failed_records: Number of those that it rejects.
    """
    from airflow_provider_flowservice.emulator import Lifecycle

    return Lifecycle(("inProgress", "success"), records=records, failed_records=failed_records)


def fails(
    message: str = "The source cannot be read.", code: str = "CONNECTOR-2001-500"
) -> Lifecycle:
    """
    Let a re-triggered run fail.

    :param message: Text of its last error.
    :param code: Code of that error.
    """
    from airflow_provider_flowservice.emulator import Lifecycle

    return Lifecycle(("inProgress", "failed"), error=(code, message))


def remove_delays(dag: Any) -> None:
    """
    Remove the delays between polls and before retries from all tasks of a DAG.

    Runs of the local Flow Service then advance with each poll. One delay stays: a task that is
    deferred waits for at least five seconds, since its trigger polls first after that time.

    :param dag: The DAG.
    """
    for task in dag.tasks:
        # The arguments that a mapped task passes to its instances, or the attributes of another
        # task.
        settings = task.partial_kwargs if hasattr(task, "partial_kwargs") else vars(task)
        # Of parent classes as well, since a constructor passes on what it does not know.
        accepted = {
            name
            for base in getattr(task, "operator_class", type(task)).__mro__
            if "__init__" in vars(base)
            for name in inspect.signature(vars(base)["__init__"]).parameters
        }
        settings.update({name: pause for name, pause in _PAUSES.items() if name in accepted})
