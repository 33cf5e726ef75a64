"""Runs the commands: ``python -m airflow_provider_flowservice COMMAND``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from airflow_provider_flowservice._commands.definitions import COMMANDS


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command.

    :param arguments: Command-line arguments; ``None`` for those of the process.
    :return: Exit status of the command.
    """
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_flowservice")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.name, help=command.help, description=command.description
        )
        for flags, settings in command.options:
            subparser.add_argument(*flags, **settings)
        subparser.set_defaults(run=command.run)
    parsed = parser.parse_args(arguments)
    return int(parsed.run(parsed))


if __name__ == "__main__":
    sys.exit(main())
