"""Each command in the documentation is executed here or by a test named here; else it says why not."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from airflow_provider_flowservice.__main__ import main
from airflow_provider_flowservice.emulator.seed import ORDERS_FLOW_ID, SEEDED_FAILED_RUN_ID
from helpers.pages import FOR_CONTRIBUTORS, GUIDES, README, ROOT, functions_of, tokens

pytestmark = pytest.mark.once

PROGRAM = "python -m airflow_provider_flowservice "
# What a test may run on whatever machine it is on; all else has to be named below.
HARMLESS = re.compile(r"export |grep |curl .* http://127\.0\.0\.1|jq |python -m airflow_provider")
# Inline, what begins so is a command.
INLINE = re.compile(
    r"(\.nox|\.venv|\.venv-tools)/bin/|(airflow|gh|git|make|pip|pytest|python|uv) \S"
)
PLACEHOLDERS = {"RUN_ID": SEEDED_FAILED_RUN_ID, "FLOW_ID": ORDERS_FLOW_ID}
# These return 0 or 1, by what they find.
FINDS_SOMETHING = {"failures", "probe", "record"}

PROBE = "commands/test_probe.py::test_who_is_asked_is_told_what_will_be_sent"
BY_TESTS = {
    r"python -m dev.outcome_table": (
        "outcomes/test_table.py::test_the_documented_table_is_the_one_that_decides"
    ),
    r"make demo": "integration/test_demo.py::test_the_demo_prints_what_readme_shows",
    r"make demo-ui": "project/test_demo_ui.py::test_a_connection_of_what_is_printed_works",
    r"airflow connections test flowservice_default": (
        "integration/test_examples.py::test_the_connection_can_be_tested"
    ),
    r"airflow flowservice \w+": (
        "commands/test_airflow_cli.py::test_airflow_gets_each_command_with_each_option"
    ),
    r"python -m airflow_provider_flowservice probe --retrigger RUN_ID": PROBE,
    r"python -m airflow_provider_flowservice record .* probe --retrigger RUN_ID": PROBE,
    r"python -m airflow_provider_flowservice record .* --conn-id my_tenant": (
        "commands/test_record.py::test_without_a_command_a_proxy_waits_for_a_dag"
    ),
    r"python -m airflow_provider_flowservice.emulator": (
        "emulator/test_emulator_service.py::test_the_command_serves_until_told_to_end"
    ),
    r"python -m airflow_provider_flowservice.emulator --replay tenant.jsonl": (
        "emulator/test_replay.py::test_the_command_plays_a_recording_and_says_what_it_is"
    ),
}
INDEX = "asks the package index"
LONG = "takes many minutes; the workflow on GitHub runs it"
NOT_HERE = {
    r"git clone REPOSITORY .*|cd .*": "the address of the repository is not known yet",
    r"pip install .*airflow-provider-flowservice.*": "the package is not on the package index yet",
    r"make bench|\.venv-tools/bin/nox -s bench -- .*": (
        "measures for a quarter of an hour, beside packages of others"
    ),
    r"make release TAG=.*|git tag .*": "is the release itself",
    r"gh attestation verify .*": "there is no release yet",
    r"uv pip check": "each row of `make test` runs it, in its environment",
    r"make pin|.*nox -s pin -- FILE": f"{INDEX} for the newest releases",
    r"\.venv-tools/bin/nox -s \"airflow\(3\.0\.6\)\" .*": "a part of `make test`",
    r"make (test-distributed|test-platforms|platform-.*)": LONG,
    r"airflow backfill create .*": "needs a scheduler, and would load a month of windows",
    r"gcloud .*": "changes an environment of Google Cloud Composer",
    r"airflow dags backfill .*": "belongs to Airflow 2.11; its successor stands beside it",
    r"airflow dags test": "names a command of Airflow",
}
"""Regular expressions of whole commands."""


def commands_of(page: Path) -> Iterator[str]:
    # Those are followed from block to block in integration/test_tutorials.py.
    is_tutorial = page.parent.name == "tutorials"
    for token in tokens(page):
        if token.type == "fence" and token.info.strip() == "sh" and not is_tutorial:
            yield from _lines(token.content)
        for child in token.children or ():
            if child.type == "code_inline" and INLINE.match(child.content):
                yield child.content


def _lines(block: str) -> Iterator[str]:
    """Yield the commands of a block, each of which may go over several lines."""
    command = ""
    for line in block.splitlines():
        command += line
        is_whole = command.count("'") % 2 == 0 and not command.endswith(("\\", "|"))
        if is_whole and command.strip():
            yield re.sub(r"\s+# .*", "", command).strip()
            command = ""
        elif command:
            command = command.removesuffix("\\") + ("" if command.endswith("\\") else "\n")
    assert not command, f"This command has no end: {command}"


# The changelog names commands in general, as they were.
PAGES = [README, *GUIDES, *(page for page in FOR_CONTRIBUTORS if page.stem != "CHANGELOG")]
COMMANDS = sorted({command for page in PAGES for command in commands_of(page)})


@pytest.fixture
def flowservice_url(tmp_path, monkeypatch, seeded_flowservice):
    """The address of a Flow Service with a connection to it; the folder is empty."""
    monkeypatch.chdir(tmp_path)
    return seeded_flowservice.url


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[:60])
def test_a_command_does_what_the_page_says(command, request):
    for pattern, reason in NOT_HERE.items():
        if re.fullmatch(pattern, command):
            pytest.skip(f"{command}: {reason}")
    for pattern, test in BY_TESTS.items():
        if re.fullmatch(pattern, command):
            file, name = test.split("::")
            assert name in functions_of(ROOT / "tests" / file)
            return
    if command.startswith("make "):
        _is_checked_by_make(command.split()[1])
    elif "pytest" in command.split()[0]:
        _selects_tests(command)
    else:
        assert HARMLESS.match(command), f"Say what runs this, or why nothing does: {command}"
        _run(command, request.getfixturevalue("flowservice_url"))


def _is_checked_by_make(target: str) -> None:
    """Check that ``make test`` runs a target."""
    assert f"/{target}.json" in _make_test() or target in ("test", "env", "help"), target


@cache
def _make_test() -> str:
    """Return what ``make test`` would run."""
    return subprocess.run(
        ["make", "--dry-run", "--always-make", "-C", ROOT, "test"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def _selects_tests(command: str) -> None:
    _, *arguments = shlex.split(command)
    word = (
        arguments.pop(arguments.index("-k") + 1).removeprefix("test_") if "-k" in arguments else ""
    )
    paths = [ROOT / argument for argument in arguments if not argument.startswith("-")]
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py"))]

    assert files
    assert any(re.search(rf"def test_\w*{word}", file.read_text()) for file in files)


def _run(command: str, flowservice_url: str) -> None:
    for placeholder, value in {**PLACEHOLDERS, "http://127.0.0.1:8099": flowservice_url}.items():
        command = command.replace(placeholder, value)
    if "record" not in command.split():
        shutil.copy(ROOT / "tests" / "recordings" / "emulator.jsonl", "tenant.jsonl")
    if command.startswith(PROGRAM) and "|" not in command:
        arguments = shlex.split(command.removeprefix(PROGRAM))
        try:
            status = main(arguments)
        except SystemExit as exit_:
            status = exit_.code or 0
    else:
        status = _run_in_shell(command)
    if command.startswith("grep "):
        assert status == 1  # what must not be there is not found
    else:
        finds_something = any(word in command.split() for word in FINDS_SOMETHING)
        assert status in ({0, 1} if finds_something else {0})


def _run_in_shell(command: str) -> int:
    for program in ("curl", "jq"):
        if re.search(rf"\b{program} ", command) and not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    bash = ["bash", "-euc", "-o", "pipefail", command]
    return subprocess.run(
        bash, env={**os.environ, "PATH": programs}, timeout=60, check=False
    ).returncode
