"""Lists the runs that match the user's filters."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_flowservice._selection.filters import (
    FlowChoice,
    RunChoice,
    epoch_milliseconds,
)

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
    flow_choice: FlowChoice,
    run_choice: RunChoice,
    created_after: str | datetime | None,
) -> list[DataflowRun]:
    """
    List the runs that match, the oldest first.

    :param hook: Lists flows and runs.
    :param flow_choice: Filter for flows.
    :param run_choice: Filter for runs.
    :param created_after: Earliest creation time of the runs; ``None`` for 24 hours ago.
    :raises FlowServiceNotFoundError: A flow that is named by its ID does not exist.
    """
    flows = {flow.flow_id: flow for flow in _flows(hook, flow_choice)}
    return run_choice.choose(_runs(hook, flow_choice, flows, created_after), flows)


def log_found(log: Any, runs: Sequence[DataflowRun], left_out: int) -> None:
    """Log the runs that were found."""
    log.info("Found %d dataflow runs.", len(runs))
    for run in runs[:_MOST_LOGGED]:
        log.info("%s", run.description)
    if left_out:
        log.warning("%d newer runs are left out because of the argument limit.", left_out)


def _flows(hook: FlowServiceHook, choice: FlowChoice) -> Iterable[Dataflow]:
    if choice.flow_ids is not None:
        # One by one, since an ID that does not exist must raise an error.
        return map(hook.get_flow, sorted(choice.flow_ids))
    return (flow for flow in hook.list_flows() if choice.admits(flow.flow_id, flow))


def _runs(
    hook: FlowServiceHook,
    choice: FlowChoice,
    flows: Mapping[str, Dataflow],
    after: str | datetime | None,
) -> Iterator[DataflowRun]:
    """List the runs of the flows in every status, since later runs matter for the filter."""
    since_ms = round(time.time() * 1000) - _DAY_MS if after is None else epoch_milliseconds(after)
    for filters in _filters(choice, flows):
        # The time itself is included, like the start of an interval.
        for run in hook.list_runs(created_after=since_ms - 1, filters=filters):
            if run.flow_id in flows:
                yield run


def _filters(choice: FlowChoice, flows: Mapping[str, Dataflow]) -> list[list[str]]:
    """Return the filters of each request: a batch of flows by their IDs, or the whole sandbox."""
    if choice.flow_ids is None and choice.flow_name is None:
        return [[]]
    ids = sorted(flows)
    batches = [ids[start : start + _MOST_FLOWS] for start in range(0, len(ids), _MOST_FLOWS)]
    return [[f"flowId=={','.join(batch)}"] for batch in batches]
