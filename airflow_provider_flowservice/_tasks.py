"""What the operator and the sensor do alike inside a task."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_flowservice._compat import TIMES_DEFERRED_TASKS, AirflowTaskTimeout
from airflow_provider_flowservice._eligibility import judge
from airflow_provider_flowservice._look import count_wait, look_once
from airflow_provider_flowservice._narration import Narrator
from airflow_provider_flowservice._outcomes import conclude
from airflow_provider_flowservice._waiting import (
    Seen,
    WaitResult,
    WaitRules,
    wait_blocking,
    wait_flow,
)
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

ATTEMPTS_KEY = "attempts"
"""XCom key of the IDs of all runs the task's requests have led to, the newest last."""

# Errors of one run that are written to the log.
_MOST_ERRORS = 50


def began_at(context: Context) -> int:
    """Return the epoch milliseconds before which no try of the task can have done anything."""
    start = context["dag_run"].start_date
    return round(start.timestamp() * 1000) if start else 0


def is_mapped(context: Context) -> bool:
    """Return whether the task is one of several made by dynamic task mapping."""
    map_index = context["ti"].map_index
    return map_index is not None and map_index >= 0


def claimed_by_siblings(context: Context, task_id: str) -> set[str]:
    """List the runs that the other tasks of the same mapping have re-triggered."""
    if not is_mapped(context):
        return set()
    attempts = context["ti"].xcom_pull(task_ids=[task_id], key=ATTEMPTS_KEY) or []
    return {run_id for run_ids in attempts for run_id in run_ids or []}


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


def wait_in_worker(
    hook: FlowServiceHook, run_id: str, rules: WaitRules, log: Any, first_look: float = 0.0
) -> WaitResult:
    """
    Wait for a run in this process, as a trigger would.

    :raises AirflowTaskTimeout: Airflow's own limit has passed.
    """
    narrator = Narrator(log, run_id)
    last_run: DataflowRun | None = None
    began_at = time.monotonic()

    def look(delay: float) -> Seen:
        nonlocal last_run
        time.sleep(delay)
        seen = narrator.tell(look_once(hook, run_id))
        last_run = last_run if isinstance(seen, FlowServiceError) else seen
        return seen

    try:
        return wait_blocking(wait_flow(run_id, rules, first_look), look)
    except AirflowTaskTimeout:
        raise_late(hook, run_id, last_run)
    finally:
        count_wait(time.monotonic() - began_at)


def raise_late(hook: FlowServiceHook, run_id: str, last_run: DataflowRun | None) -> NoReturn:
    """Say more than Airflow does when its limit ends a task."""
    conclude(WaitResult("late", run_id, last_run), url_of(hook, last_run), AirflowTaskTimeout)
    raise AssertionError("unreachable")


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


def late_error_of(
    timeout: float | None, execution_timeout: timedelta | None, own: type[BaseException]
) -> type[BaseException]:
    """Return what a passed deadline raises: Airflow's own error if Airflow's limit was the shorter."""
    if execution_timeout is None:
        return own
    shorter = timeout is None or execution_timeout.total_seconds() <= timeout
    return AirflowTaskTimeout if shorter else own


def read_again(hook: FlowServiceHook, result: WaitResult) -> DataflowRun | None:
    """Read an unsuccessful run once more if all its errors are not at hand, as after a deferral."""
    run = result.run
    if run is None or not run.is_terminal or run.is_successful or run.details:
        return run
    seen = look_once(hook, run.run_id)
    return run if isinstance(seen, FlowServiceError) else seen


def url_of(hook: FlowServiceHook, run: DataflowRun | None) -> str | None:
    """Return the address of a run in the user interface, if the run was seen."""
    return hook.get_run_url(run.flow_id, run.run_id) if run else None


def show_run(context: Context, hook: FlowServiceHook, flow_id: str, run_id: str) -> str:
    """Make the task's link open the run from now on, and return the address."""
    url = hook.get_run_url(flow_id, run_id)
    context["ti"].xcom_push(key=DataflowRunLink.xcom_key, value=url)
    return url


def log_run(log: Any, run: DataflowRun) -> None:
    """Write to the task's log how the run ended, with all its errors."""
    if run.is_successful and not run.errors:
        log.info("%s", run.digest)
        return
    log.warning("%s", run.digest)
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
