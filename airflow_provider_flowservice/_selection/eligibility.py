"""
Whether a run may be re-triggered.

According to Adobe's documentation, a run may be re-triggered if it failed, or succeeded without an
ingested record, if its source is a batch source, and if its flow is enabled. Neither run nor flow
says "batch", so the service decides on uncertain cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice.flows import Dataflow
from airflow_provider_flowservice.runs import DataflowRun

if TYPE_CHECKING:
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

_RECURRING = frozenset({"minute", "hour", "day", "week", "month", "year"})


@dataclass(frozen=True)
class Eligibility:
    """
    Whether a run may be re-triggered.

    :param refusal: Why the run certainly cannot be re-triggered, and what to do; else ``None``.
    :param doubts: Why the service may refuse.
    """

    refusal: str | None = None
    doubts: tuple[str, ...] = ()


def judge(run: DataflowRun, flow: Dataflow | None) -> Eligibility:
    """Judge whether a run may be re-triggered; ``flow`` is ``None`` if it could not be read."""
    if refusal := _refuse_run(run):
        return Eligibility(refusal)
    if flow and (refusal := _refuse_flow(flow, "re-triggered")):
        return Eligibility(f"its {refusal}")
    return Eligibility(doubts=tuple(_doubts(run, flow)))


def _refuse_run(run: DataflowRun) -> str | None:
    if run.is_successful and run.ingested_records:
        return (
            f"it succeeded and ingested data (records: {run.ingested_records}); only failed runs, or "
            "successful ones without an ingested record, can be re-triggered"
        )
    if run.is_status_known and not run.is_terminal:
        status = run.status or "not shown yet"
        return f"it has not ended (status {status}); wait for it with DataflowRunSensor first"
    return None


def _refuse_flow(flow: Dataflow, possible: str) -> str | None:
    label = f"flow {flow.name!r} ({flow.flow_id})"
    if flow.state.lower() == "disabled":
        return f"{label} is disabled; enable it in Experience Platform first"
    if flow.is_destination:
        return f"{label} sends to a destination; only runs of batch sources can be {possible}"
    if flow.is_streaming:
        return f"{label} streams; only runs of batch sources can be {possible}"
    return None


def _doubts(run: DataflowRun, flow: Dataflow | None) -> Iterator[str]:
    if not run.is_status_known:
        yield f"its status {run.status!r} is unknown to this package"
    if run.is_partial:
        yield "it succeeded in part, and Adobe does not document whether it may be re-triggered"
    if run.is_successful and run.ingested_records is None:
        yield "it succeeded and does not show how many records it ingested"
    if flow is None:
        yield "its flow could not be read"
        return
    if flow.state.lower() != "enabled":
        yield f"the state of its flow is {flow.state or 'not shown'}, not enabled"
    if not flow.has_schedule:
        yield "its flow shows no schedule, so it may not be a batch flow"


def check_eligible(hook: FlowServiceHook, log: Any, run: DataflowRun) -> None:
    """Refuse a run that certainly cannot be re-triggered; log why the service may refuse it."""
    flow = None
    try:
        flow = hook.get_flow(run.flow_id)
    except (exceptions.FlowServiceError, ValueError) as error:
        # A flow that the service hides must not decide on the run.
        log.warning("Cannot read flow %r: %s", run.flow_id, error)
    eligibility = judge(run, flow)
    for doubt in eligibility.doubts:
        log.warning("Dataflow run %s may be refused: %s.", run.run_id, doubt)
    if eligibility.refusal:
        raise exceptions.DataflowRunNotRetriggerableError(
            f"Dataflow run {run.run_id} cannot be re-triggered: {eligibility.refusal}."
        )


def check_startable(hook: FlowServiceHook, log: Any, flow_id: str) -> None:
    """Refuse a flow of which certainly no run can be started; log why the service may refuse it."""
    flow = hook.get_flow(flow_id)
    refusal = _refuse_flow(flow, "started")
    if not refusal and flow.frequency in _RECURRING:
        refusal = (
            f"flow {flow.name!r} ({flow_id}) is scheduled by the {flow.frequency}; only runs of flows that "
            "are scheduled once can be started"
        )
    if refusal:
        raise exceptions.DataflowNotStartableError(f"No run can be started: {refusal}.")
    if flow.frequency != "once":
        log.warning("Flow %s may be refused: it does not show that it is scheduled once.", flow_id)
    if flow.state.lower() != "enabled":
        log.warning("Flow %s may be refused: its state is %s.", flow_id, flow.state or "not shown")
