"""The part of Airflow's REST API that the tests use."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import requests

T = TypeVar("T")

# Longer than Airflow waits for its database.
_ANSWER_SECONDS = 60.0

ENDED = {"success", "failed"}
_JOB_TYPES = {
    "scheduler": "SchedulerJob",
    "dag-processor": "DagProcessorJob",
    "triggerer": "TriggererJob",
}


def wait_until(condition: Callable[[], T | None], seconds: float, what: str) -> T:
    """
    Return what ``condition`` returns, once that is true.

    :param what: What is waited for, for the error.
    :raises TimeoutError: It was not true in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.5)  # each answer takes Airflow time that its tasks lack
    raise TimeoutError(f"Not so within {seconds:.0f} s: {what}.")


class AirflowApi:
    """
    Airflow's REST API, as an admin.

    :param url: Address of the API server.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy stands before a loopback address

    def get(self, path: str, **query: Any) -> Any:
        """Return the answer to a GET of a path below ``/api/v2``."""
        return self._call("GET", path, params=query)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the answer to a POST to a path below ``/api/v2``."""
        return self._call("POST", path, json=body)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the answer to a PATCH of a path below ``/api/v2``."""
        return self._call("PATCH", path, json=body)

    def are_healthy(self, kinds: Mapping[str, int], since: float) -> bool:
        """
        Return whether as many components of each kind have reported as healthy.

        :param kinds: Their numbers, by the name of the kind on Airflow's command line.
        :param since: Epoch seconds; a report from before does not count.
        """
        try:
            return all(
                self._count_heartbeats(job_type, since) >= kinds.get(kind, 0)
                for kind, job_type in _JOB_TYPES.items()
            )
        except requests.ConnectionError:
            return False  # not even the API server

    def _count_heartbeats(self, job_type: str, since: float) -> int:
        jobs = self.get("/jobs", job_type=job_type, job_state="running", limit=100)["jobs"]
        heartbeats = (datetime.fromisoformat(job["latest_heartbeat"]) for job in jobs)
        return sum(heartbeat.timestamp() > since for heartbeat in heartbeats)

    def keeps_state_on_clear(self) -> bool:
        """Return whether a task that is cleared keeps its stored state, as before Airflow 3.4."""
        schemas = self._session.get(f"{self._url}/openapi.json", timeout=_ANSWER_SECONDS).json()
        clear = schemas["components"]["schemas"]["ClearTaskInstancesBody"]
        return "keep_task_state" not in clear["properties"]

    def has_dag(self, dag_id: str) -> bool:
        """Return whether Airflow has read the DAG."""
        return any(dag["dag_id"] == dag_id for dag in self.get("/dags", limit=100)["dags"])

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> Run:
        """Start a DAG run."""
        body = {"logical_date": None, "conf": conf}
        return Run(self, dag_id, self.post(f"/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        if "Authorization" not in self._session.headers:
            token = self._session.get(f"{self._url}/auth/token", timeout=_ANSWER_SECONDS).json()[
                "access_token"
            ]
            self._session.headers["Authorization"] = f"Bearer {token}"
        answer = self._session.request(
            method, f"{self._url}/api/v2{path}", timeout=_ANSWER_SECONDS, **arguments
        )
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:1000]}")
        return answer.json() if answer.content else None


class Run:
    """
    A DAG run.

    :param api: Where to ask.
    :param dag_id: ID of the DAG.
    :param run_id: ID of the run.
    """

    def __init__(self, api: AirflowApi, dag_id: str, run_id: str) -> None:
        self._api = api
        self.dag_id = dag_id
        self.run_id = run_id
        self._path = f"/dags/{dag_id}/dagRuns/{run_id}"

    @property
    def state(self) -> str:
        """State of the run."""
        return str(self._api.get(self._path)["state"])

    def wait(self, timeout: float = 120) -> str:
        """
        Return the state in which the run ends.

        :param timeout: Seconds to wait.
        """

        def end() -> str | None:
            return state if (state := self.state) in ENDED else None

        return wait_until(end, timeout, f"run {self.run_id} of {self.dag_id} ended")

    def wait_for_task(
        self, task_id: str, *states: str, map_index: int = -1, timeout: float = 60
    ) -> str:
        """
        Return the state of a task once it is one of ``states``.

        :param timeout: Seconds to wait.
        """

        def reached() -> str | None:
            state = self.task(task_id, map_index)["state"]
            return state if state in states else None

        return wait_until(reached, timeout, f"task {task_id} {' or '.join(states)}")

    def states(self) -> dict[str, str | None]:
        """Return the state of each task instance; a mapped one is called ``task[0]``."""
        return {_name(task): task["state"] for task in self.tasks()}

    def tasks(self) -> list[dict[str, Any]]:
        """Return all task instances, as the API has them."""
        path = f"{self._path}/taskInstances"
        found: list[dict[str, Any]] = []
        while page := self._api.get(path, limit=100, offset=len(found))["task_instances"]:
            found += page
        return found

    def task(self, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Return one task instance, as the API has it."""
        return dict(self._api.get(self._task_path(task_id, map_index)))

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """Return the value of an XCom."""
        path = f"{self._path}/taskInstances/{task_id}/xcomEntries/{key}"
        return self._api.get(path, map_index=map_index, deserialize=True)["value"]

    def links(self, task_id: str, map_index: int = -1) -> dict[str, str | None]:
        """Return the address behind each extra link of a task."""
        path = f"{self._path}/taskInstances/{task_id}/links"
        return dict(self._api.get(path, map_index=map_index)["extra_links"])

    def log(self, task_id: str, try_number: int = 1, map_index: int = -1) -> str:
        """Return the log of a task, of worker and triggerer alike."""
        path = f"{self._path}/taskInstances/{task_id}/logs/{try_number}"
        answer = self._api.get(path, map_index=map_index, full_content=True)
        return "\n".join(_line(entry) for entry in answer["content"])

    def clear(self, task_id: str) -> None:
        """Clear a task, as a user does who wants it done again."""
        body = {"dag_run_id": self.run_id, "task_ids": [task_id], "dry_run": False}
        self._api.post(
            f"/dags/{self.dag_id}/clearTaskInstances",
            {**body, "only_failed": False, "reset_dag_runs": True},
        )

    def mark(self, task_id: str, state: str) -> None:
        """Mark a task, as a user does who knows better."""
        self._api.patch(f"{self._path}/taskInstances/{task_id}", {"new_state": state})

    def _task_path(self, task_id: str, map_index: int) -> str:
        path = f"{self._path}/taskInstances/{task_id}"
        return path if map_index < 0 else f"{path}/{map_index}"


def _name(task: Mapping[str, Any]) -> str:
    mapped = task["map_index"] >= 0
    return f"{task['task_id']}[{task['map_index']}]" if mapped else str(task["task_id"])


def _line(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    errors = [
        f"{error['exc_type']}: {error['exc_value']}" for error in entry.get("error_detail") or []
    ]
    parts = [entry.get(key) for key in ("timestamp", "level", "event", "reason")] + errors
    return " ".join(part for part in parts if part)
