"""The commands as part of Airflow's own command line."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files

import pytest

from airflow_provider_flowservice._commands.airflow_cli import get_commands
from airflow_provider_flowservice._commands.definitions import COMMANDS

SCHEMA = json.loads(files("airflow").joinpath("provider_info.schema.json").read_text())


def test_airflow_gets_each_command_with_each_option():
    (group,) = get_commands()

    found = {command.name: [arg.flags for arg in command.args] for command in group.subcommands}
    assert group.name == "flowservice"
    assert found == {
        command.name: [tuple(flags) for flags, _ in command.options] for command in COMMANDS
    }


@pytest.mark.skipif("cli" not in SCHEMA["properties"], reason="before Airflow 3.2")
def test_airflow_runs_a_command_and_ends_with_its_exit_status(seeded_flowservice):
    command = [sys.executable, "-m", "airflow", "flowservice", "failures", "--json"]

    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)

    assert done.returncode == 1, done.stderr
    assert len(json.loads(done.stdout)["failures"]) == 4
