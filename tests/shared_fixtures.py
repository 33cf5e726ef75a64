"""Fixtures that all tests share, in a module whose name pytest does not take for its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from airflow_provider_flowservice._auth import drop_tokens
from airflow_provider_flowservice.emulator import FlowServiceEmulator


@pytest.fixture
def flowservice(monkeypatch):
    """Run an empty emulator behind the default connection."""
    yield from _serve(FlowServiceEmulator(), monkeypatch)


@pytest.fixture
def seeded_flowservice(monkeypatch):
    """Run an emulator with the flows and runs of the examples, whose runs end at once."""
    yield from _serve(FlowServiceEmulator(seed=True, step_seconds=0.01), monkeypatch)


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


@pytest.fixture(scope="session")
def airflow_db():
    """Make the metadata database in this session's AIRFLOW_HOME."""
    migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
    done = subprocess.run(migrate, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr


def _serve(emulator, monkeypatch):
    drop_tokens()
    with emulator:
        monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", emulator.connection_json)
        yield emulator
    drop_tokens()
    _forget_secrets()


def _forget_secrets():
    """Spare later tests the secrets of earlier ones: with each new one Airflow compiles them all."""
    for name in [name for name in sys.modules if "secrets_masker" in name]:
        find = getattr(sys.modules[name], "_secrets_masker", None)
        if find is not None:
            masker = find()
            masker.patterns, masker.replacer = set(), None
