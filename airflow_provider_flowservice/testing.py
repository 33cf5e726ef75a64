"""
Pytest plugin that lets users test their DAGs without an Adobe account.

Active wherever this package is installed; loads nothing but pytest until one of its fixtures is used.
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
    "poll_interval": 0,
    "poke_interval": 0,
    "settle_time": 0,
    "retry_delay": timedelta(0),
}


@pytest.fixture
def flowservice_conn_id() -> str:
    """ID of the connection that leads to the local Flow Service; override it for another one."""
    from airflow_provider_flowservice._defaults import CONN_ID

    return CONN_ID


@pytest.fixture
def flowservice(
    flowservice_conn_id: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FlowServiceEmulator]:
    """Run a local Flow Service, without flows and runs, behind an Airflow connection."""
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
    Let a re-triggered run end in success.

    :param records: Records it reads.
    :param failed_records: Records it rejects, out of those read.
    """
    from airflow_provider_flowservice.emulator import Lifecycle

    return Lifecycle(("inProgress", "success"), records=records, failed_records=failed_records)


def fails(
    message: str = "The source cannot be read.", code: str = "CONNECTOR-2001-500"
) -> Lifecycle:
    """
    Let a re-triggered run fail.

    :param message: What the last of its errors says.
    :param code: Code of that error.
    """
    from airflow_provider_flowservice.emulator import Lifecycle

    return Lifecycle(("inProgress", "failed"), error=(code, message))


def remove_delays(dag: Any) -> None:
    """
    Take the pauses out of a DAG: those between two looks at a run, and those before a retry.

    The local Flow Service does not mind: its runs move on with each look.
    """
    for task in dag.tasks:
        # What a mapped task hands to each of its instances, or the attributes of any other.
        settings = task.partial_kwargs if hasattr(task, "partial_kwargs") else vars(task)
        accepted = _arguments_of(getattr(task, "operator_class", type(task)))
        settings.update({name: pause for name, pause in _PAUSES.items() if name in accepted})


def _arguments_of(operator_class: type) -> set[str]:
    """Return the names of the constructor's arguments, those of its parents among them."""
    return {
        name
        for base in operator_class.__mro__
        if "__init__" in vars(base)
        for name in inspect.signature(vars(base)["__init__"]).parameters
    }
