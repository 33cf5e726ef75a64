"""Connects a command to the service."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_flowservice._client.client import FlowServiceClient
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook


def quiet_client(hook: FlowServiceHook) -> FlowServiceClient:
    """
    Return the hook's client, and log nothing.

    Airflow logs the traceback of a connection that it cannot read; a command says it in a sentence.
    """
    logging.disable(logging.ERROR)
    try:
        return hook.get_conn()
    finally:
        logging.disable(logging.NOTSET)
