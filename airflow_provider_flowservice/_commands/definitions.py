"""
The commands and their options, for ``python -m airflow_provider_flowservice`` and for Airflow's CLI.

Imports little: Airflow takes seconds to import, and errors in the command line come first.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from airflow_provider_flowservice._arguments import kinds
from airflow_provider_flowservice._defaults import CONN_ID


class Command(NamedTuple):
    """
    A command.

    :param options: The flags of each option, and how ``argparse`` reads it.
    :param function: Runs it with the parsed options, and returns the exit status.
    """

    name: str
    help: str
    description: str
    options: Sequence[tuple[Sequence[str], dict[str, Any]]]
    function: Callable[[argparse.Namespace], int]

    def run(self, parsed: argparse.Namespace) -> int:
        """
        Run the command.

        :param parsed: The options.
        :return: Exit status.
        """
        # Airflow's own command for connections does the same: from 3.2 on, only processes with this
        # variable read connections from the metadata database.
        os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
        return self.function(parsed)


def _check(parsed: argparse.Namespace) -> int:
    from airflow_provider_flowservice._commands.check import check

    return check(parsed.conn_id, parsed.flow)


def _flow_id(text: str) -> str:
    try:
        return str(kinds.ID.read(text))
    except kinds.WrongArgumentError:
        raise argparse.ArgumentTypeError(f"{text!r} is not {kinds.ID.allowed}") from None


_CONN_ID = (["--conn-id"], {"default": CONN_ID, "help": "default: %(default)s"})

COMMANDS = (
    Command(
        "check",
        "check an Airflow connection of type flowservice",
        "Check an Airflow connection, stage by stage. Reads only, changes nothing.",
        [
            _CONN_ID,
            (
                ["--flow"],
                {
                    "type": _flow_id,
                    "metavar": "ID",
                    "help": "flow whose source account to test as well",
                },
            ),
        ],
        _check,
    ),
)
