"""An Airflow for demos: the examples as its DAGs, an emulator behind its connection."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil  # comes with Airflow

from airflow_provider_flowservice.emulator import FlowServiceEmulator

ROOT = Path(__file__).resolve().parent.parent


class LocalAirflow:
    """
    An Airflow with a new folder.

    :param name: Name of its folder.
    :param emulator: The Flow Service for its connection.
    :param settings: Further environment variables.
    """

    def __init__(
        self, name: str, emulator: FlowServiceEmulator, settings: Mapping[str, str] | None = None
    ) -> None:
        self.home = ROOT / ".demo" / name
        self.log = self.home / "airflow.log"
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        clean = {key: text for key, text in os.environ.items() if not key.startswith("AIRFLOW_")}
        self._env = {
            **clean,
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "example_dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_FLOWSERVICE_DEFAULT": emulator.connection_json,
            "NO_PROXY": "127.0.0.1,localhost",  # loopback addresses need no proxy
            # Airflow's components start its command line from the path.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            **(settings or {}),
        }

    @contextmanager
    def command(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run Airflow's command line in a new session, with all output in the log."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                ["airflow", *arguments],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            _kill_session(process.pid)
            process.wait()


def _kill_session(session: int) -> None:
    # Tasks have their own process groups and outlive a killed parent, but stay in its session.
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == session:
                os.kill(pid, signal.SIGKILL)
