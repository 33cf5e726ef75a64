"""What a task of ``RetriggerDataflowRunOperator`` does."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_flowservice._compat import AirflowTaskTimeout
from airflow_provider_flowservice._exactly_once.decisions import Try
from airflow_provider_flowservice._exactly_once.journal import TaskStore
from airflow_provider_flowservice._exactly_once.retrigger import Retrigger, Retriggered
from airflow_provider_flowservice._exactly_once.search import check_adopted
from airflow_provider_flowservice._outcomes.errors import ended_by
from airflow_provider_flowservice._outcomes.finish import (
    finish,
    show_run,
)
from airflow_provider_flowservice._outcomes.table import Terms
from airflow_provider_flowservice._selection.eligibility import check_eligible
from airflow_provider_flowservice._waiting.deadlines import deadline_of, defer_timeout
from airflow_provider_flowservice._waiting.poll import count_wait, look_once
from airflow_provider_flowservice._waiting.progress import Narrator
from airflow_provider_flowservice._waiting.rules import (
    Seen,
    WaitResult,
    WaitRules,
    wait_blocking,
    wait_flow,
)
from airflow_provider_flowservice.exceptions import FlowServiceError
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

if TYPE_CHECKING:
    from airflow_provider_flowservice._compat import Context
    from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator
    from airflow_provider_flowservice.runs import DataflowRun

ATTEMPTS_KEY = "attempts"
"""XCom key of the IDs of all runs the task's requests have led to, the newest last."""

# A run that has just been created is not looked at before.
_FIRST_LOOK = 5.0


class RetriggerTask:
    """
    One try of the task, or the rest of it after a deferral.

    :param operator: What the user asks for. It learns of the new run at once, since from then on
        the task may be killed at any moment.
    :param context: Airflow's context of the try.
    """

    def __init__(self, operator: RetriggerDataflowRunOperator, context: Context) -> None:
        self._operator = operator
        self._context = context
        self._log = operator.log
        self._hook = FlowServiceHook(operator.flowservice_conn_id, **operator.hook_params or {})
        self._terms = Terms.of(
            operator, "operator" if operator.durable else "operator, durable=False"
        )

    def run(self) -> str:
        """Re-trigger the run, wait for the new one as configured, and return its ID."""
        operator = self._operator
        try:
            new_run = self._retrigger()
        except FlowServiceError as error:
            raise ended_by(error, self._terms) from error.__cause__
        self._show(new_run)
        if not operator.wait_for_completion:
            return new_run.run_id
        deadline = deadline_of(
            self._context,
            operator.timeout,
            operator.execution_timeout,
            deferred=operator.deferrable,
        )
        if operator.deferrable and not new_run.has_ended:
            self._defer(new_run, deadline)
        rules = WaitRules(operator.poll_interval, deadline, operator.patience)
        first_look = 0.0 if new_run.has_ended else self._first_look
        result = _wait_in_worker(self._hook, new_run.run_id, rules, self._log, first_look)
        return self._finish(result, new_run.window)

    def resume(self, event: Mapping[str, Any], window: Sequence[int] | None) -> str:
        """
        Take up again where the trigger left off, and return the new run's ID.

        :param window: Data the run has to load, if it is not certain that it is the new run.
        """
        result = WaitResult.from_event(event)
        if result.run:
            self._tell_operator(result.run.flow_id, result.run_id)
        return self._finish(result, window)

    @property
    def _first_look(self) -> float:
        return min(_FIRST_LOOK, self._operator.poll_interval)

    def _retrigger(self) -> Retriggered:
        operator, hook, context = self._operator, self._hook, self._context
        if operator.adopt_run_id:
            adopted = hook.get_run(operator.adopt_run_id)
            return Retriggered(adopted.run_id, adopted.flow_id, False, (adopted.run_id,))
        if not operator.durable:
            run = hook.get_run(operator.run_id)
            check_eligible(hook, self._log, run)
            new_run_id = hook.retrigger_run(operator.run_id).run_id
            return Retriggered(new_run_id, run.flow_id, False, (new_run_id,))
        ti = context["ti"]
        return Retrigger(
            hook,
            TaskStore(context.get("task_state_store")),
            Try(ti.try_number, ti.max_tries or 0, operator.retries or 0),
            began_at=began_at(context),
            check_eligible=partial(check_eligible, hook, self._log),
            claimed=partial(_claimed_by_siblings, context, operator.task_id),
            has_siblings=_is_mapped(context),
            settle_time=operator.settle_time,
            log=self._log,
        ).run(operator.run_id)

    def _show(self, new_run: Retriggered) -> None:
        """Say which run it is, where people and other tasks look for it."""
        run_id = new_run.run_id
        self._tell_operator(new_run.flow_id, run_id)  # first of all, for `on_kill`
        self._context["ti"].xcom_push(key=ATTEMPTS_KEY, value=list(new_run.known_run_ids))
        show_run(self._context, self._hook, new_run.flow_id, run_id)
        self._log.info(
            "Dataflow run %s is re-triggered as %s. %s",
            self._operator.run_id,
            run_id,
            self._operator.new_run_url,
        )

    def _tell_operator(self, flow_id: str, run_id: str) -> None:
        self._operator.new_run_url = self._hook.get_run_url(flow_id, run_id)
        self._operator.new_run_id = run_id

    def _defer(self, new_run: Retriggered, deadline: float | None) -> None:
        # Late, since the trigger's base class belongs to Airflow's core and is slow to import.
        from airflow_provider_flowservice.triggers.flowservice import DataflowRunTrigger

        operator = self._operator
        operator.defer(
            trigger=DataflowRunTrigger(
                run_id=new_run.run_id,
                flowservice_conn_id=operator.flowservice_conn_id,
                poll_interval=operator.poll_interval,
                deadline=deadline,
                patience=operator.patience,
                first_look=self._first_look,
                hook_params=operator.hook_params,
                url=operator.new_run_url,
            ),
            method_name="execute_complete",
            kwargs={"window": new_run.window and list(new_run.window)},
            timeout=defer_timeout(deadline, operator.poll_interval),
        )

    def _finish(self, result: WaitResult, window: Sequence[int] | None) -> str:
        """End the task as the wait ended, unless the run turns out not to be the new one."""
        check_adopted(self._hook, result.run, window)
        return finish(self._operator, self._terms, self._context, self._hook, result).run_id


