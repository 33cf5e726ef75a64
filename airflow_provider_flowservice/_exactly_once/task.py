"""An action as a task asks for it: what Airflow's context says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_flowservice._exactly_once.actions import Action, Start
from airflow_provider_flowservice._exactly_once.clock import WALL_CLOCK
from airflow_provider_flowservice._exactly_once.decisions import Try
from airflow_provider_flowservice._exactly_once.engine import Engine, NewRun
from airflow_provider_flowservice._exactly_once.journal import TaskStore
from airflow_provider_flowservice._exactly_once.siblings import Siblings
from airflow_provider_flowservice.runs import DataflowRun

if TYPE_CHECKING:
    from airflow_provider_flowservice._compat import Context
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook


def request_once(
    hook: FlowServiceHook,
    context: Context,
    action: Action,
    retries: int,
    settle_time: float,
    log: Any,
) -> NewRun:
    """Do an action once for the task, whatever earlier tries have begun."""
    store, this_try = TaskStore(context.get("task_state_store")), try_of(context, retries)
    if isinstance(action, Start):
        record, _ = store.load()
        if record and record.max_tries == this_try.max_tries:
            action = action.as_begun(record)
    return Engine(
        hook,
        store,
        this_try,
        action,
        began_ms=began_ms(context),
        siblings=Siblings(context["ti"]),
        settle_time=settle_time,
        log=log,
    ).run()


def request_anyway(hook: FlowServiceHook, action: Action, log: Any) -> NewRun:
    """Do an action, whatever earlier tries have done."""
    source = action.source(hook)
    action.check(hook, source, log)
    run_id = action.send(hook, source)
    return _new_run(run_id, source, action)._replace(is_sent=True, since_ms=source.created_at)


def adopt(hook: FlowServiceHook, action: Action, run_id: str) -> NewRun:
    """
    Go on with a run that the user has named.

    :raises ValueError: It is no run that the action can have led to.
    """
    run = hook.get_run(run_id)
    if isinstance(action, Start) and not action.may_lead_to(run):
        raise ValueError(
            f"adopt_run_id is {run_id!r}, and that is no {action.label}: leave it out for other data. "
            f"{run.description}"
        )
    return _new_run(run_id, run, action)


def _new_run(run_id: str, like: DataflowRun, action: Action) -> NewRun:
    return NewRun(
        run_id,
        like.flow_id,
        (run_id,),
        is_sent=False,
        window=like.window,
        is_window_asked=like.is_window_asked,
        asked_ms=action.asked_ms,
        done_run_ids=(action.key,),
    )


def try_of(context: Context, retries: int) -> Try:
    """Return which try of the task this is."""
    ti = context["ti"]
    return Try(ti.try_number, ti.max_tries or 0, retries)


def began_ms(context: Context) -> int:
    """Return the epoch milliseconds before which no try of the task can have done anything."""
    start = context["dag_run"].start_date
    return round(start.timestamp() * 1000) if start else 0


def asked_ms(context: Context) -> int:
    """Return the epoch milliseconds when the DAG run was asked for."""
    dag_run = context["dag_run"]
    # `airflow dags test` lets a DAG run begin at its logical date.
    if dag_run.start_date == getattr(dag_run, "logical_date", None):
        return WALL_CLOCK.now_ms()
    return began_ms(context)
