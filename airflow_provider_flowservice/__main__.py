"""Checks an Airflow connection: ``python -m airflow_provider_flowservice check``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_flowservice._arguments.kinds import ID, WrongArgumentError
from airflow_provider_flowservice._defaults import CONN_ID

if TYPE_CHECKING:
    from airflow_provider_flowservice._client.client import FlowServiceClient


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command.

    :param arguments: Command-line arguments; ``None`` for those of the process.
    :return: Exit code: 0 if all is well, 1 if not.
    """
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_flowservice")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser(
        "check",
        help="check an Airflow connection of type flowservice",
        description="Check an Airflow connection, stage by stage. Reads only, changes nothing.",
    )
    check.add_argument("--conn-id", default=CONN_ID, help="default: %(default)s")
    check.add_argument(
        "--flow", type=_flow_id, metavar="ID", help="flow whose source account to test as well"
    )
    parsed = parser.parse_args(arguments)
    conn_id = parsed.conn_id
    # Airflow's own command for connections does the same: from 3.2 on, only processes with this
    # variable read connections from the metadata database.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    # Late, since Airflow takes seconds to import, and errors in the command line come first.
    from airflow_provider_flowservice._client.check import check_connection
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

    hook = FlowServiceHook(conn_id)

    def connect() -> FlowServiceClient:
        # Airflow logs the traceback of a connection that it cannot read; a stage says it in a
        # sentence.
        logging.disable(logging.ERROR)
        try:
            return hook.get_conn()
        finally:
            logging.disable(logging.NOTSET)

    print(f"Checking Airflow connection {conn_id!r}:")
    is_ok = True
    for stage in check_connection(conn_id, connect, parsed.flow):
        print(f"  {'ok' if stage.is_ok else 'FAILED':<8}{stage.name:<12}{stage.text}", flush=True)
        is_ok = stage.is_ok
    return 0 if is_ok else 1


def _flow_id(text: str) -> str:
    try:
        return str(ID.read(text))
    except WrongArgumentError:
        raise argparse.ArgumentTypeError(f"{text!r} is not {ID.allowed}") from None


if __name__ == "__main__":
    sys.exit(main())
