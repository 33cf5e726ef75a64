"""A distributed Airflow for tests: Celery on Redis, with two workers and two triggerers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError

from integration.airflow_instance import COMPONENTS, AirflowInstance, session_pids
from integration.servers import RedisServer, Server

WORKERS = ("worker-1", "worker-2")
TRIGGERERS = ("triggerer-1", "triggerer-2")

# Airflow's logs lie in one folder here, so that one of two can serve those of both.
_SERVES_NO_LOGS = "--skip-serve-logs"


class CeleryAirflow(AirflowInstance):
    """
    Airflow with two Celery workers and two triggerers, on Redis and PostgreSQL.

    :param dag_folders: Where the DAGs are.
    :param env: Further environment variables, such as connections.
    """

    components: Mapping[str, Sequence[str]] = {
        **{name: arguments for name, arguments in COMPONENTS.items() if name != "triggerer"},
        "triggerer-1": ["triggerer"],
        "triggerer-2": ["triggerer", _SERVES_NO_LOGS],
        "worker-1": ["celery", "worker", "--celery-hostname", "worker-1"],
        "worker-2": ["celery", "worker", "--celery-hostname", "worker-2", _SERVES_NO_LOGS],
    }

    def __init__(self, dag_folders: Sequence[Path], env: Mapping[str, str]) -> None:
        super().__init__(dag_folders, env)
        self.redis = RedisServer(self.home / "redis")
        self._env.update(
            {
                "AIRFLOW__CELERY__BROKER_URL": self.redis.url,
                "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{self.database.url}",
                "AIRFLOW__CELERY__WORKER_CONCURRENCY": "10",
                "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
                "AIRFLOW__CORE__PARALLELISM": "32",
                # A killed worker keeps the messages it has fetched, so that they are sent anew.
                "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "30",
                "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
                "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
            }
        )

    def work_of(self, component: str) -> int:
        """Return how many running tasks a worker has, or how many waits a triggerer."""
        pids = set(session_pids(self._processes[component].pid))
        if component in WORKERS:
            tasks = self.database.query("SELECT pid FROM task_instance WHERE state = 'running'")
            return len(pids & {pid for (pid,) in tasks})
        # Airflow's database knows which triggerer has a wait, but not which process that is.
        return sum(".trigger." in path for path in _open_files(pids))

    def _servers(self) -> list[Server]:
        return [self.database, self.redis]

    def are_healthy(self, since: float) -> bool:
        """Return whether all components report as healthy, and all workers respond."""
        workers = [f"celery@{name}" for name in WORKERS if name in self._processes]
        try:
            with Celery(broker=self.redis.url) as celery:
                replies = celery.control.ping(workers, timeout=2) if workers else []
        except (OperationalError, RedisConnectionError):
            return False
        return len(replies) == len(workers) and super().are_healthy(since)


def _open_files(pids: Iterable[int]) -> set[str]:
    paths = set()
    for pid in pids:
        with suppress(psutil.NoSuchProcess):  # it has ended since
            paths.update(file.path for file in psutil.Process(pid).open_files())
    return paths
