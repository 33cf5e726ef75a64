"""
The tutorials, followed from an empty folder: what they say to do is done, and what they show is printed.

Files, commands and what these print are taken from the pages. What a reader does in the browser is done
in ``test_ui.py``.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from helpers.pages import DOCS, tokens
from integration.airflow_api import AirflowApi, wait_until
from integration.airflow_instance import session_pids
from integration.servers import free_port

pytestmark = pytest.mark.timeout(400)  # boots an Airflow, and waits for what it defers

TUTORIALS = DOCS / "tutorials"

# The environment of these tests, which has the package, takes the place of one that is made for minutes.
_INSTALL = re.compile(r"python3 -m venv \.venv\n\.venv/bin/pip install (.+)")
# Servers, each in a terminal of its own until Ctrl-C. Others may listen on the ports of the pages.
_EMULATOR, _AIRFLOW = "python -m airflow_provider_flowservice.emulator", "airflow standalone"
_EMULATOR_PORT = "8099"

_SECONDS = 150.0  # for a command, for a server to be up, and for what is asked for repeatedly


# What a page says


@dataclass
class File:
    """A file to save."""

    name: str
    text: str


@dataclass
class Edit:
    """A text in a file, and what to replace it by."""

    name: str
    old: str
    new: str


@dataclass
class Commands:
    """Commands to run, and of what they print the lines that the page shows."""

    text: str
    shown: list[str] = field(default_factory=list)
    is_repeated: bool = False


Step = File | Edit | Commands

_SAVE = re.compile(r"[Ss]ave [^.]*\bas\s+`([^`]+)`")
_EDIT = re.compile(r"in\s+`([^`]+)`,\s+replace\s+`([^`]+)`\s+by\s+`([^`]+)`")


def steps(name: str) -> list[Step]:
    """Return what a reader of the page does, in order."""
    page = TUTORIALS / f"{name}.md"
    found: list[Step] = []
    prose = [""]  # since the last block
    for token in tokens(page):
        if token.type == "inline":
            prose.append(token.content)
            found += [Edit(*words) for words in _EDIT.findall(token.content)]
        elif token.type == "fence":
            kind, _, path = token.info.partition(" ")
            saved_as = _SAVE.search(prose[-1])
            if kind == "{literalinclude}":
                assert saved_as, f"{name} does not say where {path} belongs"
                found.append(File(saved_as[1], (page.parent / path).read_text()))
            elif saved_as:
                found.append(File(saved_as[1], token.content))
            elif kind == "sh":
                found.append(Commands(token.content))
            else:
                commands = found[-1]
                assert isinstance(commands, Commands), f"{name} does not say what prints this"
                commands.shown = token.content.splitlines()
                commands.is_repeated = "Repeat the command" in " ".join(prose)
            prose = [""]
    return found


# What is printed

_VARIES = re.compile(
    r"(?P<cut>\.\.\.)"
    r"|(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
    r"|(?P<minute>\d{4}-\d\d-\d\d \d\d:\d\d)"
    r"|(?P<moment>\d{8}T\d{6}\.\d{3}Z)"
    r"|(?P<seconds>in \d+\.\d\ds)"
    r"|(?P<rule>==+)"
    r"|(?P<columns>  +)"
)
_INSTEAD = {
    "cut": ".*",
    "minute": r"\d{4}-\d\d-\d\d \d\d:\d\d",
    "moment": r"\d{8}T\d{6}(?:\.\d{3})?Z",
    "seconds": r"in \d+\.\d\ds(?: \([\d:]+\))?",
    "rule": "=+",
    "columns": " +",
}
_SEEDED_ID = re.compile(r"([1-9])\1{7}-|f[1-9]0{6}-")


class Printed:
    """What a page shows, found in what is printed. New runs have other IDs here, the same all over a page."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}  # here, by those on the page

    def missing(self, shown: Sequence[str], printed: str) -> str | None:
        """Return the first line of the page that is not printed, in order, or none."""
        ids = dict(self._ids)
        rest = iter(printed.splitlines())
        for line in shown:
            if line.strip() in {"", "..."}:
                continue
            pattern = re.compile(self._pattern(line, ids))
            found = next(filter(None, (pattern.fullmatch(each.rstrip()) for each in rest)), None)
            if not found:
                return line
            ids |= {name[3:].replace("_", "-"): text for name, text in found.groupdict().items()}
        self._ids = ids
        return None

    def _pattern(self, line: str, ids: dict[str, str]) -> str:
        parts, end = [], 0
        for found in _VARIES.finditer(line.rstrip()):
            parts += [re.escape(line[end : found.start()]), self._instead(found, ids)]
            end = found.end()
        return "".join([*parts, re.escape(line[end:].rstrip())])

    def _instead(self, found: re.Match[str], ids: dict[str, str]) -> str:
        if found.lastgroup != "id":
            return _INSTEAD[str(found.lastgroup)]
        if _SEEDED_ID.match(found[0]):
            return found[0]
        return ids.get(found[0]) or f"(?P<id_{found[0].replace('-', '_')}>[0-9a-f-]{{36}})"


