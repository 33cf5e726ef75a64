"""A real Airflow for tests: every component a process of its own, on loopback, in a folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal

import psutil

from helpers.secret_scan import look_through
from integration.airflow_api import AirflowApi, Run, wait_until

Component = Literal["api-server", "scheduler", "dag-processor", "triggerer"]
COMPONENTS: tuple[Component, ...] = ("api-server", "scheduler", "dag-processor", "triggerer")

_BOOT_SECONDS = 120.0

# What Airflow does every few minutes happens every few seconds here, so that tests need not wait.
_IMPATIENCE = {
    # From Airflow 3.4 on it holds for cleared tasks; longer than the heartbeat timeout, the scheduler ends.
    "AIRFLOW__CORE__KILLED_TASK_CLEANUP_TIME": "5",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
}


class AirflowInstance:
    """
    Airflow with its API server, scheduler (LocalExecutor), DAG processor and triggerer.

    A context manager: inside it Airflow is up and healthy, and after it nothing is left.

    :param dag_folders: Where the DAGs are.
    :param env: Further environment variables, such as connections.
    """

    def __init__(self, dag_folders: Sequence[Path], env: Mapping[str, str]) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="airflow-instance-"))
        self._port, self._worker_log_port, self._trigger_log_port = _free_ports(3)
        self._env = self._environment(dag_folders, env)
        self._processes: dict[Component, subprocess.Popen[bytes]] = {}
        self._sessions: list[int] = []
        self.api = AirflowApi(self.url)

    @property
    def url(self) -> str:
        """Address of the API server and its UI."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> AirflowInstance:
        try:
            self.cli("db", "migrate")
            self._let_readers_and_a_writer_go_on_together()
            for component in COMPONENTS:
                self._spawn(component)
            self._wait_until_healthy(COMPONENTS, since=0)
        except BaseException:
            sys.stderr.write(self.log_tails())
            self.stop()
            raise
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Outcome every process of this Airflow, look for secrets in its folder, and remove that."""
        for session in self._sessions:
            _kill_session(session)
        for process in self._processes.values():
            process.wait()
        look_through(self.home)
        shutil.rmtree(self.home, ignore_errors=True)

    # Work

    def trigger(self, dag_id: str, conf: Mapping[str, object] | None = None) -> Run:
        """Start a DAG run, as soon as Airflow knows the DAG."""
        wait_until(lambda: self.api.has_dag(dag_id), 60, f"DAG {dag_id} is parsed")
        return self.api.trigger(dag_id, conf or {})

    def cli(self, *arguments: str) -> str:
        """Run Airflow's command line beside the instance, and return what it printed."""
        done = subprocess.run(
            [_AIRFLOW, *arguments],
            env=self._env,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"airflow {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    # Accidents

    def kill(self, component: Component, how: signal.Signals = signal.SIGKILL) -> None:
        """
        Outcome a component and wait until it has ended.

        SIGKILL takes its child processes along, as the end of its machine would. Any other signal
        goes to the component alone, which ends its children itself.
        """
        process = self._processes.pop(component)
        if how is signal.SIGKILL:
            _kill_session(process.pid)
        else:
            process.send_signal(how)
        process.wait(timeout=60)

    def start(self, component: Component) -> None:
        """Start a component that was killed, and wait until it is healthy."""
        began = time.time()
        self._spawn(component)
        self._wait_until_healthy([component], since=began)

    def restart(self, component: Component, how: signal.Signals = signal.SIGKILL) -> None:
        """Outcome a component, start it again, and wait until it is healthy."""
        self.kill(component, how)
        self.start(component)

    def kill_task(
        self, run: Run, task_id: str, map_index: int = -1, how: signal.Signals = signal.SIGKILL
    ) -> None:
        """
        Outcome the process of a running task; Airflow notices at once.

        See :meth:`kill_worker` for the end of the process that watches over it, too.
        """
        self._task_process(run, task_id, map_index).send_signal(how)

    def kill_worker(self, run: Run, task_id: str, map_index: int = -1) -> None:
        """Outcome a running task and its worker; Airflow notices when heartbeats stay away."""
        task = self._task_process(run, task_id, map_index)
        worker = task.parent()
        if worker is None or worker.pid == self._processes["scheduler"].pid:
            raise RuntimeError(f"Process {task.pid} of task {task_id} has no worker.")
        worker.kill()
        task.kill()

    def _task_process(self, run: Run, task_id: str, map_index: int) -> psutil.Process:
        """Return the process that runs the task, as soon as there is one."""

        def process() -> psutil.Process | None:
            instance = run.task(task_id, map_index)
            if instance["state"] != "running" or not instance["pid"]:
                return None
            return psutil.Process(instance["pid"])

        return wait_until(process, 60, f"task {task_id} runs")

    # Logs

    def log_tails(self, lines: int = 40) -> str:
        """Return the last lines of each component's output."""
        tails = []
        for path in sorted(self.home.glob("*.out")):
            text = path.read_text(errors="replace").splitlines()[-lines:]
            tails.append("\n".join([f"--- {path.stem}, last {len(text)} lines ---", *text]))
        return "\n".join(tails)

    # Processes

    def _let_readers_and_a_writer_go_on_together(self) -> None:
        """Keep SQLite from locking out everybody else while one of Airflow's processes writes."""
        with contextlib.closing(sqlite3.connect(self.home / "airflow.db")) as database:
            database.execute("PRAGMA journal_mode=WAL")

    def _environment(self, dag_folders: Sequence[Path], env: Mapping[str, str]) -> dict[str, str]:
        clean = {name: text for name, text in os.environ.items() if "AIRFLOW" not in name}
        bundles = [
            {
                "name": f"dags-{number}",
                "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                "kwargs": {"path": str(folder)},
            }
            for number, folder in enumerate(dag_folders)
        ]
        return {
            **clean,
            **_IMPATIENCE,
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self._port),
            "AIRFLOW__API_AUTH__JWT_SECRET": "a secret that every component knows, and nobody else",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            # Rows of triggers stay legible, so that secrets are found in them, too.
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            # Not the fully qualified name, which takes seconds where nobody answers for it.
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            # A busy machine may hold a lock for longer than the five seconds SQLite waits by itself.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db?timeout=30",
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
            # Where a secret would show first; of everything else it would be too much.
            "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "urllib3=DEBUG airflow_provider_flowservice=DEBUG",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(self._trigger_log_port),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(self._worker_log_port),
            "NO_PROXY": "127.0.0.1,localhost",
            "PYTHONUNBUFFERED": "1",
            **env,
        }

    def _spawn(self, component: Component) -> None:
        with (self.home / f"{component}.out").open("ab") as output:
            process = subprocess.Popen(
                [_AIRFLOW, component],
                env=self._env,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # by which its processes are found again
            )
        self._processes[component] = process
        self._sessions.append(process.pid)

    def _wait_until_healthy(self, components: Sequence[Component], since: float) -> None:
        def healthy() -> bool:
            for component in components:
                if (status := self._processes[component].poll()) is not None:
                    raise RuntimeError(f"The {component} ended with status {status}.")
            return self.api.are_healthy(components, since)

        wait_until(healthy, _BOOT_SECONDS, f"{', '.join(components)} healthy")


def _kill_session(session: int) -> None:
    # Tasks and parsers have process groups of their own and lose their parent when it is killed,
    # and Airflow writes process titles over their environment: the session is what stays.
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == session:
                os.kill(pid, signal.SIGKILL)


_AIRFLOW = str(Path(sys.executable).with_name("airflow"))


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
