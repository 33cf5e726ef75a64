"""Keeps the output of a command free of what Airflow and Python write beside it."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def logs_on_stderr() -> Iterator[None]:
    """
    Send what is written to standard output to standard error.

    Airflow logs to the former, also while it is imported, and may have opened it before.
    """
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)


def say(text: str) -> None:
    """Tell the user something beside the result, which has standard output for itself."""
    print(text, file=sys.stderr, flush=True)


def write(text: str) -> None:
    """Write to standard output, whose reader may have seen enough, such as ``head``."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of flows may have letters that it lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Python flushes it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
