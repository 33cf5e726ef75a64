"""Sensor that waits for dataflow runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_flowservice._compat import BaseSensorOperator, PokeReturnValue, conf
from airflow_provider_flowservice._endings import under_flags
from airflow_provider_flowservice._lineage import LineageMixin
from airflow_provider_flowservice._narration import Narrator
from airflow_provider_flowservice._outcomes import Terms
from airflow_provider_flowservice._tasks import deadline_of, defer_timeout, finish, look_once
from airflow_provider_flowservice._waiting import (
    MISSING_GRACE,
    PATIENCE,
    Sight,
    WaitResult,
    WaitRules,
    judge,
)
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.links.flowservice import DataflowRunLink

if TYPE_CHECKING:
    from airflow_provider_flowservice._compat import Context, XComArg
    from airflow_provider_flowservice._outcomes import Choice
    from airflow_provider_flowservice.runs import RunSummary


# Seconds between looks at a run that does not turn up, in reschedule mode.
_MISSING_INTERVAL = 5.0


class DataflowRunSensor(LineageMixin, BaseSensorOperator):
    """
    Wait until a dataflow run has ended in success.

    :param run_id: ID of the run, such as the output of a ``RetriggerDataflowRunOperator``. (templated)
    :param flowservice_conn_id: Airflow connection of type ``flowservice``. (templated)
    :param deferrable: Whether to wait in the triggerer instead of the worker; ``mode`` has no
        effect then.
    :param patience: Seconds the service may give no answer before sight of the run counts as lost.
    :param missing_grace: Seconds during which a run the service does not show may still turn up.
    :param on_partial: What a run that succeeds in part does to the task: ``fail``, ``skip``, or
        ``accept`` for success with a warning.
    :param on_empty: What a run that succeeds without any record does to it, likewise.
    :param min_records: Fewest records that have to arrive for the task to succeed.
    :param max_failed_records: Most records that may be rejected.
    :param max_failed_share: Largest share of the records that may be rejected, from 0 to 1.
    :param hook_params: Further arguments for :class:`FlowServiceHook`.
    :return: The run's summary, see :class:`~airflow_provider_flowservice.runs.RunSummary`; it is
        the XCom ``summary`` as well, for a failed task, too.
    """

    template_fields: Sequence[str] = ("run_id", "flowservice_conn_id")
    operator_extra_links = (DataflowRunLink(),)
    ui_color = "#fde8e6"

    def __init__(
        self,
        *,
        run_id: str | XComArg,
        flowservice_conn_id: str = FlowServiceHook.default_conn_name,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        patience: float = PATIENCE,
        missing_grace: float = MISSING_GRACE,
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
        self.deferrable = deferrable
        self.patience = patience
        self.missing_grace = missing_grace
        self.on_partial = on_partial
        self.on_empty = on_empty
        self.min_records = min_records
        self.max_failed_records = max_failed_records
        self.max_failed_share = max_failed_share
        self.hook_params = hook_params

    @under_flags
    def execute(self, context: Context) -> RunSummary:
        """Wait as configured: deferred, or by poking as Airflow's sensors do."""
        if self.deferrable:
            self._defer()
        rules = WaitRules(patience=self.patience, missing_grace=self.missing_grace)
        # One wait: in reschedule mode each poke is a new process, and so begins anew.
        self._wait = _PokedWait(self._hook(), self.run_id, rules, self.log)
        summary: RunSummary = super().execute(context)
        return summary

    def poke(self, context: Context) -> PokeReturnValue:
        """Look at the run once."""
        result = self._wait.look()
        while result is None and self.reschedule and self._wait.is_missing:
            # Nothing is remembered from poke to poke, so the grace has to pass within this one.
            time.sleep(min(self.poke_interval, _MISSING_INTERVAL))
            result = self._wait.look()
        if result is None:
            return PokeReturnValue(False)
        return PokeReturnValue(True, xcom_value=self._finish(context, self._wait.hook, result))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> RunSummary:
        """Take up again where the trigger left off."""
        return self._finish(context, self._hook(), WaitResult.from_event(event))

    @under_flags
    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> RunSummary:
        """Take up again where the trigger left off, or failed to."""
        summary: RunSummary = super().resume_execution(next_method, next_kwargs, context)
        return summary

    @property
    def terms(self) -> Terms:
        """What the task asks of its run."""
        return Terms.of(self, "sensor")

    def _hook(self) -> FlowServiceHook:
        return FlowServiceHook(self.flowservice_conn_id, **self.hook_params or {})

    def _defer(self) -> None:
        # Late, since the trigger's base class belongs to Airflow's core and is slow to import.
        from airflow_provider_flowservice.triggers.flowservice import DataflowRunTrigger

        deadline = deadline_of(self.timeout, self.execution_timeout)
        self.defer(
            trigger=DataflowRunTrigger(
                run_id=self.run_id,
                flowservice_conn_id=self.flowservice_conn_id,
                poll_interval=self.poke_interval,
                deadline=deadline,
                patience=self.patience,
                missing_grace=self.missing_grace,
                hook_params=self.hook_params,
            ),
            method_name="execute_complete",
            timeout=defer_timeout(deadline, self.poke_interval),
        )

    def _finish(self, context: Context, hook: FlowServiceHook, result: WaitResult) -> RunSummary:
        """End the task as the wait ended."""
        return finish(self, self.terms, context, hook, result).summary


class _PokedWait:
    """A wait whose looks are Airflow's pokes."""

    def __init__(self, hook: FlowServiceHook, run_id: str, rules: WaitRules, log: Any) -> None:
        self.hook = hook
        self._run_id = run_id
        self._rules = rules
        self._narrator = Narrator(log, run_id)
        self._sight = Sight(answered_at=time.time())

    @property
    def is_missing(self) -> bool:
        """Whether the service did not show the run at the last look."""
        return self._sight.missing_since is not None

    def look(self) -> WaitResult | None:
        """Look at the run; return how the wait ended if it did."""
        seen = self._narrator.tell(look_once(self.hook, self._run_id))
        self._sight, result = judge(self._run_id, self._sight, seen, time.time(), self._rules)
        return result
