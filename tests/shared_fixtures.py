"""
Fixtures that all tests share, in a module whose name pytest does not take for its own.

``flowservice`` is not among them: it is the one that users have, from the package's own plugin.
"""

from __future__ import annotations

import pytest

from airflow_provider_flowservice._auth import drop_tokens
from airflow_provider_flowservice.emulator import FlowServiceEmulator


@pytest.fixture
def seeded_flowservice(monkeypatch):
    """Run an emulator with the flows and runs of the examples, whose runs end at once."""
    drop_tokens()
    with FlowServiceEmulator(seed=True, step_seconds=0.01) as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", emulator.connection_json)
        yield emulator
    drop_tokens()


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
