"""What both sensors share: a wait for a run, by poking as Airflow's sensors do, or deferred."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_flowservice._arguments import kinds
from airflow_provider_flowservice._arguments.checked import CheckedTask
from airflow_provider_flowservice._compat import (
    AirflowException,
    AirflowRescheduleException,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    first_poked_at,
)
from airflow_provider_flowservice._defaults import POLL_INTERVAL
from airflow_provider_flowservice._lineage import LineageMixin
from airflow_provider_flowservice.links.flowservice import DataflowRunLink

# What a task needs is imported when it runs: a process that only parses the DAG does not run it.
if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.triggers.base import BaseTrigger

    from airflow_provider_flowservice._compat import Context
    from airflow_provider_flowservice._outcomes.table import OutcomePolicy
    from airflow_provider_flowservice._waiting.rules import Seen, WaitResult
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
    from airflow_provider_flowservice.runs import RunSummary

# Seconds between polls of what the service does not show, in reschedule mode.
_MISSING_INTERVAL = 5.0


def under_flags(method: Callable[..., Any]) -> Callable[..., Any]:
    """
    Make ``soft_fail`` and ``never_fail`` of a sensor mean the same in every mode.

    Airflow skips for timeouts only while it pokes, and for whatever goes wrong after a deferral.
    """

    @wraps(method)
    def flagged(self: Any, *args: Any, **kwargs: Any) -> Any:
        from airflow_provider_flowservice._outcomes.errors import exception_for_error

        try:
            return method(self, *args, **kwargs)
        except (AirflowException, AirflowTaskTimeout, ValueError) as error:
            met: BaseException = error
            if isinstance(error, AirflowSkipException) and error.__cause__:
                met = error.__cause__
            if isinstance(met, AirflowSkipException | AirflowRescheduleException):
                raise met from None
            final = exception_for_error(met, self._policy)
            if final is met:
                raise met from None
            raise final from met

    return flagged


class FlowServiceSensor(LineageMixin, CheckedTask, BaseSensorOperator):
    """A sensor whose wait ends in a run; the subclass says what it waits for."""

    argument_kinds: ClassVar[Mapping[str, kinds.Kind]] = {
        "poke_interval": kinds.INTERVAL,
        "timeout": kinds.DURATION,
        "flowservice_conn_id": kinds.TEXT,
        "deferrable": kinds.FLAG,
        "outage_timeout": kinds.DURATION,
        "hook_params": kinds.HOOK_PARAMS,
    }

    operator_extra_links = (DataflowRunLink(),)
    ui_color = "#fde8e6"

    deferrable: bool
    outage_timeout: float
    missing_grace: float

    def __init__(
        self,
        *,
        poke_interval: float | timedelta = POLL_INTERVAL,
        timeout: float | timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        # Airflow's own check names neither argument nor value, and takes an interval of 0.
        given: dict[str, Any] = {"poke_interval": poke_interval}
        if timeout is not None:
            given["timeout"] = timeout
        self._refuse_wrong(f"{type(self).__name__} {kwargs.get('task_id')!r}", given)
        super().__init__(**given, **kwargs)

    @under_flags
    def execute(self, context: Context) -> RunSummary:
        """Wait as configured: deferred, or by poking as Airflow's sensors do."""
        from airflow_provider_flowservice._waiting.drivers import PokedWait
        from airflow_provider_flowservice._waiting.poll import timed_wait
        from airflow_provider_flowservice._waiting.rules import WaitResult, WaitRules

        self._check_rendered()
        if self.deferrable:
            self._defer(context)
        # In reschedule mode each poke is a new process; only the time of the first is remembered.
        first = first_poked_at(context) if self.reschedule else None
        began_at = first.timestamp() if first else time.time()
        self._deadline = began_at + self._seconds
        rules = WaitRules(
            self.poke_interval, self._deadline, self.outage_timeout, self.missing_grace
        )
        self._poked_hook = hook = self._hook()
        self._wait = PokedWait(self._subject, partial(self._poll, hook), rules, self.log)
        with timed_wait(began_at):
            try:
                summary: RunSummary = super().execute(context)
            except (AirflowTaskTimeout, AirflowSkipException) as error:
                # With `soft_fail` and `never_fail` it comes as the cause of a skip.
                is_alarm = isinstance(error.__cause__ or error, AirflowTaskTimeout)
                if self._wait.result or not is_alarm:
                    raise
                # The task ends by this result, which says more than Airflow does.
                overdue = WaitResult("overdue", self._subject, self._wait.last_run)
                return self._finish(context, hook, overdue)
        return summary

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once."""
        result = self._wait.poll()
        while result is None and self.reschedule and self._wait.is_missing:
            # Nothing is remembered from poke to poke, so the grace has to pass within this one.
            time.sleep(min(self.poke_interval, _MISSING_INTERVAL))
            result = self._wait.poll()
        if result is None:
            return PokeReturnValue(False)
        return PokeReturnValue(True, xcom_value=self._finish(context, self._poked_hook, result))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> RunSummary:
        """Take up again where the trigger left off."""
        from airflow_provider_flowservice._waiting.rules import WaitResult

        return self._finish(context, self._hook(), WaitResult.from_event(event))

    @under_flags
    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> RunSummary:
        """Take up again where the trigger left off, or failed to."""
        summary: RunSummary = super().resume_execution(next_method, next_kwargs, context)
        return summary

    @property
    @abstractmethod
    def _policy(self) -> OutcomePolicy:
        """What the task asks of its run."""

    @property
    @abstractmethod
    def _subject(self) -> str:
        """What is waited for, as logs and errors call it."""

    @abstractmethod
    def _poll(self, hook: FlowServiceHook) -> Seen:
        """Poll the service once."""

    @abstractmethod
    def _trigger(self, deadline: float | None) -> BaseTrigger:
        """Make the trigger that waits instead, until the epoch seconds of the deadline."""

    def _finish(self, context: Context, hook: FlowServiceHook, result: WaitResult) -> RunSummary:
        """End the task as the wait ended."""
        from airflow_provider_flowservice._outcomes.finish import finish

        return finish(self, self._policy, context, hook, result).summary

    def _hook(self) -> FlowServiceHook:
        from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

        return FlowServiceHook(self.flowservice_conn_id, **self.hook_params)

    @property
    def _seconds(self) -> float:
        """Seconds allowed for the wait."""
        own = self.execution_timeout
        return min(self.timeout, own.total_seconds()) if own is not None else self.timeout

    def _get_next_poke_interval(self, *args: Any, **kwargs: Any) -> float:
        """Poll for the last time at the deadline and not an interval later."""
        interval: float = super()._get_next_poke_interval(*args, **kwargs)
        return max(0.0, min(interval, self._deadline - time.time()))

    def _defer(self, context: Context) -> None:
        self._refuse_nested(context, "Make it a task of the DAG, or set deferrable=False.")
        from airflow_provider_flowservice._waiting.deadlines import deadline_of, defer_timeout

        deadline = deadline_of(context, self.timeout, self.execution_timeout, deferred=True)
        self.defer(
            trigger=self._trigger(deadline),
            method_name="execute_complete",
            timeout=defer_timeout(deadline, self.poke_interval),
        )
