"""What both sensors share: a wait for a run, by poking as Airflow's sensors do, or deferred."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, cast

from airflow_provider_flowservice._arguments import kinds
from airflow_provider_flowservice._arguments.checked import CheckedTask
from airflow_provider_flowservice._compat import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
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
    from airflow_provider_flowservice._waiting.drivers import PokedWait
    from airflow_provider_flowservice._waiting.rules import Seen, Unended, WaitResult
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
    from airflow_provider_flowservice.runs import DataflowRun, RunSummary

# Seconds between polls of what the service does not show, in reschedule mode.
_MISSING_INTERVAL = 5.0
# What ends a task in spite of `silent_fail`, as Airflow documents it.
_NEVER_SILENT = (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
)


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
    """
    A sensor whose wait ends in a run; the subclass says what it waits for.

    :param poke_interval: Seconds, or a ``timedelta``, between polls; deferred, the first few come earlier.
    :param timeout: Seconds, or a ``timedelta``, to wait, over all polls and deferrals of a try.
        ``execution_timeout`` applies as well.
    """

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

    # Of the wait in this process, from its first poll.
    _wait: PokedWait | None = None
    _deadline: float
    _poked_hook: FlowServiceHook
    _is_linked: bool
    _silenced: str = ""
    """The last error that ``silent_fail`` has had the wait go on after."""

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
        self._check_shared({**given, "task_id": kwargs.get("task_id")})
        super().__init__(**given, **kwargs)

    @under_flags
    def execute(self, context: Context) -> RunSummary:
        """Wait as configured: deferred, or by poking as Airflow's sensors do."""
        return self._start(context)

    # Apart from execute(), since Airflow's ExecutorSafeguard lets nothing but the task runner call that.
    def _start(self, context: Context) -> RunSummary:
        from airflow_provider_flowservice._waiting.poll import timed_wait
        from airflow_provider_flowservice._waiting.rules import WaitResult

        self._check_rendered()
        if self.deferrable:
            self._refuse_nested(context, "Make it a task of the DAG, or set deferrable=False.")
        began_at = self._began_at(context)
        wait = self._begin(self._deadline_of(context, began_at))
        with timed_wait(began_at):
            try:
                if self.deferrable:
                    return self._poke_and_defer(context)
                summary: RunSummary = super().execute(context)
            except (AirflowSensorTimeout, AirflowSkipException, AirflowTaskTimeout) as error:
                # With `soft_fail` and `never_fail` it comes as the cause of a skip.
                met = error.__cause__ or error
                is_limit = isinstance(met, AirflowSensorTimeout | AirflowTaskTimeout)
                if wait.result or not is_limit:
                    raise
                # Airflow's limit has ended the wait, during a poke or right after one. The task ends by
                # this result, which says more than Airflow does.
                kind: Unended = "overdue" if isinstance(met, AirflowTaskTimeout) else "late"
                over = WaitResult(kind, self._subject, wait.last_run, self._silenced)
                return self._finish(context, self._poked_hook, over)
        return summary

    def poke(self, context: Context) -> PokeReturnValue:
        """
        Poll once.

        May be called by itself, as in a unit test, and with an empty context.
        """
        wait = self._wait or self._begin(time.time() + self._seconds)
        result = wait.poll()
        while result is None and self._forgets and wait.is_missing:
            # Nothing is remembered from poke to poke, so the grace has to pass within this one.
            time.sleep(min(self.poke_interval, _MISSING_INTERVAL))
            result = wait.poll()
        summary = self._end(context, self._poked_hook, result, self._deadline) if result else None
        if summary is not None:
            return PokeReturnValue(True, xcom_value=summary)
        wait.result = None
        self._show_link(context, wait.last_run)
        return PokeReturnValue(False)

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any],
        deadline: float | None = None,
        try_number: int | None = None,
    ) -> RunSummary:
        """
        Take up again where the trigger left off.

        :param event: Payload of the trigger event.
        :param deadline: Epoch seconds at which the wait is over.
        :param try_number: Number of the try that was deferred.
        """
        from airflow_provider_flowservice._outcomes.finish import starts_anew
        from airflow_provider_flowservice._waiting.rules import WaitResult

        hook, result = self._hook(), WaitResult.from_event(event)
        if starts_anew(self, self._policy, context, hook, result, try_number):
            return self._start(context)
        if deadline is None:
            deadline = self._deadline_of(context, time.time())
        summary = self._end(context, hook, result, deadline)
        if summary is None:
            # What failed may fail again at once, and each time costs a process.
            self._defer(context, deadline, first_poll=self.poke_interval)
        return summary

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
    def _trigger(self, deadline: float, first_poll: float) -> BaseTrigger:
        """Make the trigger that waits instead, until the epoch seconds of the deadline."""

    @property
    def _forgets(self) -> bool:
        """Whether each poke is a process of its own, which knows nothing of the earlier ones."""
        return bool(self.reschedule) and not self.deferrable

    def _began_at(self, context: Context) -> float:
        """Return the epoch seconds of the first poke, the only thing that reschedules remember."""
        first = first_poked_at(context) if self._forgets else None
        return first.timestamp() if first else time.time()

    def _deadline_of(self, context: Context, began_at: float) -> float:
        from airflow_provider_flowservice._waiting.deadlines import deadline_of

        if not self.deferrable:
            return began_at + self._seconds
        deadline = deadline_of(context, self.timeout, self.execution_timeout, deferred=True)
        return cast("float", deadline)  # since a sensor has a timeout

    def _begin(self, deadline: float) -> PokedWait:
        """Begin the wait of this process."""
        from airflow_provider_flowservice._waiting.drivers import PokedWait
        from airflow_provider_flowservice._waiting.rules import WaitRules

        hook = self._hook()
        # An error that passes is left to the trigger, which waits without a worker.
        self._poked_hook = hook = hook.without_retries() if self.deferrable else hook
        self._deadline, self._is_linked = deadline, False
        rules = WaitRules(self.poke_interval, deadline, self.outage_timeout, self.missing_grace)
        self._wait = PokedWait(self._subject, partial(self._poll, hook), rules, self.log)
        return self._wait

    def _poke_and_defer(self, context: Context) -> RunSummary:
        """
        Poll once here, and defer only if that does not end the wait.

        A worker process to resume is spared, and so is what Airflow makes of triggers that fire soon.
        """
        done = PokeReturnValue(False)
        try:
            done = self.poke(context)
        except Exception as error:
            if not self._is_silenced(error):
                raise
        if not done:
            self._defer(context, self._deadline)
        return cast("RunSummary", done.xcom_value)

    def _end(
        self, context: Context, hook: FlowServiceHook, result: WaitResult, deadline: float
    ) -> RunSummary | None:
        """End the task as the wait ended; ``None`` if ``silent_fail`` has the wait go on."""
        from airflow_provider_flowservice._waiting.rules import WaitResult

        try:
            return self._finish(context, hook, result)
        except Exception as error:
            if not self._is_silenced(error):
                raise
            if time.time() < deadline:
                return None
            late = WaitResult("late", self._subject, result.run, str(error))
            return self._finish(context, hook, late)

    def _is_silenced(self, error: Exception) -> bool:
        """Return whether ``silent_fail`` has the wait go on after an error, which is logged then."""
        if not self.silent_fail or isinstance(error, _NEVER_SILENT):
            return False
        self._silenced = str(error)
        message = "The wait goes on in spite of an error, because of silent_fail."
        self.log.error(message, exc_info=error)
        return True

    def _show_link(self, context: Context, run: DataflowRun | None) -> None:
        """Let the button lead to the run as soon as it is seen, as far as this process knows."""
        from airflow_provider_flowservice._outcomes.finish import push_link

        if run is not None and not self._is_linked:
            push_link(context, self._poked_hook.get_run_url(run.flow_id, run.run_id))
            self._is_linked = True

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

    def _defer(self, context: Context, deadline: float, first_poll: float = 0.0) -> NoReturn:
        from airflow_provider_flowservice._waiting.deadlines import defer_timeout

        self.defer(
            trigger=self._trigger(deadline, first_poll),
            method_name="execute_complete",
            kwargs={"deadline": deadline, "try_number": context["ti"].try_number},
            timeout=defer_timeout(deadline, self.poke_interval),
        )
