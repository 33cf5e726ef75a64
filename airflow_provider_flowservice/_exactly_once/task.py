"""A re-trigger as a task asks for it: what Airflow's context says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_flowservice._exactly_once.decisions import Try
from airflow_provider_flowservice._exactly_once.engine import Engine, NewRun
from airflow_provider_flowservice._exactly_once.journal import TaskStore
from airflow_provider_flowservice._exactly_once.siblings import Siblings

if TYPE_CHECKING:
    from airflow_provider_flowservice._compat import Context
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook


def retrigger_once(
    hook: FlowServiceHook, context: Context, run_id: str, retries: int, settle_time: float, log: Any
) -> NewRun:
    """Re-trigger a run once for the task, whatever earlier tries have begun."""
    return Engine(
        hook,
        TaskStore(context.get("task_state_store")),
        try_of(context, retries),
        began_ms=began_ms(context),
        siblings=Siblings(context["ti"]),
        settle_time=settle_time,
        log=log,
    ).run(run_id)


def try_of(context: Context, retries: int) -> Try:
    """Return which try of the task this is."""
    ti = context["ti"]
    return Try(ti.try_number, ti.max_tries or 0, retries)


def began_ms(context: Context) -> int:
    """Return the epoch milliseconds before which no try of the task can have done anything."""
    start = context["dag_run"].start_date
    return round(start.timestamp() * 1000) if start else 0
