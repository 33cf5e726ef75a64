"""A real Airflow for tests: every component a process of its own, on loopback, in a folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import psutil

from helpers.secret_scan import look_through
from integration.airflow_api import AirflowApi, Run, wait_until
from integration.servers import PostgresServer, Server, free_port

# What is started, by the name of the process: the arguments of Airflow's command line.
COMPONENTS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer"],
}

_BOOT_SECONDS = 120.0

# What Airflow does every few minutes happens every few seconds here, so that tests need not wait.
_IMPATIENCE = {
    # From Airflow 3.4 on it holds for cleared tasks; longer than the heartbeat timeout, the scheduler ends.
    "AIRFLOW__CORE__KILLED_TASK_CLEANUP_TIME": "5",
    # DAG files do not change here, and reading them again and again took as much CPU time as all else.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
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
    Airflow with its API server, scheduler (LocalExecutor), DAG processor and triggerer, on PostgreSQL.

    A context manager: inside it Airflow is up and healthy, and after it nothing is left.

    :param dag_folders: Where the DAGs are.
    :param env: Further environment variables, such as connections.
    :raises NotADirectoryError: A folder does not exist, in which Airflow would just find no DAG.
    """

    components: Mapping[str, Sequence[str]] = COMPONENTS

    def __init__(self, dag_folders: Sequence[Path], env: Mapping[str, str]) -> None:
        if missing := [str(folder) for folder in dag_folders if not folder.is_dir()]:
            raise NotADirectoryError(f"No folders of DAGs: {', '.join(missing)}")
        self.home = Path(tempfile.mkdtemp(prefix="airflow-instance-"))
        self.database = PostgresServer(self.home / "postgres")
        self._port, self._worker_log_port, self._trigger_log_port = (free_port() for _ in range(3))
        self._env = {**self._environment(dag_folders), **env}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._sessions: list[int] = []
        self.api = AirflowApi(self.url)

    @property
    def url(self) -> str:
        """Address of the API server and its UI."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> AirflowInstance:
        try:
            for server in self._servers():
                server.start()
            self.cli("db", "migrate")
            for component in self.components:
                self._spawn(component)
            self._wait_until_healthy(since=0)
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
        """End every process of this Airflow, look for secrets in all it has written, and remove that."""
        for session in self._sessions:
            _kill_session(session)
        for process in self._processes.values():
            process.wait()
        try:
            if self._sessions:
                # Its own files hold long values compressed.
                self.database.dump(self.home / "database.sql")
            look_through(self.home)
        finally:
            for server in self._servers():
                server.stop()
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

    def kill(self, component: str, how: signal.Signals = signal.SIGKILL) -> None:
        """
        End a component and wait until it has ended.

        SIGKILL takes its child processes along, as the end of its machine would. Any other signal
        goes to the component alone, which ends its children itself.
        """
        process = self._processes.pop(component)
        if how is signal.SIGKILL:
            _kill_session(process.pid)
        else:
            process.send_signal(how)
        process.wait(timeout=60)

    def start(self, component: str) -> None:
        """Start a component that was killed, and wait until it is healthy."""
        began = time.time()
        self._spawn(component)
        self._wait_until_healthy(since=began)

    def are_healthy(self, since: float) -> bool:
        """
        Return whether all components that were not killed report as healthy.

        :param since: Epoch seconds; a report from before does not count.
        """
        kinds = Counter(self.components[component][0] for component in self._processes)
        return self.api.are_healthy(kinds, since)

    def start_all(self) -> None:
        """Start the components that were killed, and wait until all are healthy."""
        for component in self.components:
            if component not in self._processes:
                self.start(component)

    def revive(self) -> list[str]:
        """Start the components that have ended by themselves, as a supervisor would, and return which."""
        ended = [name for name, process in self._processes.items() if process.poll() is not None]
        for component in ended:
            _kill_session(self._processes[component].pid)
            self._spawn(component)
        return ended

    def restart(self, component: str, how: signal.Signals = signal.SIGKILL) -> None:
        """End a component, start it again, and wait until it is healthy."""
        self.kill(component, how)
        self.start(component)

    def kill_task(
        self, run: Run, task_id: str, map_index: int = -1, how: signal.Signals = signal.SIGKILL
    ) -> None:
        """
        End the process of a running task; Airflow notices at once.

        See :meth:`kill_worker` for the end of the process that watches over it, too.
        """
        self._task_process(run, task_id, map_index).send_signal(how)

    def kill_worker(self, run: Run, task_id: str, map_index: int = -1) -> None:
        """End a running task and its worker; Airflow notices when heartbeats stay away."""
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
        """Return the last lines of each component's output, and of each server's."""
        paths = {path.stem: path for path in sorted(self.home.glob("*.out"))}
        paths |= {server.folder.name: server.output for server in self._servers()}
        tails = []
        for name, path in paths.items():
            if path.exists():
                text = path.read_text(errors="replace").splitlines()[-lines:]
                tails.append("\n".join([f"--- {name}, last {len(text)} lines ---", *text]))
        return "\n".join(tails)

    # Processes

    def _servers(self) -> list[Server]:
        """Return what has to be up before Airflow."""
        return [self.database]

    def _environment(self, dag_folders: Sequence[Path]) -> dict[str, str]:
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
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.database.url,
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
            # Where a secret would show first; of everything else it would be too much.
            "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "urllib3=DEBUG airflow_provider_flowservice=DEBUG",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(self._trigger_log_port),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(self._worker_log_port),
            "NO_PROXY": "127.0.0.1,localhost",
            "PYTHONUNBUFFERED": "1",
        }

    def _spawn(self, component: str) -> None:
        with (self.home / f"{component}.out").open("ab") as output:
            process = subprocess.Popen(
                [_AIRFLOW, *self.components[component]],
                env=self._env,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # by which its processes are found again
            )
        self._processes[component] = process
        self._sessions.append(process.pid)

    def _wait_until_healthy(self, since: float) -> None:
        def healthy() -> bool:
            for component, process in self._processes.items():
                if (status := process.poll()) is not None:
                    raise RuntimeError(f"The {component} ended with status {status}.")
            return self.are_healthy(since)

        wait_until(healthy, _BOOT_SECONDS, f"{', '.join(self._processes)} healthy")


def session_pids(session: int) -> Iterator[int]:
    """
    Hand out the processes of a session.

    Tasks and parsers have process groups of their own and lose their parent when it is killed, and
    Airflow writes process titles over their environment: the session is what stays.
    """
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == session:
                yield pid


def _kill_session(session: int) -> None:
    for pid in session_pids(session):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


_AIRFLOW = str(Path(sys.executable).with_name("airflow"))
