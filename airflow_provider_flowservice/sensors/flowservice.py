"""Sensors that wait for dataflow runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_flowservice._compat import (
    AirflowSensorTimeout,
    AirflowTaskTimeout,
    conf,
)
from airflow_provider_flowservice._defaults import CONN_ID, MISSING_GRACE, OUTAGE_TIMEOUT
from airflow_provider_flowservice._outcomes.finish import finish, log_end, show_run, tell_outlets
from airflow_provider_flowservice._selection.filters import FlowChoice, epoch_milliseconds
from airflow_provider_flowservice._waiting.deadlines import (
    is_airflows_limit,
)
from airflow_provider_flowservice._waiting.flow_success import conclude, label_of, poll_for_success
from airflow_provider_flowservice._waiting.poll import poll_once
from airflow_provider_flowservice.exceptions import FlowServiceError
from airflow_provider_flowservice.sensors._base import FlowServiceSensor

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.triggers.base import BaseTrigger

    from airflow_provider_flowservice._compat import Context, XComArg
    from airflow_provider_flowservice._outcomes.table import Choice
    from airflow_provider_flowservice._waiting.rules import Seen, WaitResult
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
    from airflow_provider_flowservice.runs import RunSummary

__all__ = ["DataflowRunSensor", "DataflowSensor"]


class DataflowRunSensor(FlowServiceSensor):
    """
    Wait until a dataflow run has ended in success.

    :param run_id: ID of the run, such as the output of a ``RetriggerDataflowRunOperator``. (templated)
    :param flowservice_conn_id: Airflow connection of type ``flowservice``. (templated)
    :param deferrable: Whether to wait in the triggerer instead of the worker; ``mode`` has no
        effect then.
    :param outage_timeout: Seconds the service may give no answer before sight of the run counts as lost.
        In mode ``reschedule`` nothing is remembered from look to look, so an outage is sat out until
        ``timeout``.
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

    def __init__(
        self,
        *,
        run_id: str | XComArg,
        flowservice_conn_id: str = CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        outage_timeout: float = OUTAGE_TIMEOUT,
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
        self.outage_timeout = outage_timeout
        self.missing_grace = missing_grace
        self.on_partial = on_partial
        self.on_empty = on_empty
        self.min_records = min_records
        self.max_failed_records = max_failed_records
        self.max_failed_share = max_failed_share
        self.hook_params = hook_params

    @property
    def _label(self) -> str:
        return self.run_id

    def _look(self, hook: FlowServiceHook) -> Seen:
        return poll_once(hook, self.run_id)

    def _trigger(self, deadline: float | None) -> BaseTrigger:
        # Late, since the trigger's base class belongs to Airflow's core and is slow to import.
        from airflow_provider_flowservice.triggers.flowservice import DataflowRunTrigger

        return DataflowRunTrigger(
            run_id=self.run_id,
            flowservice_conn_id=self.flowservice_conn_id,
            poll_interval=self.poke_interval,
            deadline=deadline,
            outage_timeout=self.outage_timeout,
            missing_grace=self.missing_grace,
            hook_params=self.hook_params,
        )

    def _finish(self, context: Context, hook: FlowServiceHook, result: WaitResult) -> RunSummary:
        """Outcome the task as the wait ended."""
        return finish(self, self._policy, context, hook, result).summary


class DataflowSensor(FlowServiceSensor):
    """
    Wait until a run of a dataflow has succeeded since a time, whoever started it.

    Failed runs do not end the wait: a later run, or a re-trigger, may succeed. A run that began more
    than 24 hours before the time is not seen.

    :param flow_id: ID of the flow. (templated)
    :param completed_after: The time since when a run is to have ended in success, such as
        ``{{ data_interval_end }}``. (templated)
    :param flowservice_conn_id: Airflow connection of type ``flowservice``. (templated)
    :param deferrable: Whether to wait in the triggerer instead of the worker; ``mode`` has no
        effect then.
    :param outage_timeout: Seconds the service may give no answer before the wait is given up. In mode
        ``reschedule`` nothing is remembered from look to look, so an outage lasts until ``timeout``.
    :param hook_params: Further arguments for :class:`FlowServiceHook`.
    :return: The summary of the first run that succeeded, see
        :class:`~airflow_provider_flowservice.runs.RunSummary`.
    """

    template_fields: Sequence[str] = ("flow_id", "completed_after", "flowservice_conn_id")

    missing_grace = 0.0  # a flow is there before its runs are

    def __init__(
        self,
        *,
        flow_id: str,
        completed_after: str | datetime,
        flowservice_conn_id: str = CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        outage_timeout: float = OUTAGE_TIMEOUT,
        hook_params: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.flow_id = flow_id
        self.completed_after = completed_after
        self.flowservice_conn_id = flowservice_conn_id
        self.deferrable = deferrable
        self.outage_timeout = outage_timeout
        self.hook_params = hook_params

    @property
    def _label(self) -> str:
        return label_of(self.flow_id)

    @property
    def _since(self) -> int:
        return epoch_milliseconds(self.completed_after)

    def _check_arguments(self) -> None:
        FlowChoice.of(self.flow_id, None, all_kinds=False)
        epoch_milliseconds(self.completed_after)

    def _look(self, hook: FlowServiceHook) -> Seen:
        return poll_for_success(hook, self.flow_id, self._since)

    def _flow_id_for_lineage(self, hook: FlowServiceHook) -> str:
        return self.flow_id

    def _trigger(self, deadline: float | None) -> BaseTrigger:
        # Late, since the trigger's base class belongs to Airflow's core and is slow to import.
        from airflow_provider_flowservice.triggers.flowservice import DataflowTrigger

        return DataflowTrigger(
            flow_id=self.flow_id,
            since=self._since,
            flowservice_conn_id=self.flowservice_conn_id,
            poll_interval=self.poke_interval,
            deadline=deadline,
            outage_timeout=self.outage_timeout,
            hook_params=self.hook_params,
        )

    def _finish(self, context: Context, hook: FlowServiceHook, result: WaitResult) -> RunSummary:
        """Outcome the task as the wait ended."""
        if result.kind in ("late", "overdue"):
            self._log_newest(hook)
        is_airflows = result.kind == "overdue" or is_airflows_limit(
            self.timeout, self.execution_timeout
        )
        late_error = AirflowTaskTimeout if is_airflows else AirflowSensorTimeout
        run = conclude(result, self.flow_id, str(self.completed_after), late_error)
        self.seen_run = run
        show_run(context, hook, run.flow_id, run.run_id)
        log_end(self.log, run, run.description, is_fine=run.is_successful)
        tell_outlets(self, context, run)
        return run.summary

    def _log_newest(self, hook: FlowServiceHook) -> None:
        """Say what the flow has come to instead."""
        try:
            for run in hook.list_runs(flow_id=self.flow_id, limit=1):
                log_end(self.log, run, run.description, is_fine=run.is_successful)
        except FlowServiceError as error:
            self.log.warning("Cannot read the newest run of flow %s: %s", self.flow_id, error)
