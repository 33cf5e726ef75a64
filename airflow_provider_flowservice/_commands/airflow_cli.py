"""The commands as ``airflow flowservice COMMAND``, from Airflow 3.2 on."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_flowservice._commands.definitions import COMMANDS, Command

if TYPE_CHECKING:
    from airflow.cli.cli_config import CLICommand


def get_commands() -> list[CLICommand]:
    """Return the commands for Airflow, which asks each time that ``airflow`` starts."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

    actions = [
        ActionCommand(
            name=command.name,
            help=command.help,
            description=command.description,
            func=partial(_run, command),
            args=[Arg(tuple(flags), **settings) for flags, settings in command.options],
        )
        for command in COMMANDS
    ]
    return [
        GroupCommand(
            "flowservice", "Look after dataflow runs of Adobe Experience Platform", actions
        )
    ]


def _run(command: Command, parsed: argparse.Namespace) -> None:
    # Airflow ignores what the function returns.
    sys.exit(command.run(parsed))
