"""
Names runs that load the same data as the new one, at the end of its wait.

The service has no lock, so two requests from different places may both lead to a run. A run shows
neither the request that led to it nor the run that it repeats; what it shows is its window.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_flowservice._client.responses import LARGEST_PAGE
from airflow_provider_flowservice._compat import AirflowTaskTimeout
from airflow_provider_flowservice._exactly_once.candidates import had_ended
from airflow_provider_flowservice._exactly_once.engine import NewRun
from airflow_provider_flowservice._selection.windows import same_window
from airflow_provider_flowservice.runs import DataflowRun

if TYPE_CHECKING:
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

log = logging.getLogger(__name__)


def find_duplicates(
    hook: FlowServiceHook, new_run: NewRun, run: DataflowRun | None = None
) -> tuple[DataflowRun, ...]:
    """
    Find the runs that load the same data as the new run, with one request.

    A run that failed, or found nothing to load, is none of them. The outcome of the task does not depend
    on the search, so an error is only logged.

    :param run: The new run as last seen, which may show the window better.
    :return: The newest first; nothing if the service shows no window.
    """
    wanted = new_run.wanted
    if run and run.window and (wanted.window is None or wanted.is_window_asked):
        wanted = run
    if wanted.window is None or not new_run.flow_id:
        return ()
    # A run that was adopted may be older than what asked for it.
    asked_ms = min(new_run.asked_ms, (run and run.created_at) or new_run.asked_ms)
    known = {new_run.run_id, *new_run.known_run_ids, *new_run.done_run_ids}
    try:
        runs = list(
            hook.list_runs(
                flow_id=new_run.flow_id, created_after=new_run.since_ms, limit=LARGEST_PAGE
            )
        )
    except (Exception, AirflowTaskTimeout) as error:  # noqa: BLE001  # of the service, or of Airflow
        log.warning("Cannot find out whether another run loads the same data: %s", error)
        return ()
    return tuple(
        other
        for other in runs
        if other.run_id not in known
        and same_window(other, wanted)
        and not other.is_failed
        and not had_ended(other, asked_ms)
        and other.ingested_records != 0
    )
