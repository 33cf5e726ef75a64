"""What tasks of several kinds do alike."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_flowservice._compat import TIMES_DEFERRED_TASKS, Asset
from airflow_provider_flowservice._outcomes.errors import ending, explain
from airflow_provider_flowservice._outcomes.table import Terms, end_of, verdict
from airflow_provider_flowservice._selection.eligibility import judge
from airflow_provider_flowservice._waiting.poll import look_once
from airflow_provider_flowservice._waiting.rules import WaitResult
from airflow_provider_flowservice.exceptions import (
    DataflowRunNotRetriggerableError,
    FlowServiceError,
)
from airflow_provider_flowservice.links.flowservice import DataflowRunLink

if TYPE_CHECKING:
    from airflow_provider_flowservice._compat import Context
    from airflow_provider_flowservice.flows import Dataflow
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
    from airflow_provider_flowservice.runs import DataflowRun

SUMMARY_KEY = "summary"
"""XCom key of the run's summary."""

# Errors of one run that are written to the log.
_MOST_ERRORS = 50


def began_at(context: Context) -> int:
    """Return the epoch milliseconds before which no try of the task can have done anything."""
    start = context["dag_run"].start_date
    return round(start.timestamp() * 1000) if start else 0


def check_eligible(hook: FlowServiceHook, log: Any, run: DataflowRun) -> None:
    """
    Refuse a run that certainly cannot be re-triggered, and say why the service may refuse it.

    :raises DataflowRunNotRetriggerableError: It cannot be.
    """
    eligibility = judge(run, _get_flow(hook, log, run.flow_id))
    for doubt in eligibility.doubts:
        log.warning("Dataflow run %s may be refused: %s.", run.run_id, doubt)
    if eligibility.refusal:
        raise DataflowRunNotRetriggerableError(
            f"Dataflow run {run.run_id} cannot be re-triggered: {eligibility.refusal}."
        )


def deadline_of(
    context: Context,
    timeout: float | None,
    execution_timeout: timedelta | None,
    *,
    deferred: bool = False,
) -> float | None:
    """
    Return the epoch seconds at which a wait that begins now is over.

    :param timeout: Seconds the task itself allows for the wait.
    :param execution_timeout: What Airflow allows for the whole try.
    :param deferred: Whether the task is resumed after the wait.
    """
    limits = [time.time() + timeout] if timeout is not None else []
    if execution_timeout is not None:
        room = room_to_resume(execution_timeout) if deferred and TIMES_DEFERRED_TASKS else 0.0
        began = context["ti"].start_date.timestamp()
        limits.append(began + execution_timeout.total_seconds() - room)
    return min(limits, default=None)


def room_to_resume(execution_timeout: timedelta) -> float:
    """
    Return the seconds before Airflow's limit at which a deferred wait ends, to tell how it ended.

    Where Airflow ends a deferred task itself, all it says is that time is up.
    """
    return min(30.0, execution_timeout.total_seconds() / 10)


def defer_timeout(deadline: float | None, poll_interval: float) -> timedelta | None:
    """Leave the trigger room to end the wait itself, which says more than Airflow's own timeout."""
    if deadline is None:
        return None
    return timedelta(seconds=max(0.0, deadline - time.time()) + defer_margin(poll_interval))


def defer_margin(poll_interval: float) -> float:
    """Return the seconds by which Airflow's timeout of a deferral comes after our deadline."""
    return max(60.0, 2 * poll_interval)


def finish(
    task: Any, terms: Terms, context: Context, hook: FlowServiceHook, result: WaitResult
) -> DataflowRun:
    """
    End the task as the wait ended, and leave what is known of the run where people look for it.

    :param task: The operator or sensor.
    :param terms: What it asks of its run.
    :return: The run, if the task succeeds; otherwise what ends the task is raised.
    """
    result = _read_again(hook, result)
    task.seen_run = run = result.run
    url = ""
    if run is not None:
        url = f" See {show_run(context, hook, run.flow_id, run.run_id)}"
        context["ti"].xcom_push(key=SUMMARY_KEY, value=dict(run.summary))
    end = end_of(result, terms, is_airflows_limit(task.timeout, task.execution_timeout))
    how = verdict(end, terms)
    message = explain(end, result, terms)
    log_end(task.log, run, message, is_fine=how == "success")
    if error := ending(end, how, f"{message}{url}", run):
        raise error
    done = cast("DataflowRun", run)
    tell_outlets(task, context, done)
    return done


def tell_outlets(task: Any, context: Context, run: DataflowRun) -> None:
    """Give the event of each asset that the task updates the run's metrics along."""
    metrics: dict[str, Any] = {**run.summary}
    for outlet in task.outlets:
        if isinstance(outlet, Asset):
            context["outlet_events"][outlet].extra.update(metrics)


def is_airflows_limit(timeout: float | None, execution_timeout: timedelta | None) -> bool:
    """Return whether a passed deadline is the one that Airflow sets the task."""
    if execution_timeout is None:
        return False
    return timeout is None or execution_timeout.total_seconds() <= timeout


def _read_again(hook: FlowServiceHook, result: WaitResult) -> WaitResult:
    """Read an unsuccessful run once more if all its errors are not at hand, as after a deferral."""
    run = result.run
    if run is None or not run.is_terminal or run.is_successful or run.details:
        return result
    seen = look_once(hook, run.run_id)
    return result if isinstance(seen, FlowServiceError) else replace(result, run=seen)


def show_run(context: Context, hook: FlowServiceHook, flow_id: str, run_id: str) -> str:
    """Make the task's link open the run from now on, and return the address."""
    url = hook.get_run_url(flow_id, run_id)
    context["ti"].xcom_push(key=DataflowRunLink.xcom_key, value=url)
    return url


def log_end(log: Any, run: DataflowRun | None, message: str, *, is_fine: bool) -> None:
    """Write to the task's log how the wait ended, with all errors of the run."""
    log.log(logging.INFO if is_fine else logging.WARNING, "%s", message)
    if run is None:
        return
    for error in run.errors[:_MOST_ERRORS]:
        log.warning("Dataflow run %s: %s", run.run_id, error)
    if (more := len(run.errors) - _MOST_ERRORS) > 0:
        log.warning("Dataflow run %s has %d more errors.", run.run_id, more)
    for detail in run.details:
        log.warning("Dataflow run %s, in the words of the connector: %s", run.run_id, detail[:4000])


def _get_flow(hook: FlowServiceHook, log: Any, flow_id: str) -> Dataflow | None:
    """Read the flow for a better error, but leave the decision to the service if it is hidden."""
    try:
        return hook.get_flow(flow_id)
    except (FlowServiceError, ValueError) as error:
        log.warning("Cannot read flow %r: %s", flow_id, error)
        return None
