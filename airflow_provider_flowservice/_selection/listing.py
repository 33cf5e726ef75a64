"""Lists the runs that match the user's filters."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_flowservice._arguments.kinds import epoch_milliseconds
from airflow_provider_flowservice._selection import filters

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_flowservice.flows import Dataflow
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
    flows = {flow.flow_id: flow for flow in _flows(hook, flow_choice)}
    since_ms = round(time.time() * 1000) - _DAY_MS
    if created_after is not None:
        since_ms = epoch_milliseconds(created_after)
    # In every status, since later runs matter for the filter.
    return run_choice.choose(iter_runs(hook, flow_choice, flows, since_ms), flows)


def select_flows(flow_choice: filters.FlowChoice, every: Sequence[Dataflow]) -> list[Dataflow]:
    """
    Select the flows that match.

    :param every: All flows of the sandbox.
    :raises ValueError: No flow has the name, which would look like a night without failures.
    """
    if reason := flow_choice.mismatch(every):
        raise ValueError(reason)
    return [flow for flow in every if flow_choice.admits(flow.flow_id, flow)]


def iter_runs(
    hook: FlowServiceHook,
    flow_choice: filters.FlowChoice,
    flow_ids: Collection[str],
    since_ms: int,
) -> Iterator[DataflowRun]:
    """
    Iterate over the runs of flows; each page is requested when it is needed.

    :param flow_choice: How the flows were selected.
    :param flow_ids: IDs of the selected flows.
    :param since_ms: Earliest creation time, in epoch milliseconds.
    """
    for properties in _filters(flow_choice, sorted(flow_ids)):
        # The time itself is included, like the start of an interval.
        for run in hook.list_runs(created_after=since_ms - 1, filters=properties):
            if run.flow_id in flow_ids:
                yield run


def log_found(log: Any, runs: Sequence[DataflowRun], left_out: int) -> None:
    """Log the runs that were found."""
    log.info("Dataflow runs found: %d.", len(runs))
    for run in runs[:_MOST_LOGGED]:
        log.info("%s", run.description)
    if left_out:
        log.warning("Newer runs left out because of the argument limit: %d.", left_out)


def _flows(hook: FlowServiceHook, choice: filters.FlowChoice) -> list[Dataflow]:
    if choice.flow_ids is not None:
        # One by one, since an ID that does not exist must raise an error.
        return [hook.get_flow(flow_id) for flow_id in sorted(choice.flow_ids)]
    return select_flows(choice, list(hook.list_flows()))


def _filters(choice: filters.FlowChoice, flow_ids: Sequence[str]) -> Iterator[list[str]]:
    """Yield the filters of each request: a batch of flows by their IDs, or the whole sandbox."""
    if choice.flow_ids is None and choice.flow_name is None:
        yield []
        return
    for start in range(0, len(flow_ids), _MOST_FLOWS):
        yield [f"flowId=={','.join(flow_ids[start : start + _MOST_FLOWS])}"]
