"""The real operator in a process that stops itself and its worker at named points before the request."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from dying_operator import DyingStore, Killer

from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator

# What Python's audit events tell of a connection, in the order in which they come.
EVENTS = {
    "socket.getaddrinfo": "at the name lookup",
    "socket.connect": "before the connection",
    "http.client.connect": "on the connection",
}


class Freezer(Killer):
    """
    Stops the process, and the worker that sends its heartbeats, until somebody continues them.

    :param context: Context of the task.
    :param port: Port of the service.
    """

    def __init__(self, context, port):
        super().__init__(context)
        self._processes = Path(os.environ["AIRFLOW_HOME"], f"frozen.{context['run_id']}")
        self._port = port
        self._has_intent = False

    def at(self, point):
        self._has_intent |= point == "after the intent"
        super().at(point)

    def hear(self, event, arguments):
        """Take the connections that the process makes once the intent is stored."""
        if self._has_intent and event in EVENTS and self._port in _flat(arguments):
            self.at(EVENTS[event])

    def kill(self):
        self._point = None  # once continued, it is left alone
        task = psutil.Process()
        worker = task.parent()
        if "LocalExecutor" not in " ".join(worker.cmdline()):
            raise RuntimeError(f"Process {worker.pid} is no worker.")
        self.count()
        with self._processes.open("a") as processes:
            processes.write(json.dumps([task.pid, worker.pid]) + "\n")
        worker.send_signal(signal.SIGSTOP)
        task.send_signal(signal.SIGSTOP)


class FrozenOperator(RetriggerDataflowRunOperator):
    """The real operator, with points between the stored intent and the request."""

    def execute(self, context):
        service = FlowServiceHook(self.flowservice_conn_id).settings.base_url
        freezer = Freezer(context, urlsplit(service).port)
        context["task_state_store"] = DyingStore(context["task_state_store"], freezer)
        sys.addaudithook(freezer.hear)  # in this process only, which is the task's own
        return super().execute(context)


def _flat(arguments):
    for argument in arguments:
        yield from argument if isinstance(argument, tuple) else [argument]