def began_at(context: Context) -> int:
    """Return the epoch milliseconds before which no try of the task can have done anything."""
    start = context["dag_run"].start_date
    return round(start.timestamp() * 1000) if start else 0


def _is_mapped(context: Context) -> bool:
    """Return whether the task is one of several made by dynamic task mapping."""
    map_index = context["ti"].map_index
    return map_index is not None and map_index >= 0


def _claimed_by_siblings(context: Context, task_id: str) -> set[str]:
    """List the runs that the other tasks of the same mapping have re-triggered."""
    if not _is_mapped(context):
        return set()
    attempts = context["ti"].xcom_pull(task_ids=[task_id], key=ATTEMPTS_KEY) or []
    return {run_id for run_ids in attempts for run_id in run_ids or []}


def _wait_in_worker(
    hook: FlowServiceHook, run_id: str, rules: WaitRules, log: Any, first_look: float = 0.0
) -> WaitResult:
    """Wait for a run in this process, as a trigger would, until Airflow's own limit at the latest."""
    narrator = Narrator(log, run_id)
    last_run: DataflowRun | None = None
    started_at = time.monotonic()

    def look(delay: float) -> Seen:
        nonlocal last_run
        time.sleep(delay)
        seen = narrator.tell(look_once(hook, run_id))
        last_run = last_run if isinstance(seen, FlowServiceError) else seen
        return seen

    try:
        return wait_blocking(wait_flow(run_id, rules, first_look), look)
    except AirflowTaskTimeout:
        # Whoever ends the task by this result says more than Airflow does.
        return WaitResult("overdue", run_id, last_run)
    finally:
        count_wait(time.monotonic() - started_at)
