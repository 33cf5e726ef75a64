"""Runs operators as Airflow does: execute, and on deferral the trigger and then the named method."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import partial
from typing import Any

import pytest
from airflow.cli import cli_parser
from airflow.exceptions import TaskDeferred

from airflow_provider_flowservice._compat import AirflowRescheduleException, AirflowTaskTimeout
from helpers import virtual_time
from helpers.secret_scan import look_at

both_ways = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferred"])


class TaskInstance:
    """As much of a task instance as the operators use."""

    dag_id = "dag"
    task_id = "task"
    run_id = "run"

    def __init__(self, try_number: int = 1, max_tries: int = 0, map_index: int = -1) -> None:
        self.try_number = try_number
        self.max_tries = max_tries
        self.map_index = map_index
        self.start_date = datetime.now(timezone.utc)
        self.first_reschedule_date: datetime | None = None
        self.xcoms: dict[str, Any] = {}
        self.task: Any = None

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep a value, as JSON does."""
        text = json.dumps(value)
        look_at(text, f"XCom {key}")
        self.xcoms[key] = json.loads(text)

    def get_first_reschedule_date(self, _: Any) -> datetime | None:
        """Return when a sensor looked first, in earlier processes of the same try."""
        return self.first_reschedule_date


class DagRun:
    """As much of a DAG run as the operators use."""

    start_date = datetime.now(timezone.utc)


def airflow_command(*arguments: str) -> None:
    """Run a command of Airflow in a fork of this process: any other would load Airflow for seconds."""
    parsed = cli_parser.get_parser().parse_args(arguments)
    command = multiprocessing.get_context("fork").Process(
        target=parsed.func, args=[parsed], daemon=True
    )
    command.start()
    command.join(110)  # seconds
    command.kill()  # if it still runs
    command.join()
    assert command.exitcode == 0, f"airflow {' '.join(arguments)}: {command.exitcode}"


def context(**values: Any) -> dict[str, Any]:
    """Return a task's context."""
    return {"ti": TaskInstance(), "dag_run": DagRun(), **values}


def execute(operator: Any, task_context: dict[str, Any]) -> Any:
    """Run an operator in this process, until it returns, raises or is deferred."""
    task_context["ti"].task = operator
    return operator.execute(task_context)


def run_to_the_end(operator: Any, task_context: dict[str, Any] | None = None) -> Any:
    """Run an operator until it returns or raises, whichever way it waits."""
    task_context = task_context if task_context is not None else context()
    act = partial(execute, operator, task_context)
    while True:
        try:
            return act()
        except TaskDeferred as deferred:
            act = partial(operator.resume_execution, *_resumption(deferred), task_context)
        except AirflowRescheduleException:
            ti = task_context["ti"]
            ti.first_reschedule_date = ti.first_reschedule_date or datetime.now(timezone.utc)


def defer(operator: Any, task_context: dict[str, Any]) -> Callable[[], Any]:
    """Run an operator until it is deferred, and its trigger; return what Airflow does then."""
    with pytest.raises(TaskDeferred) as deferred:
        execute(operator, task_context)
    return partial(operator.resume_execution, *_resumption(deferred.value), task_context)


@contextmanager
def airflows_limit(seconds: float) -> Iterator[None]:
    """End a task as Airflow does when its ``execution_timeout`` has passed."""

    def end(*_: Any) -> None:
        raise AirflowTaskTimeout("Timeout")

    handler = signal.signal(signal.SIGALRM, end)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:  # the timer of pytest-timeout
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)


def _resumption(deferred: TaskDeferred) -> tuple[str, dict[str, Any]]:
    """Return the method with which Airflow resumes a deferred task, and its arguments."""
    kwargs = json.loads(json.dumps(deferred.kwargs or {}))
    try:
        return deferred.method_name, {**kwargs, "event": fire(deferred.trigger)}
    except Exception as error:  # noqa: BLE001  # whatever ends a trigger fails the task, as Airflow has it
        return "__fail__", {"error": f"Trigger failure: {error}"}


def fire(trigger: Any) -> Any:
    """Run a trigger, rebuilt from its row as a triggerer does, to its event, in virtual time."""
    path, kwargs = trigger.serialize()
    row = json.dumps(kwargs)
    look_at(row, "row of a trigger")
    rebuilt = type(trigger)(**json.loads(row))
    module, _, name = path.rpartition(".")
    assert getattr(importlib.import_module(module), name) is type(trigger)

    async def first_event() -> Any:
        async for event in rebuilt.run():
            return event.payload
        return None

    event = json.dumps(virtual_time.run(first_event()))
    look_at(event, "event of a trigger")
    return json.loads(event)
