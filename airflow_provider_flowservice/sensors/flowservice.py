"""Sensors that wait for dataflow runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_flowservice._arguments import kinds
from airflow_provider_flowservice._compat import conf
from airflow_provider_flowservice._defaults import CONN_ID, MISSING_GRACE, OUTAGE_TIMEOUT
from airflow_provider_flowservice.sensors._base import FlowServiceSensor

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from airflow.triggers.base import BaseTrigger

    from airflow_provider_flowservice._compat import Context, XComArg
    from airflow_provider_flowservice._outcomes.table import Choice, OutcomePolicy
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
    :param outage_timeout: Seconds, or a ``timedelta``, without any response after which contact counts
        as lost. In mode ``reschedule`` nothing is remembered from poll to poll, so an outage lasts
        until ``timeout``.
    :param missing_grace: Seconds, or a ``timedelta``, during which a run that the service does not show
        may still appear.
    :param on_partial: What a run that succeeds in part does to the task: ``fail``, ``skip``, or
        ``accept`` for success with a warning.
    :param on_empty: What a run that succeeds without any record does to it, likewise.
    :param min_records: Fewest records that have to arrive for the task to succeed.
    :param max_failed_records: Most records that may be rejected.
    :param max_failed_share: Largest share of the records that may be rejected, from 0 to 1.
    :param hook_params: Further arguments for
        :class:`~airflow_provider_flowservice.hooks.flowservice.FlowServiceHook`.
    :return: The run's summary, see :class:`~airflow_provider_flowservice.runs.RunSummary`; it is
        the XCom ``summary`` as well, also for a failed task or with ``do_xcom_push=False``.
    """

    template_fields: Sequence[str] = ("run_id", "flowservice_conn_id")
    argument_kinds: ClassVar[Mapping[str, kinds.Kind]] = {
        **FlowServiceSensor.argument_kinds,
        "run_id": kinds.ID,
        "missing_grace": kinds.DURATION,
        **kinds.REQUIREMENTS,
    }

    def __init__(
        self,
        *,
        run_id: str | XComArg,
        flowservice_conn_id: str = CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        outage_timeout: float | timedelta = OUTAGE_TIMEOUT,
        missing_grace: float | timedelta = MISSING_GRACE,
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
        self.outage_timeout = outage_timeout  # type: ignore[assignment]  # becomes seconds
        self.missing_grace = missing_grace  # type: ignore[assignment]  # becomes seconds
        self.on_partial = on_partial
        self.on_empty = on_empty
        self.min_records = min_records
        self.max_failed_records = max_failed_records
        self.max_failed_share = max_failed_share
        self.hook_params = hook_params or {}
        self._check_arguments()

    @property
    def _policy(self) -> OutcomePolicy:
        from airflow_provider_flowservice._outcomes.table import OutcomePolicy

        return OutcomePolicy(
            "sensor",
            on_partial=self.on_partial,
            on_empty=self.on_empty,
            min_records=self.min_records,
            max_failed_records=self.max_failed_records,
            max_failed_share=self.max_failed_share,
            soft_fail=self.soft_fail,
            never_fail=self.never_fail,
        )

    @property
    def _subject(self) -> str:
        return f"dataflow run {self.run_id}"

    def _poll(self, hook: FlowServiceHook) -> Seen:
        from airflow_provider_flowservice._waiting.poll import poll_once

        return poll_once(hook, self.run_id)

    def _trigger(self, deadline: float, first_poll: float) -> BaseTrigger:
        from airflow_provider_flowservice.triggers.flowservice import DataflowRunTrigger

        return DataflowRunTrigger(
            run_id=self.run_id,
            flowservice_conn_id=self.flowservice_conn_id,
            poll_interval=self.poke_interval,
            deadline=deadline,
            outage_timeout=self.outage_timeout,
            first_poll=first_poll,
            missing_grace=self.missing_grace,
            hook_params=self.hook_params,
        )


class DataflowSensor(FlowServiceSensor):
    """
    Wait until a run of a dataflow has succeeded since a time, whatever started it.

    Failed runs do not end the wait: a later run, or a re-trigger, may succeed. A run that began more
    than 24 hours before the time is not seen.

    :param flow_id: ID of the flow. (templated)
    :param completed_after: The time since when a run is to have ended in success, such as
        ``{{ data_interval_end | default(dag_run.run_after, true) }}``; in UTC if it has no time zone.
        (templated)
    :param flowservice_conn_id: Airflow connection of type ``flowservice``. (templated)
    :param deferrable: Whether to wait in the triggerer instead of the worker; ``mode`` has no
        effect then.
    :param outage_timeout: Seconds, or a ``timedelta``, without any response after which the wait is
        over. In mode ``reschedule`` nothing is remembered from poll to poll, so an outage lasts until
        ``timeout``.
    :param hook_params: Further arguments for
        :class:`~airflow_provider_flowservice.hooks.flowservice.FlowServiceHook`.
    :return: The summary of the first run that succeeded, see
        :class:`~airflow_provider_flowservice.runs.RunSummary`.
    """

    template_fields: Sequence[str] = ("flow_id", "completed_after", "flowservice_conn_id")
    argument_kinds: ClassVar[Mapping[str, kinds.Kind]] = {
        **FlowServiceSensor.argument_kinds,
        "flow_id": kinds.ID,
        "completed_after": kinds.TIME,
    }

    missing_grace = 0.0  # a flow is there before its runs are

    def __init__(
        self,
        *,
        flow_id: str,
        completed_after: str | datetime,
        flowservice_conn_id: str = CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        outage_timeout: float | timedelta = OUTAGE_TIMEOUT,
        hook_params: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.flow_id = flow_id
        self.completed_after = completed_after
        self.flowservice_conn_id = flowservice_conn_id
        self.deferrable = deferrable
        self.outage_timeout = outage_timeout  # type: ignore[assignment]  # becomes seconds
        self.hook_params = hook_params or {}
        self._check_arguments()

    @property
    def _policy(self) -> OutcomePolicy:
        from airflow_provider_flowservice._outcomes.table import OutcomePolicy

        return OutcomePolicy("sensor", soft_fail=self.soft_fail, never_fail=self.never_fail)

    @property
    def _subject(self) -> str:
        return f"a success of flow {self.flow_id} since {self.completed_after}"

    @property
    def _since_ms(self) -> int:
        return kinds.epoch_milliseconds(self.completed_after)

    def _poll(self, hook: FlowServiceHook) -> Seen:
        from airflow_provider_flowservice._waiting.flow_success import poll_for_success

        return poll_for_success(hook, self.flow_id, self._since_ms)

    def _flow_id_for_lineage(self, hook: FlowServiceHook) -> str:
        return self.flow_id

    def _trigger(self, deadline: float, first_poll: float) -> BaseTrigger:
        from airflow_provider_flowservice.triggers.flowservice import DataflowTrigger

        return DataflowTrigger(
            flow_id=self.flow_id,
            since_ms=self._since_ms,
            flowservice_conn_id=self.flowservice_conn_id,
            poll_interval=self.poke_interval,
            deadline=deadline,
            outage_timeout=self.outage_timeout,
            first_poll=first_poll,
            hook_params=self.hook_params,
        )

    def _finish(self, context: Context, hook: FlowServiceHook, result: WaitResult) -> RunSummary:
        """End the task as the wait ended."""
        if result.kind in ("late", "overdue"):
            self._log_newest(hook)
        return super()._finish(context, hook, result)

    def _log_newest(self, hook: FlowServiceHook) -> None:
        """Log the state of the flow's newest run instead."""
        from airflow_provider_flowservice._outcomes.finish import log_outcome
        from airflow_provider_flowservice.exceptions import FlowServiceError

        try:
            for run in hook.list_runs(flow_id=self.flow_id, limit=1):
                log_outcome(self.log, run, run.description, is_fine=run.is_successful)
        except FlowServiceError as error:
            self.log.warning("Cannot read the newest run of flow %s: %s", self.flow_id, error)
