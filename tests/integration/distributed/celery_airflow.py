"""A distributed Airflow for tests: Celery on Redis, with two workers and two triggerers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError

from integration.airflow_instance import COMPONENTS, AirflowInstance
from integration.servers import RedisServer

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

    def __enter__(self) -> CeleryAirflow:
        self.redis.start()
        super().__enter__()
        return self

    def stop(self) -> None:
        """End every process, as the other Airflow does."""
        self.redis.stop()
        super().stop()

    def are_healthy(self, since: float) -> bool:
        """Return whether all components report as healthy, and all workers respond."""
        workers = [f"celery@{name}" for name in WORKERS if name in self._processes]
        try:
            with Celery(broker=self.redis.url) as celery:
                replies = celery.control.ping(workers, timeout=2) if workers else []
        except (OperationalError, RedisConnectionError):
            return False
        return len(replies) == len(workers) and super().are_healthy(since)
