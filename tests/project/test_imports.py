"""What is public can be imported, and parsing a DAG loads no HTTP client."""

from __future__ import annotations

import importlib
import importlib.resources
import subprocess
import sys

import pytest

from airflow_provider_flowservice.get_provider_info import get_provider_info

PACKAGE = "airflow_provider_flowservice"
PUBLIC = [
    f"{PACKAGE}.hooks.flowservice.FlowServiceHook",
    f"{PACKAGE}.operators.flowservice.RetriggerDataflowRunOperator",
    f"{PACKAGE}.sensors.flowservice.DataflowRunSensor",
    f"{PACKAGE}.triggers.flowservice.DataflowRunTrigger",
    f"{PACKAGE}.links.flowservice.DataflowRunLink",
    f"{PACKAGE}.exceptions.FlowServiceError",
    f"{PACKAGE}.runs.DataflowRun",
    f"{PACKAGE}.runs.RunError",
    f"{PACKAGE}.runs.RunSummary",
    f"{PACKAGE}.flows.Dataflow",
    f"{PACKAGE}.repairs.repair_request",
    f"{PACKAGE}.emulator.FlowServiceEmulator",
    f"{PACKAGE}.emulator.Fault",
    f"{PACKAGE}.emulator.Lifecycle",
    f"{PACKAGE}.emulator.Replay",
    f"{PACKAGE}.emulator.Seen",
]


def named_in_the_provider_info():
    """List all dotted paths that Airflow is told."""

    def strings(value):
        if isinstance(value, dict):
            for inner in value.values():
                yield from strings(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from strings(inner)
        elif isinstance(value, str) and value.startswith(f"{PACKAGE}."):
            yield value

    return sorted(set(strings(get_provider_info())))


@pytest.mark.parametrize("path", PUBLIC)
def test_all_that_is_public_can_be_imported_and_says_what_it_is(path):
    module, _, name = path.rpartition(".")
    found = getattr(importlib.import_module(module), name)

    assert found.__doc__


@pytest.mark.parametrize("path", named_in_the_provider_info())
def test_everything_airflow_is_told_of_exists(path):
    module, _, name = path.rpartition(".")
    try:
        importlib.import_module(path)
    except ModuleNotFoundError:
        assert hasattr(importlib.import_module(module), name)


def test_what_is_private_has_a_room_but_for_what_all_rooms_need():
    files = {entry.name for entry in importlib.resources.files(PACKAGE).iterdir()}

    private = {name for name in files if name.startswith("_") and name.endswith(".py")}
    assert private - {"__init__.py", "__main__.py"} == {"_defaults.py", "_json.py", "_lineage.py"}


IMPORT = f"""
import importlib, os, sys
import {PACKAGE}._compat  # Airflow itself, whatever that loads
before = set(sys.modules)
for modules in sys.argv[1:]:
    if (pid := os.fork()) == 0:
        for module in modules.split():
            importlib.import_module(f"{PACKAGE}.{{module}}")
        print(*sorted(set(sys.modules) - before), flush=True)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
"""
OPERATORS, SENSORS = "operators.flowservice", "sensors.flowservice"
BOTH, CLI = f"{OPERATORS} {SENSORS}", "_commands.airflow_cli"
ASKED = [BOTH, OPERATORS, SENSORS, "repairs", CLI]


@pytest.fixture(scope="module")
def loaded_by():
    """What imports of ours load beyond Airflow, each in a process of its own; Airflow is loaded once."""
    command = [sys.executable, "-c", IMPORT, *ASKED]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()[-len(ASKED) :]
    return {modules: line.split() for modules, line in zip(ASKED, lines, strict=True)}


def ours(loaded):
    """Return the names of our modules among those loaded."""
    return {name.removeprefix(f"{PACKAGE}.") for name in loaded if name.startswith(PACKAGE)}


def test_parsing_a_dag_loads_neither_an_http_client_nor_the_emulator(loaded_by):
    loaded = loaded_by[BOTH]

    assert f"{PACKAGE}.sensors.flowservice" in loaded
    names = ("http", "total_timeout", "client", "tokens", "ims")
    client = {f"{PACKAGE}._client.{name}" for name in names}
    assert not {"requests", "urllib3", "http.client", *client} & set(loaded)
    assert not [name for name in loaded if name.startswith(f"{PACKAGE}.emulator")]


def test_parsing_a_dag_of_operators_loads_nothing_of_what_their_tasks_do(loaded_by):
    what_they_show = {"_lineage", "assets", "assets.flowservice", "links", "links.flowservice"}
    arguments = {"_defaults", "_arguments", "_arguments.checked", "_arguments.kinds"}
    themselves = {"operators", "operators._base", OPERATORS}
    assert ours(loaded_by[OPERATORS]) == {*themselves, *arguments, *what_they_show}


def test_parsing_a_dag_of_sensors_loads_nothing_of_what_their_tasks_do(loaded_by):
    rooms = ("_client", "_selection", "_exactly_once", "_waiting", "_outcomes", "hooks", "triggers")

    loaded = loaded_by[SENSORS]

    assert f"{PACKAGE}.{SENSORS}" in loaded
    assert not [name for name in loaded if name.startswith(tuple(f"{PACKAGE}.{r}" for r in rooms))]


def test_asking_for_a_repair_needs_runs_and_arguments_only(loaded_by):
    arguments = {"_arguments", "_arguments.kinds"}
    assert ours(loaded_by["repairs"]) == {"repairs", "runs", "_json", *arguments}


def test_what_airflow_loads_for_each_of_its_commands_is_little(loaded_by):
    arguments = {"_defaults", "_arguments", "_arguments.kinds"}
    commands = {"_commands", "_commands.definitions", "_commands.quiet"}
    assert ours(loaded_by[CLI]) == {CLI, *commands, *arguments}
