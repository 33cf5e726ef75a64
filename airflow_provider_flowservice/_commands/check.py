"""Prints the stages of a connection's check."""

from __future__ import annotations

from airflow_provider_flowservice._client.check import check_connection
from airflow_provider_flowservice._commands.connection import open_hook
from airflow_provider_flowservice._commands.quiet import quiet_client


def check(conn_id: str, flow_id: str | None, via: str | None = None) -> int:
    """
    Check a connection.

    :param flow_id: ID of a flow whose source account to test as well.
    :param via: See :func:`open_hook`.
    :return: Exit status: 0 if all is well, 1 if not.
    """
    hook = open_hook(conn_id, via)
    print(f"Checking Airflow connection {conn_id!r}:")
    is_ok = True
    for stage in check_connection(conn_id, lambda: quiet_client(hook), flow_id):
        print(f"  {'ok' if stage.is_ok else 'FAILED':<8}{stage.name:<12}{stage.text}", flush=True)
        is_ok = stage.is_ok
    return 0 if is_ok else 1
