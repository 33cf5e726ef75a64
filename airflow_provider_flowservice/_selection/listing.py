"""Lists the runs that are meant, of the flows that are meant."""

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

_DAY = 24 * 60 * 60 * 1000
# Runs that are named in the log.
_MOST_NAMED = 50
# Flows that one request asks for: their IDs are part of its address.
_MOST_FLOWS = 50


def list_runs(
    hook: FlowServiceHook,
    flow_choice: FlowChoice,
    run_choice: RunChoice,
    created_after: str | datetime | None,
) -> list[DataflowRun]:
    """
    List the runs that are meant, the oldest first.

    :param created_after: When they began at the earliest; by default 24 hours ago.
    """
    flows = {flow.flow_id: flow for flow in _flows(hook, flow_choice)}
    return run_choice.choose(_runs(hook, flow_choice, flows, created_after), flows)


def log_found(log: Any, runs: Sequence[DataflowRun], left_out: int) -> None:
    """Name the runs in the log."""
    log.info("Found %d dataflow runs.", len(runs))
    for run in runs[:_MOST_NAMED]:
        log.info("%s", run.description)
    if left_out:
        log.warning("%d newer runs are left out, as limit says.", left_out)


def _flows(hook: FlowServiceHook, choice: FlowChoice) -> Iterable[Dataflow]:
    if choice.flow_ids is not None:
        # One by one, since an ID that does not exist is a mistake worth an error.
        return map(hook.get_flow, sorted(choice.flow_ids))
    return (flow for flow in hook.list_flows() if choice.admits(flow.flow_id, flow))


def _runs(
    hook: FlowServiceHook,
    choice: FlowChoice,
    flows: Mapping[str, Dataflow],
    after: str | datetime | None,
) -> Iterator[DataflowRun]:
    """List the runs of the flows of every status: what came later counts as well."""
    since = round(time.time() * 1000) - _DAY if after is None else epoch_milliseconds(after)
    for filters in _filters(choice, flows):
        # The time itself belongs to the span, as an interval's start does.
        for run in hook.list_runs(created_after=since - 1, filters=filters):
            if run.flow_id in flows:
                yield run


def _filters(choice: FlowChoice, flows: Mapping[str, Dataflow]) -> list[list[str]]:
    """Return the filters of each listing: some flows by their IDs, or the whole sandbox."""
    if choice.flow_ids is None and choice.flow_name is None:
        return [[]]
    ids = sorted(flows)
    batches = [ids[start : start + _MOST_FLOWS] for start in range(0, len(ids), _MOST_FLOWS)]
    return [[f"flowId=={','.join(batch)}"] for batch in batches]
