"""
Fixtures that all tests share, in a module whose name pytest does not take for its own.

``flowservice`` is not among them: it is the one that users have, from the package's own plugin.
"""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import suppress
from functools import cache

import pytest

from airflow_provider_flowservice import _compat
from airflow_provider_flowservice._client.tokens import drop_tokens
from airflow_provider_flowservice._compat import Stats
from airflow_provider_flowservice._waiting import drivers
from airflow_provider_flowservice.emulator import FlowServiceEmulator, Lifecycle
from helpers.support import airflow_command, context, defer


@pytest.fixture
def seeded_flowservice(monkeypatch):
    """Run an emulator with the flows and runs of the examples, whose runs end at once."""
    drop_tokens()
    with FlowServiceEmulator(seed=True, step_seconds=0.01) as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", emulator.connection_json)
        yield emulator
    drop_tokens()


@pytest.fixture
def failed_run(flowservice):
    """Add a failed run."""
    return flowservice.add_run(flowservice.add_flow(), "failed")


@pytest.fixture
def add_failed_run(flowservice):
    """Return a function that adds a failed run, and plans what its re-trigger will do."""

    def add(*args, **kwargs):
        run_id = flowservice.add_run(flowservice.add_flow(), "failed")
        flowservice.plan(run_id, Lifecycle(*args, **kwargs))
        return run_id

    return add


@pytest.fixture(scope="session")
def airflow_db():
    """Make the metadata database in this session's AIRFLOW_HOME."""
    airflow_command("db", "migrate")
    with pytest.MonkeyPatch.context() as patch:
        _keep_the_api_server(patch)
        yield


@pytest.fixture
def hasty_triggers(monkeypatch):
    """Let triggers poll at once: ``dag.test()`` has no scheduler for which they could be too early."""
    monkeypatch.setattr(drivers, "FIRST_POLL", 0.0)


def _keep_the_api_server(patch):
    """Let ``dag.test()`` make one API server, as Airflow 3.3 does; before, each task takes seconds."""
    with suppress(ImportError, AttributeError):  # Airflow 2 has none
        from airflow.sdk.execution_time import supervisor

        make = supervisor.in_process_api_server
        patch.setattr(supervisor, "in_process_api_server", cache(make))


@pytest.fixture
def resumed(monkeypatch):
    """Return a function that defers a task, and returns what resumes it one try later, as Airflow 3.0 does."""
    monkeypatch.setattr(_compat, "RESUMES_RETRIES", True)

    def resumed_task(task):
        task_context = context()
        resume = defer(task, task_context)
        task_context["ti"].try_number = 2
        task_context["ti"].max_tries = task.retries
        return resume

    return resumed_task


@pytest.fixture
def logged(caplog, capsys):
    """Return a function that tells what was logged since its last call."""

    def text() -> str:
        captured = capsys.readouterr()
        # Airflow 3 writes to the terminal, and earlier releases to the root logger as well.
        written = caplog.text or captured.out + captured.err
        caplog.clear()
        return written

    return text


@pytest.fixture
def tell(capsys):
    """Return a function that shows a measured figure among the results."""

    def write(figure: str) -> None:
        with capsys.disabled():
            print(f"\n{figure}")

    return write


@pytest.fixture
def metrics(monkeypatch):
    """Return what Airflow's metrics were told, by their names."""
    recorder = MetricsRecorder()
    if hasattr(Stats, "instance"):
        monkeypatch.setattr(Stats, "instance", recorder)
    else:  # since Airflow 3.3
        monkeypatch.setattr(sys.modules[Stats.__module__], "_backend", recorder)
    return recorder.told


class MetricsRecorder:
    """A backend of Airflow's metrics."""

    def __init__(self):
        self.told = Counter()

    def incr(self, stat, count=1, rate=1, *, tags=None):
        """Count."""
        self.told[stat] += count

    def timing(self, stat, dt, *, tags=None):
        """Add up seconds."""
        self.told[stat] += dt.total_seconds()

    def __getattr__(self, name):
        return lambda *_, **__: None


@pytest.fixture(autouse=True)
def forgotten_secrets():
    """Spare later tests the secrets of earlier ones: with each new one Airflow compiles them all."""
    yield
    for name in [name for name in sys.modules if "secrets_masker" in name]:
        find = getattr(sys.modules[name], "_secrets_masker", None)
        if find is not None:
            masker = find()
            masker.patterns, masker.replacer = set(), None
