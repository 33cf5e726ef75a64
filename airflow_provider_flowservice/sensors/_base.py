"""A wait of a task for a run: by poking as Airflow's sensors do, or deferred."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_flowservice._compat import (
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    first_poked_at,
)
from airflow_provider_flowservice._lineage import LineageMixin
from airflow_provider_flowservice._outcomes.errors import under_flags
from airflow_provider_flowservice._outcomes.table import OutcomePolicy
from airflow_provider_flowservice._waiting.deadlines import deadline_of, defer_timeout
from airflow_provider_flowservice._waiting.poll import count_wait
from airflow_provider_flowservice._waiting.progress import ProgressLogger
from airflow_provider_flowservice._waiting.rules import (
    Seen,
    WaitResult,
    WaitRules,
    WaitState,
    judge,
)
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.links.flowservice import DataflowRunLink

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_flowservice._compat import Context
    from airflow_provider_flowservice.runs import DataflowRun, RunSummary

# Seconds between looks at what does not turn up, in reschedule mode.
_MISSING_INTERVAL = 5.0


class FlowServiceSensor(LineageMixin, BaseSensorOperator):
    """A sensor whose wait ends in a run; what it waits for is for the subclass to say."""

    operator_extra_links = (DataflowRunLink(),)
    ui_color = "#fde8e6"

    deferrable: bool
    outage_timeout: float
    missing_grace: float

    @under_flags
    def execute(self, context: Context) -> RunSummary:
        """Wait as configured: deferred, or by poking as Airflow's sensors do."""
        self._check_arguments()
        if self.deferrable:
            self._defer(context)
        # In reschedule mode each poke is a new process; only the time of the first is remembered.
        first = first_poked_at(context) if self.reschedule else None
        began_at = first.timestamp() if first else time.time()
        self._deadline = began_at + self._seconds
        rules = WaitRules(
            self.poke_interval, self._deadline, self.outage_timeout, self.missing_grace
        )
        self._wait = _PokedWait(self._hook(), self._label, rules, self._look, self.log)
        try:
            summary: RunSummary = super().execute(context)
        except (AirflowTaskTimeout, AirflowSkipException) as error:
            # With `soft_fail` and `never_fail` it comes as the cause of a skip.
            is_alarm = isinstance(error.__cause__ or error, AirflowTaskTimeout)
            if self._wait.result or not is_alarm:
                raise
            # Says more than Airflow does.
            overdue = self._wait.result = WaitResult("overdue", self._label, self._wait.last_run)
            return self._finish(context, self._wait.hook, overdue)
        finally:
            if self._wait.result:
                count_wait(time.time() - began_at)
        return summary

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once."""
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
    def _policy(self) -> OutcomePolicy:
        """What the task asks of its run."""
        return OutcomePolicy.of(self, "sensor")

    @property
    @abstractmethod
    def _label(self) -> str:
        """What logs call the run that is waited for."""

    def _check_arguments(self) -> None:
        """Refuse what cannot be meant, before any request."""

    @abstractmethod
    def _look(self, hook: FlowServiceHook) -> Seen:
        """Ask the service once."""

    @abstractmethod
    def _trigger(self, deadline: float | None) -> BaseTrigger:
        """Make the trigger that waits instead, until the epoch seconds of the deadline."""

    @abstractmethod
    def _finish(self, context: Context, hook: FlowServiceHook, result: WaitResult) -> RunSummary:
        """Outcome the task as the wait ended."""

    def _hook(self) -> FlowServiceHook:
        return FlowServiceHook(self.flowservice_conn_id, **self.hook_params or {})

    @property
    def _seconds(self) -> float:
        """Seconds allowed for the wait."""
        own = self.execution_timeout
        return min(self.timeout, own.total_seconds()) if own is not None else self.timeout

    def _get_next_poke_interval(self, *args: Any, **kwargs: Any) -> float:
        """Look for the last time at the deadline and not an interval later."""
        interval: float = super()._get_next_poke_interval(*args, **kwargs)
        return max(0.0, min(interval, self._deadline - time.time()))

    def _defer(self, context: Context) -> None:
        deadline = deadline_of(context, self.timeout, self.execution_timeout, deferred=True)
        self.defer(
            trigger=self._trigger(deadline),
            method_name="execute_complete",
            timeout=defer_timeout(deadline, self.poke_interval),
        )


class _PokedWait:
    """A wait whose looks are Airflow's pokes."""

    def __init__(
        self,
        hook: FlowServiceHook,
        label: str,
        rules: WaitRules,
        look: Callable[[FlowServiceHook], Seen],
        log: Any,
    ) -> None:
        self.hook = hook
        self._label = label
        self._rules = rules
        self._look = look
        self._progress = ProgressLogger(log, label)
        self._sight = WaitState(answered_at=time.time())
        self.result: WaitResult | None = None

    @property
    def last_run(self) -> DataflowRun | None:
        """The run as last seen."""
        return self._sight.run

    @property
    def is_missing(self) -> bool:
        """Whether the service did not show the run at the last look."""
        return self._sight.missing_since is not None

    def look(self) -> WaitResult | None:
        """Look; return how the wait ended if it did."""
        seen = self._progress.log(self._look(self.hook))
        self._sight, self.result = judge(self._label, self._sight, seen, time.time(), self._rules)
        return self.result
