"""Runs the commands: ``python -m airflow_provider_flowservice COMMAND``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from airflow_provider_flowservice._commands.definitions import COMMANDS, parser_of


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command.

    :param arguments: Command-line arguments; ``None`` for those of the process.
    :return: Exit status of the command.
    """
    parser = parser_of(COMMANDS, "python -m airflow_provider_flowservice")
    parsed = parser.parse_args(arguments)
    return int(parsed.run(parsed))


if __name__ == "__main__":
    sys.exit(main())
