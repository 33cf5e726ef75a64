"""The real operators in a process that kills itself at named points."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.operators.flowservice import (
    RetriggerDataflowRunOperator,
    RunDataflowOperator,
)


class Killer:
    """
    Kills the process at each of the points a DAG run is about, one in each try.

    :param context: Context of the task.
    """

    def __init__(self, context):
        self._flag = Path(os.environ["AIRFLOW_HOME"], f"killed.{context['run_id']}")
        kills = len(self._flag.read_bytes()) if self._flag.exists() else 0
        points = [*context["params"]["points"], *[None] * 10]
        self._point = points[kills]
        self._seen = {}

    def at(self, point):
        """Kill the process if this is the point."""
        if point == self._point:
            self.kill()

    def at_turn(self, turn, name, point):
        """Kill the process if this is the point, and ``name`` comes by for the n-th time."""
        self._seen[name] = self._seen.get(name, 0) + 1
        if self._seen[name] == turn:
            self.at(point)

    def kill(self):
        self.count()
        os.kill(os.getpid(), signal.SIGKILL)

    def count(self):
        """Note that this try has met its accident, for the next one."""
        with self._flag.open("ab") as flag:
            flag.write(b".")

    def kill_soon(self, point):
        """Kill the process in the middle of what comes next."""
        if point == self._point:
            threading.Timer(1.0, self.kill).start()


class DyingStore:
    """Airflow's task state store, with points around each write."""

    def __init__(self, store, killer):
        self._store = store
        self._killer = killer

    def __getattr__(self, name):
        return getattr(self._store, name)

    def set(self, key, value, **kwargs):
        if not value["new_run_id"]:
            self._killer.at("before the intent")
        self._store.set(key, value, **kwargs)
        self._killer.at("after storing" if value["new_run_id"] else "after the intent")


class Dying:
    """Points around what an operator does to the service and to the store."""

    def execute(self, context):
        killer = Killer(context)
        if store := context.get("task_state_store"):
            context["task_state_store"] = DyingStore(store, killer)
        real_get, real_request = FlowServiceHook.get_run, getattr(FlowServiceHook, self.call)

        def get_run(hook, run_id):
            run = real_get(hook, run_id)
            if run_id != getattr(self, "run_id", None):
                killer.at_turn(1, "look", "on resuming")
                killer.at_turn(2, "wait", "in the wait")
            return run

        def request(hook, *args, **kwargs):
            killer.at("before the request")
            killer.kill_soon("during the request")
            answer = real_request(hook, *args, **kwargs)
            killer.at("after the answer")
            return answer

        # In this process only, which is the task's own.
        FlowServiceHook.get_run = get_run
        setattr(FlowServiceHook, self.call, request)
        return super().execute(context)

    def execute_complete(self, context, event, **kwargs):
        Killer(context).at("on resuming")
        return super().execute_complete(context, event, **kwargs)


class DyingRetrigger(Dying, RetriggerDataflowRunOperator):
    """The operator that re-triggers a run."""

    call = "retrigger_run"


class DyingStart(Dying, RunDataflowOperator):
    """The operator that starts a run."""

    call = "start_run"
