"""
Count the runs that one task starts when responses are lost and processes are killed.

``python -m benchmarks.duplicates``. Each try of a task is a separate process, which is really
killed; the task has retries left, and the task state store of Airflow 3.3. One run is correct.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import requests
from airflow.sdk.exceptions import TaskDeferred

from airflow_provider_flowservice.emulator import Fault, FlowServiceEmulator

TRIES = 3
# Seconds that a client waits for a response, instead of minutes.
REQUEST_TIMEOUT = 1.0
CASES = (
    "the response is lost",
    "the response is late",
    "killed before the response",
    "killed after the response",
    "killed during the wait",
)
DEFERRED, FAILED = 3, 4


class Store:
    """The task state store, in a file, since each try is a separate process."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _all(self) -> dict[str, Any]:
        return dict(json.loads(self._path.read_text())) if self._path.exists() else {}

    def get(self, key: str, default: Any = None) -> Any:
        return self._all().get(key, default)

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self._path.write_text(json.dumps({**self._all(), key: value}))

    def delete(self, key: str) -> None:
        self._path.write_text(json.dumps({k: v for k, v in self._all().items() if k != key}))


@dataclass
class Fake:
    """The service of a peer, whose runs succeed at once."""

    start_path: str
    started: dict[str, Any]
    seen: dict[str, Any]
    runs: int = 0
    fault: str = ""
    server: ThreadingHTTPServer = field(init=False)

    def __post_init__(self) -> None:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if not self.path.endswith(fake.start_path):
                    self.respond({"access_token": "t", "token_type": "Bearer", "expires_in": 3600})
                    return
                fake.runs += 1
                fault, fake.fault = fake.fault, ""
                if fault == "lost":
                    return
                if fault == "late":
                    threading.Event().wait(3 * REQUEST_TIMEOUT)
                self.respond(fake.started)

            def do_GET(self) -> None:
                self.respond(fake.seen)

            def respond(self, body: dict[str, Any]) -> None:
                text = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # the client was killed
                    self.wfile.write(text)

            def log_message(self, *args: Any) -> None:
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@dataclass
class Contender:
    """
    An operator, its service, and how to inject a fault there.

    :param new_operator: Makes the operator, deferrable or not.
    :param inject_fault: Loses or delays the next response.
    :param count: Counts the started runs.
    """

    title: str
    start_path: str
    new_operator: Callable[[bool], Any]
    inject_fault: Callable[[str], None]
    count: Callable[[], int]


def ours() -> Contender:
    """Serve the emulator."""
    emulator = FlowServiceEmulator(step_seconds=0.1)
    emulator.start()
    connection = json.loads(emulator.connection_json)
    connection["extra"] = {**_extra(connection), "request_timeout": REQUEST_TIMEOUT}
    os.environ["AIRFLOW_CONN_FLOWSERVICE_DEFAULT"] = json.dumps(connection)
    run_id = emulator.add_run(emulator.add_flow(), "failed")

    def new_operator(deferrable: bool) -> Any:
        from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator

        return RetriggerDataflowRunOperator(
            task_id="t", run_id=run_id, deferrable=deferrable, poll_interval=0.1, retries=TRIES
        )

    def inject_fault(fault: str) -> None:
        kind = {"lost": "close_after", "late": "slow"}[fault]
        emulator.fail(
            Fault("POST /runs", kind=kind, delay=3 * REQUEST_TIMEOUT if kind == "slow" else 0)
        )

    title = f"this package {version('airflow-provider-flowservice')}"
    return Contender(title, "/action", new_operator, inject_fault, lambda: len(emulator.retriggers))


