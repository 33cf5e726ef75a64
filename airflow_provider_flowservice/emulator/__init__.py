"""
A local Flow Service, for demos and for tests of DAGs.

It is not Adobe's service: it plays what is documented, and guesses the rest. :class:`Replay` plays what was
recorded.
"""

from __future__ import annotations

from airflow_provider_flowservice.emulator.faults import Fault
from airflow_provider_flowservice.emulator.lifecycle import Lifecycle
from airflow_provider_flowservice.emulator.recorder import Seen
from airflow_provider_flowservice.emulator.replay import Replay
from airflow_provider_flowservice.emulator.service import FlowServiceEmulator

__all__ = ["Fault", "FlowServiceEmulator", "Lifecycle", "Replay", "Seen"]
