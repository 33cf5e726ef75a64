"""Operators that find dataflow runs and re-trigger them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_flowservice._bulk_operator import RetriggerDataflowRunsOperator
from airflow_provider_flowservice._compat import BaseOperator, conf
from airflow_provider_flowservice._durable import Try
from airflow_provider_flowservice._endings import ended_by
from airflow_provider_flowservice._lineage import LineageMixin
from airflow_provider_flowservice._list_operator import ListDataflowRunsOperator
from airflow_provider_flowservice._outcomes import Terms
from airflow_provider_flowservice._retrigger import SETTLE_TIME, Retrigger, Retriggered
from airflow_provider_flowservice._search import check_adopted
from airflow_provider_flowservice._task_store import TaskStore
from airflow_provider_flowservice._tasks import (
    ATTEMPTS_KEY,
    began_at,
    check_eligible,
    claimed_by_siblings,
    deadline_of,
    defer_timeout,
    finish,
    is_mapped,
    show_run,
    wait_in_worker,
)
from airflow_provider_flowservice._waiting import PATIENCE, POLL_INTERVAL, WaitResult, WaitRules
from airflow_provider_flowservice.exceptions import (
    FlowServiceError,
)
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.links.flowservice import DataflowRunLink

if TYPE_CHECKING:
    from airflow_provider_flowservice._compat import Context, XComArg
    from airflow_provider_flowservice._outcomes import Choice

__all__ = [
    "ListDataflowRunsOperator",
    "RetriggerDataflowRunOperator",
    "RetriggerDataflowRunsOperator",
]

# A run that has just been created is not looked at before.
_FIRST_LOOK = 5.0


class RetriggerDataflowRunOperator(LineageMixin, BaseOperator):
    """
    Re-trigger a dataflow run, and wait for the new run.

    The new run loads the data of the old run's window; files that arrived later are not picked up.
    A run cannot be cancelled: when the task ends early, the run goes on.

    :param run_id: ID of the run to re-trigger: one that failed, or that ingested nothing. (templated)
    :param flowservice_conn_id: Airflow connection of type ``flowservice``. (templated)
    :param wait_for_completion: Whether to wait until the new run has ended. Without, the task
        succeeds as soon as the new run is known.
    :param deferrable: Whether to wait in the triggerer instead of the worker.
    :param poll_interval: Seconds between looks at the new run; the first few come earlier.
    :param timeout: Seconds to wait for the new run. ``execution_timeout`` counts as well.
    :param patience: Seconds the service may give no answer before sight of the run counts as lost.
    :param durable: Whether to make sure that the run is re-triggered once, whatever crashes. Without,
        each try of the task re-triggers it.
    :param settle_time: Seconds within which a new run shows up in the service's lists. A request
        whose answer was lost is not sent again before.
    :param adopt_run_id: A run to go on with instead of re-triggering, for when it could not be told
        what became of an earlier request. (templated)
    :param on_ineligible: What to do with a run that cannot be re-triggered: ``fail`` or ``skip``
        the task.
    :param on_partial: What a new run that succeeds in part does to the task: ``fail``, ``skip``, or
        ``accept`` for success with a warning.
    :param on_empty: What a new run that succeeds without any record does to it, likewise.
    :param min_records: Fewest records that have to arrive for the task to succeed.
    :param max_failed_records: Most records that may be rejected.
    :param max_failed_share: Largest share of the records that may be rejected, from 0 to 1.
    :param hook_params: Further arguments for :class:`FlowServiceHook`.
    :return: ID of the new run. Further XComs are ``summary``, a
        :class:`~airflow_provider_flowservice.runs.RunSummary` of how it ended, there for a failed
        task as well; ``attempts``, the IDs of all runs the task has led to, newest last; and the
        address behind the link.
    """

    template_fields: Sequence[str] = ("run_id", "flowservice_conn_id", "adopt_run_id")
    operator_extra_links = (DataflowRunLink(),)
    ui_color = "#fde8e6"

    _new_run_id: str | None = None
    _run_url: str | None = None

    def __init__(
        self,
        *,
        run_id: str | XComArg,
        flowservice_conn_id: str = FlowServiceHook.default_conn_name,
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float = POLL_INTERVAL,
        timeout: float = 12 * 60 * 60,
        patience: float = PATIENCE,
        durable: bool = True,
        settle_time: float = SETTLE_TIME,
        adopt_run_id: str | None = None,
        on_ineligible: Literal["fail", "skip"] = "fail",
        on_partial: Choice = "fail",
        on_empty: Choice = "accept",
        min_records: int = 0,
        max_failed_records: int | None = None,
        max_failed_share: float | None = None,
        hook_params: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id: str = run_id  # type: ignore[assignment]  # the output of a task by then
        self.flowservice_conn_id = flowservice_conn_id
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.patience = patience
        self.durable = durable
        self.settle_time = settle_time
        self.adopt_run_id = adopt_run_id
        self.on_ineligible = on_ineligible
        self.on_partial = on_partial
        self.on_empty = on_empty
        self.min_records = min_records
        self.max_failed_records = max_failed_records
        self.max_failed_share = max_failed_share
        self.hook_params = hook_params

    def execute(self, context: Context) -> str:
        """Re-trigger the run, then wait for the new one as configured."""
        hook = self._hook()
        try:
            new_run = self._retrigger(context, hook)
        except FlowServiceError as error:
            raise ended_by(error, self.terms) from error.__cause__
        self._show(context, hook, new_run)
        if not self.wait_for_completion:
            return new_run.run_id
        deadline = deadline_of(
            context, self.timeout, self.execution_timeout, deferred=self.deferrable
        )
        if self.deferrable and not new_run.has_ended:
            self._defer(new_run, deadline)
        rules = WaitRules(self.poll_interval, deadline, self.patience)
        first_look = 0.0 if new_run.has_ended else self._first_look
        result = wait_in_worker(hook, new_run.run_id, rules, self.log, first_look)
        check_adopted(hook, result.run, new_run.window)
        return self._finish(context, hook, result)

    def execute_complete(
        self, context: Context, event: dict[str, Any], window: Sequence[int] | None = None
    ) -> str:
        """
        Take up again where the trigger left off.

        :param window: Data the run has to load, if it is not certain that it is the new run.
        """
        hook, result = self._hook(), WaitResult.from_event(event)
        check_adopted(hook, result.run, window)
        return self._finish(context, hook, result)

    def on_kill(self) -> None:
        """Say that the run goes on; the service has no call to cancel it."""
        if self._new_run_id:
            self.log.warning(
                "The task was killed. Dataflow run %s goes on: %s", self._new_run_id, self._run_url
            )

    @property
    def terms(self) -> Terms:
        """What the task asks of its run."""
        return Terms.of(self, "operator" if self.durable else "operator, durable=False")

    def _hook(self) -> FlowServiceHook:
        return FlowServiceHook(self.flowservice_conn_id, **self.hook_params or {})

    @property
    def _first_look(self) -> float:
        return min(_FIRST_LOOK, self.poll_interval)

    def _retrigger(self, context: Context, hook: FlowServiceHook) -> Retriggered:
        if self.adopt_run_id:
            adopted = hook.get_run(self.adopt_run_id)
            return Retriggered(adopted.run_id, adopted.flow_id, False, (adopted.run_id,))
        if not self.durable:
            run = hook.get_run(self.run_id)
            check_eligible(hook, self.log, run)
            new_run_id = hook.retrigger_run(self.run_id).run_id
            return Retriggered(new_run_id, run.flow_id, False, (new_run_id,))
        ti = context["ti"]
        return Retrigger(
            hook,
            TaskStore(context.get("task_state_store")),
            Try(ti.try_number, ti.max_tries or 0, self.retries or 0),
            began_at=began_at(context),
            check_eligible=partial(check_eligible, hook, self.log),
            claimed=partial(claimed_by_siblings, context, self.task_id),
            has_siblings=is_mapped(context),
            settle_time=self.settle_time,
            log=self.log,
        ).run(self.run_id)

    def _show(self, context: Context, hook: FlowServiceHook, new_run: Retriggered) -> None:
        """Say which run it is, where people and other tasks look for it."""
        # First of all, since from now on the task may be killed at any moment.
        self._run_url = hook.get_run_url(new_run.flow_id, new_run.run_id)
        self._new_run_id = new_run.run_id
        context["ti"].xcom_push(key=ATTEMPTS_KEY, value=list(new_run.known_run_ids))
        show_run(context, hook, new_run.flow_id, new_run.run_id)
        self.log.info(
            "Dataflow run %s is re-triggered as %s. %s", self.run_id, new_run.run_id, self._run_url
        )

    def _defer(self, new_run: Retriggered, deadline: float | None) -> None:
        # Late, since the trigger's base class belongs to Airflow's core and is slow to import.
        from airflow_provider_flowservice.triggers.flowservice import DataflowRunTrigger

        self.defer(
            trigger=DataflowRunTrigger(
                run_id=new_run.run_id,
                flowservice_conn_id=self.flowservice_conn_id,
                poll_interval=self.poll_interval,
                deadline=deadline,
                patience=self.patience,
                first_look=self._first_look,
                hook_params=self.hook_params,
                url=self._run_url,
            ),
            method_name="execute_complete",
            kwargs={"window": new_run.window and list(new_run.window)},
            timeout=defer_timeout(deadline, self.poll_interval),
        )

    def _finish(self, context: Context, hook: FlowServiceHook, result: WaitResult) -> str:
        """End the task as the wait ended."""
        return finish(self, self.terms, context, hook, result).run_id
