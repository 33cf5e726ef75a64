"""A wait in a worker, as a trigger would wait."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_flowservice._compat import AirflowTaskTimeout
from airflow_provider_flowservice._waiting.poll import count_wait, poll_once
from airflow_provider_flowservice._waiting.progress import ProgressLogger
from airflow_provider_flowservice._waiting.rules import (
    Seen,
    WaitResult,
    WaitRules,
    wait_blocking,
    wait_flow,
)
from airflow_provider_flowservice.exceptions import FlowServiceError

if TYPE_CHECKING:
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
    from airflow_provider_flowservice.runs import DataflowRun


def wait_in_worker(
    hook: FlowServiceHook, run_id: str, rules: WaitRules, log: Any, first_poll: float = 0.0
) -> WaitResult:
    """Wait for a run in this process, as a trigger would, until Airflow's own limit at the latest."""
    progress = ProgressLogger(log, run_id)
    last_run: DataflowRun | None = None
    started_at = time.monotonic()

    def look(delay: float) -> Seen:
        nonlocal last_run
        time.sleep(delay)
        seen = progress.log(poll_once(hook, run_id))
        last_run = last_run if isinstance(seen, FlowServiceError) else seen
        return seen

    try:
        return wait_blocking(wait_flow(run_id, rules, first_poll), look)
    except AirflowTaskTimeout:
        # Whoever ends the task by this result says more than Airflow does.
        return WaitResult("overdue", run_id, last_run)
    finally:
        count_wait(time.monotonic() - started_at)