# Who follows it


class Reader:
    """
    Somebody with nothing but an empty folder, who does what the pages say.

    A context manager, after which everything is stopped that was started.

    :param folder: The folder; what is written beside it is not the reader's.
    """

    def __init__(self, folder: Path) -> None:
        self._home = folder / "home"
        self._home.mkdir()
        # Commands that restore the first terminal: its variables, and in the last line its folder.
        self._terminal = folder / "terminal"
        self._terminal.write_text(f"cd '{self._home}'\n")
        self._output = folder / "output"
        self._port, self._emulator_port, worker_logs, trigger_logs = (
            str(free_port()) for _ in range(4)
        )
        self._env = {
            "HOME": str(self._home),
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            # For ports that are free.
            "AIRFLOW__API__BASE_URL": self._url,
            "AIRFLOW__API__PORT": self._port,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self._url}/execution/",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": trigger_logs,
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": worker_logs,
            # To spare the machine.
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
            "AIRFLOW__CORE__PARALLELISM": "4",
        }
        self._api = AirflowApi(self._url)
        self._started: list[subprocess.Popen[bytes]] = []
        self._emulator: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._started:
            for pid in session_pids(process.pid):
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()

    def follow(self, name: str, *, but: Sequence[str] = ()) -> None:
        """
        Do what a page says, and check that what it shows is printed.

        :param name: Name of the page.
        :param but: The last lines of the commands that are left out.
        """
        printed, left_out = Printed(), []
        for step in steps(name):
            if isinstance(step, File):
                self._file(step.name).write_text(self._adapted(step.text))
            elif isinstance(step, Edit):
                text = self._file(step.name).read_text()
                assert text.count(step.old) == 1, f"{name} replaces {step.old}"
                self._file(step.name).write_text(text.replace(step.old, step.new))
            elif (last := step.text.splitlines()[-1]) in but:
                left_out.append(last)
            else:
                self._run(step, printed)
        assert left_out == list(but)

    def _run(self, commands: Commands, printed: Printed) -> None:
        shown = [self._adapted(line) for line in commands.shown]
        text = self._adapted(commands.text)
        deadline = time.monotonic() + _SECONDS
        while True:
            if _EMULATOR in text:
                output = self._start_emulator(text)
            elif _AIRFLOW in text:
                output = self._start_airflow(text)
            else:
                output = self._do(text, may_fail=bool(shown))
            missing = printed.missing(shown, output)
            if not missing or not commands.is_repeated or time.monotonic() > deadline:
                break
            time.sleep(1)
            wait_until(self._is_idle, _SECONDS, "no DAG run is under way")
        assert not missing, f"{text} does not print\n{missing}\nbut\n{output}"

    def _do(self, text: str, *, may_fail: bool) -> str:
        """Run commands in the first terminal; those that show nothing else have to end well."""
        keep = f"export -p >'{self._terminal}'; echo cd \"'$PWD'\" >>'{self._terminal}'"
        lines = [f". '{self._terminal}'", f"keep() {{ {keep}; }}", "trap keep EXIT"]
        lines += [] if may_fail else ["set -e"]
        script = "\n".join([*lines, text])
        process, output = self._start(script)
        status = process.wait(_SECONDS)
        assert may_fail or not status, f"{text} ends with {status}\n{output.read_text()}"
        return output.read_text()

    def _start_emulator(self, text: str) -> str:
        if self._emulator:  # Ctrl-C
            os.killpg(self._emulator.pid, signal.SIGINT)
            self._emulator.wait(_SECONDS)
        process, output = self._start(f"cd\n{text}")
        self._emulator = process
        wait_until(lambda: "Ctrl-C ends it." in output.read_text(), _SECONDS, "the emulator is up")
        return output.read_text()

    def _start_airflow(self, text: str) -> str:
        _, output = self._start(f"cd\n{text}")
        number = len(list(self._home.glob("*/airflow/dags/*.py")))

        def lists_all_dags() -> bool:
            with suppress(requests.ConnectionError):
                return len(self._api.get("/dags")["dags"]) == number
            return False

        wait_until(lists_all_dags, _SECONDS, f"Airflow lists {number} DAGs")
        return output.read_text()

    def _is_idle(self) -> bool:
        """Return whether no DAG run is under way; to ask so is cheaper than to repeat a command."""
        under_way = self._api.get("/dags/~/dagRuns", state=["queued", "running"])
        return not under_way["dag_runs"]

    def _start(self, script: str) -> tuple[subprocess.Popen[bytes], Path]:
        output = self._output.with_suffix(f".{len(self._started)}")
        with output.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-c", script],
                env=self._env,
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started.append(process)
        return process, output

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def _file(self, name: str) -> Path:
        """Return the path of a file that a page names, from where the first terminal is."""
        folder = self._terminal.read_text().splitlines()[-1].removeprefix("cd ").strip("'")
        return Path(folder, name)

    def _adapted(self, text: str) -> str:
        """Return a text of a page as it is here."""
        if found := _INSTALL.search(text):
            check_packages(found[1])
            here = f"ln -s '{sys.prefix}' .venv\necho Successfully installed what this page names"
            text = text.replace(found[0], here)
        text = text.replace(f":{_EMULATOR_PORT}", f":{self._emulator_port}")
        return text.replace(_EMULATOR, f"{_EMULATOR} --port {self._emulator_port}")


def check_packages(requirements: str) -> None:
    """Check that the environment has what a page installs, and the Airflow that it names."""
    for requirement in requirements.split():
        name, _, version = requirement.strip('"').partition("==")
        assert version in {"", importlib.metadata.version(name)}


@pytest.fixture(scope="module")
def tests_of_a_dag(tmp_path_factory):
    """Somebody who tests a DAG meanwhile, which is mostly waiting."""

    def follow():
        # The nox session `sample` runs all of these tests, in two Airflows.
        reader.follow("test-your-dag", but=[".venv/bin/pytest"])

    with (
        ThreadPoolExecutor() as pool,
        Reader(tmp_path_factory.mktemp("test-your-dag")) as reader,
    ):
        yield pool.submit(follow)


def test_a_run_is_repaired_and_then_those_of_a_night(tests_of_a_dag, tmp_path):
    with Reader(tmp_path) as reader:
        # The clone's address is not known, and `make demo` makes an environment for minutes.
        # One Airflow is enough: the next page starts it in the same way.
        reader.follow("first-repair", but=["make demo", _AIRFLOW])
        reader.follow("nightly-repair")


def test_a_dag_is_tested(tests_of_a_dag):
    tests_of_a_dag.result()
