"""The hook of a command: the one place in which commands open their connection."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from airflow_provider_flowservice._connection.settings import Settings
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook


def open_hook(conn_id: str, via: str | None = None) -> FlowServiceHook:
    """
    Return the hook for a connection, which is read when the hook needs it.

    :param via: Base URL on a loopback address, to which requests to the service and for tokens go
        instead; ``None`` for the addresses in the connection.
    :raises ValueError: ``conn_id`` is empty.
    """
    return FlowServiceHook(conn_id) if via is None else _ReroutedHook(conn_id, via)


class _ReroutedHook(FlowServiceHook):
    def __init__(self, conn_id: str, via: str) -> None:
        super().__init__(conn_id)
        self._via = via

    @cached_property
    def settings(self) -> Settings:
        """The settings in the Airflow connection, with other addresses."""
        # Plain HTTP on this machine needs no CA bundle.
        return replace(super().settings, base_url=self._via, ims_url=self._via, ca_bundle=None)
