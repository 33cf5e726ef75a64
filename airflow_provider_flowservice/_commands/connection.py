"""The one place in which commands open their connection, and tell why it cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

from airflow_provider_flowservice._client.check import failure_text
from airflow_provider_flowservice._commands.quiet import quiet_client, say
from airflow_provider_flowservice._compat import AirflowException
from airflow_provider_flowservice._connection.settings import Settings
from airflow_provider_flowservice._json import line
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

_LONGEST_MESSAGE = 2000

T = TypeVar("T")


def open_hook(conn_id: str, via: str | None = None) -> FlowServiceHook:
    """
    Return the hook for a connection, which is read when the hook needs it.

    :param via: Base URL on a loopback address, to which requests to the service and for tokens go
        instead; ``None`` for the addresses in the connection.
    :raises ValueError: ``conn_id`` is empty.
    """
    return FlowServiceHook(conn_id) if via is None else _ReroutedHook(conn_id, via)


def reach(
    conn_id: str, via: str | None, read: Callable[[FlowServiceHook], T]
) -> tuple[FlowServiceHook, T] | None:
    """
    Open a connection, get a token, and read from the service.

    :param via: See :func:`open_hook`.
    :param read: Reads with the hook, and raises a ``ValueError`` or an error of ours.
    :return: The hook, and what was read; ``None`` after an error, which is told with what to do.
    """
    stage = "connection"
    try:
        hook = open_hook(conn_id, via)
        client = quiet_client(hook)
        stage = "token"
        client.get_token()
        stage = "flows"
        return hook, read(hook)
    except (ValueError, AirflowException) as error:
        say(line(failure_text(stage, error, conn_id), _LONGEST_MESSAGE))
        return None


class _ReroutedHook(FlowServiceHook):
    def __init__(self, conn_id: str, via: str) -> None:
        super().__init__(conn_id)
        self._via = via

    @cached_property
    def settings(self) -> Settings:
        """The settings in the Airflow connection, with other addresses."""
        # Plain HTTP on this machine needs no CA bundle.
        return replace(super().settings, base_url=self._via, ims_url=self._via, ca_bundle=None)