def databricks() -> Contender:
    """Serve a fake of Databricks."""
    state = {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS", "state_message": ""}
    seen = {"run_id": 1, "job_id": 1, "run_page_url": "http://127.0.0.1/run/1", "state": state}
    fake = Fake("/jobs/run-now", {"run_id": 1}, seen)
    os.environ["AIRFLOW_CONN_DATABRICKS_DEFAULT"] = json.dumps(
        {
            "conn_type": "databricks",
            "schema": "http",
            "host": "127.0.0.1",
            "port": fake.server.server_port,
            "password": "token",
        }
    )

    def new_operator(deferrable: bool) -> Any:
        from airflow.providers.databricks.operators.databricks import DatabricksRunNowOperator

        class QuickTimeout(DatabricksRunNowOperator):  # type: ignore[misc]
            """The operator with a shorter timeout, for which it has no argument."""

            def execute(self, context: Any) -> Any:
                self._hook.timeout_seconds = REQUEST_TIMEOUT
                return super().execute(context)

        return QuickTimeout(
            task_id="t", job_id=1, deferrable=deferrable, polling_period_seconds=1, retries=TRIES
        )

    return _peer("databricks", fake, new_operator)


def airbyte() -> Contender:
    """Serve a fake of Airbyte."""
    job = {
        "connectionId": "c",
        "jobId": 1,
        "jobType": "sync",
        "startTime": "2026-01-01T00:00:00Z",
    }
    running, succeeded = {**job, "status": "running"}, {**job, "status": "succeeded"}
    fake = Fake("/jobs", running, succeeded)
    os.environ["AIRFLOW_CONN_AIRBYTE_DEFAULT"] = json.dumps(
        {
            "conn_type": "airbyte",
            "host": f"http://127.0.0.1:{fake.server.server_port}/v1/",
            "login": "id",
            "password": "secret",
            "extra": {"timeout": REQUEST_TIMEOUT},
        }
    )

    def new_operator(deferrable: bool) -> Any:
        from airflow.providers.airbyte.operators.airbyte import AirbyteTriggerSyncOperator

        return AirbyteTriggerSyncOperator(
            task_id="t", connection_id="c", deferrable=deferrable, wait_seconds=1, retries=TRIES
        )

    return _peer("airbyte", fake, new_operator)


def _peer(name: str, fake: Fake, new_operator: Callable[[bool], Any]) -> Contender:
    title = f"{name} {version(f'apache-airflow-providers-{name}')}"

    def inject_fault(fault: str) -> None:
        fake.fault = fault

    return Contender(title, fake.start_path, new_operator, inject_fault, lambda: fake.runs)


def _extra(connection: dict[str, Any]) -> dict[str, Any]:
    extra = connection.get("extra") or {}
    return dict(json.loads(extra)) if isinstance(extra, str) else dict(extra)


def count_runs(new_contender: Callable[[], Contender], case: str, deferrable: bool) -> str:
    """Run one task with retries; return the number of started runs, and whether it failed."""
    contender = new_contender()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder, "store"))
        for number in range(1, TRIES + 1):
            kill_at = case if number == 1 and case.startswith("killed") else ""
            if number == 1 and case in CASES[:3]:
                contender.inject_fault("late" if case != CASES[0] else "lost")
            ended = _try(contender, number, store, deferrable, kill_at)
            if ended == DEFERRED and kill_at == "killed during the wait":
                continue  # the process that would have resumed is killed
            if ended in (0, DEFERRED):
                return str(contender.count())
    return f"{contender.count()}, and the task fails"


def _try(contender: Contender, number: int, store: Store, deferrable: bool, kill_at: str) -> int:
    """Run one try in a separate process; return its exit status, negative if it was killed."""
    if (pid := os.fork()) == 0:
        os._exit(_run_task(contender, number, store, deferrable, kill_at))
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _run_task(
    contender: Contender, number: int, store: Store, deferrable: bool, kill_at: str
) -> int:
    signal.alarm(60)
    _die_at(kill_at, contender.start_path)
    with open(os.devnull, "w") as nowhere:
        sys.stdout = sys.stderr = nowhere
        context: dict[str, Any] = {
            "ti": SimpleNamespace(
                try_number=number,
                max_tries=TRIES,
                map_index=-1,
                stats_tags={},
                xcom_push=lambda **_: None,
            ),
            "dag_run": SimpleNamespace(start_date=datetime.now(timezone.utc), conf={}),
            "params": {},
            "task_state_store": store,
        }
        try:
            contender.new_operator(deferrable).execute(context)
        except TaskDeferred:
            return DEFERRED
        except Exception:  # Airflow would retry the task
            logging.getLogger(__name__).debug("The try failed.", exc_info=True)
            return FAILED
    return 0


def _die_at(kill_at: str, start_path: str) -> None:
    """Kill this process at a point of its exchange with the service."""
    started = []

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def wrap(send: Any) -> Any:
        def sending(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            is_start = request.method == "POST" and start_path in str(request.url)
            if kill_at == "killed before the response" and is_start:
                threading.Timer(REQUEST_TIMEOUT / 2, die).start()
            if kill_at == "killed during the wait" and started:
                die()
            response = send(self, request, *args, **kwargs)
            if is_start:
                started.append(response)
                if kill_at == "killed after the response":
                    die()
            return response

        return sending

    if kill_at:
        requests.adapters.HTTPAdapter.send = wrap(requests.adapters.HTTPAdapter.send)  # type: ignore[method-assign]
        httpx.Client.send = wrap(httpx.Client.send)  # type: ignore[method-assign]


def main() -> None:
    """Print the table."""
    contenders = (ours, databricks, airbyte)
    titles = [new().title for new in contenders]
    print(f"Runs started by one task, on Airflow {version('apache-airflow')}; 1 is correct.\n")
    print("| what happens | waits in | " + " | ".join(titles) + " |")
    print("|---|---|" + "---|" * len(titles))
    for case in CASES:
        for deferrable in (False, True):
            counts = [count_runs(new, case, deferrable) for new in contenders]
            where = "triggerer" if deferrable else "worker"
            print(f"| {case} | {where} | " + " | ".join(counts) + " |", flush=True)


if __name__ == "__main__":
    main()
