"""What the sensors have in common: their flags, and the way into the triggerer and back."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from airflow_provider_flowservice._compat import BaseSensorOperator
from airflow_provider_flowservice._endings import under_flags
from airflow_provider_flowservice._outcomes import Terms
from airflow_provider_flowservice._tasks import deadline_of, defer_timeout
from airflow_provider_flowservice._waiting import WaitResult
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.links.flowservice import DataflowRunLink

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_flowservice._compat import Context
    from airflow_provider_flowservice.runs import RunSummary


class FlowServiceSensor(BaseSensorOperator):
    """A sensor whose wait ends in a run, in the worker or deferred."""

    operator_extra_links = (DataflowRunLink(),)
    ui_color = "#fde8e6"

    flowservice_conn_id: str
    hook_params: dict[str, Any] | None

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

    def _defer(self, context: Context) -> None:
        deadline = deadline_of(context, self.timeout, self.execution_timeout, deferred=True)
        self.defer(
            trigger=self._trigger(deadline),
            method_name="execute_complete",
            timeout=defer_timeout(deadline, self.poke_interval),
        )

    @abstractmethod
    def _trigger(self, deadline: float | None) -> BaseTrigger:
        """Make the trigger that waits instead, until the epoch seconds of the deadline."""

    @abstractmethod
    def _finish(self, context: Context, hook: FlowServiceHook, result: WaitResult) -> RunSummary:
        """End the task as the wait ended."""
