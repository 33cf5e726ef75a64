"""Lists the runs that match the user's filters."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_flowservice._arguments.kinds import epoch_milliseconds
from airflow_provider_flowservice._selection import filters

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
    from airflow_provider_flowservice.runs import DataflowRun

_DAY_MS = 24 * 60 * 60 * 1000
# Most runs that the log lists.
_MOST_LOGGED = 50
# Most flows per request, since their IDs are part of its URL.
_MOST_FLOWS = 50


def list_runs(
    hook: FlowServiceHook,
    flow_choice: filters.FlowChoice,
    run_choice: filters.RunChoice,
    created_after: str | datetime | None,
) -> list[DataflowRun]:
    """
    List the runs that match, the oldest first.

    :param created_after: Earliest creation time of the runs; ``None`` for 24 hours ago.
    :raises ValueError: No flow has the name, which would look like a night without failures.
    """
    if flow_choice.flow_ids is not None:
        # One by one, since an ID that does not exist must raise an error.
        found = [hook.get_flow(flow_id) for flow_id in sorted(flow_choice.flow_ids)]
    else:
        every = list(hook.list_flows())
        if reason := flow_choice.mismatch(every):
            raise ValueError(reason)
        found = [flow for flow in every if flow_choice.admits(flow.flow_id, flow)]
    flows = {flow.flow_id: flow for flow in found}
    since_ms = round(time.time() * 1000) - _DAY_MS
    if created_after is not None:
        since_ms = epoch_milliseconds(created_after)
    # In every status, since later runs matter for the filter.
    runs = [
        run
        for properties in _filters(flow_choice, sorted(flows))
        # The time itself is included, like the start of an interval.
        for run in hook.list_runs(created_after=since_ms - 1, filters=properties)
        if run.flow_id in flows
    ]
    return run_choice.choose(runs, flows)


def log_found(log: Any, runs: Sequence[DataflowRun], left_out: int) -> None:
    """Log the runs that were found."""
    log.info("Dataflow runs found: %d.", len(runs))
    for run in runs[:_MOST_LOGGED]:
        log.info("%s", run.description)
    if left_out:
        log.warning("Newer runs left out because of the argument limit: %d.", left_out)


def _filters(choice: filters.FlowChoice, flow_ids: Sequence[str]) -> Iterator[list[str]]:
    """Yield the filters of each request: a batch of flows by their IDs, or the whole sandbox."""
    if choice.flow_ids is None and choice.flow_name is None:
        yield []
        return
    for start in range(0, len(flow_ids), _MOST_FLOWS):
        yield [f"flowId=={','.join(flow_ids[start : start + _MOST_FLOWS])}"]
