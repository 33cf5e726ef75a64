"""What the operators share that request a run and wait for it; the subclass says which run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_flowservice._arguments import kinds
from airflow_provider_flowservice._arguments.checked import CheckedTask
from airflow_provider_flowservice._compat import BaseOperator, conf
from airflow_provider_flowservice._defaults import (
    CONN_ID,
    OUTAGE_TIMEOUT,
    POLL_INTERVAL,
    SETTLE_TIME,
)
from airflow_provider_flowservice._lineage import LineageMixin
from airflow_provider_flowservice.links.flowservice import DataflowRunLink

# What a task needs is imported when it runs: a process that only parses the DAG does not run it.
if TYPE_CHECKING:
    from datetime import timedelta

    from airflow_provider_flowservice._compat import Context
    from airflow_provider_flowservice._exactly_once.actions import Action
    from airflow_provider_flowservice._exactly_once.engine import NewRun
    from airflow_provider_flowservice._outcomes.table import Choice, OutcomePolicy
    from airflow_provider_flowservice._waiting.rules import WaitResult
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook


class NewRunOperator(LineageMixin, CheckedTask, BaseOperator):
    """
    An operator that requests a run, once in spite of crashes, and waits for it.

    Its arguments are documented at :class:`RetriggerDataflowRunOperator`.
    """

    argument_kinds: ClassVar[Mapping[str, kinds.Kind]] = {
        "flowservice_conn_id": kinds.TEXT,
        "wait_for_completion": kinds.FLAG,
        "deferrable": kinds.FLAG,
        "poll_interval": kinds.INTERVAL,
        "timeout": kinds.DURATION,
        "outage_timeout": kinds.DURATION,
        "durable": kinds.FLAG,
        "settle_time": kinds.DURATION,
        "adopt_run_id": kinds.OPTIONAL_ID,
        "on_ineligible": kinds.one_of("fail", "skip"),
        **kinds.REQUIREMENTS,
        "hook_params": kinds.HOOK_PARAMS,
    }
    operator_extra_links = (DataflowRunLink(),)
    ui_color = "#fde8e6"

    instead: ClassVar[str]
    """What to do instead of calling the operator from Python code."""

    new_run_id: str | None = None
    """ID of the new run, as soon as this process knows it."""

    new_run_url: str | None = None
    """Address of the new run in the Experience Platform UI."""

    def __init__(
        self,
        *,
        flowservice_conn_id: str = CONN_ID,
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | timedelta = POLL_INTERVAL,
        timeout: float | timedelta = 12 * 60 * 60,
        outage_timeout: float | timedelta = OUTAGE_TIMEOUT,
        durable: bool = True,
        settle_time: float | timedelta = SETTLE_TIME,
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
        self.flowservice_conn_id = flowservice_conn_id
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval: float = poll_interval  # type: ignore[assignment]  # becomes seconds
        self.timeout: float = timeout  # type: ignore[assignment]  # becomes seconds
        self.outage_timeout: float = outage_timeout  # type: ignore[assignment]  # becomes seconds
        self.durable = durable
        self.settle_time: float = settle_time  # type: ignore[assignment]  # becomes seconds
        self.adopt_run_id = adopt_run_id
        self.on_ineligible = on_ineligible
        self.on_partial = on_partial
        self.on_empty = on_empty
        self.min_records = min_records
        self.max_failed_records = max_failed_records
        self.max_failed_share = max_failed_share
        self.hook_params = hook_params or {}

    @classmethod
    def _conflicts(cls, values: Mapping[str, Any]) -> Iterator[str]:
        if values.get("wait_for_completion", True):
            return
        from airflow_provider_flowservice._outcomes.table import OutcomePolicy

        defaults = OutcomePolicy("operator")
        for name in kinds.REQUIREMENTS:
            if name in values and values[name] != getattr(defaults, name):
                yield (
                    f"{name} is {values[name]!r}, but with wait_for_completion=False the operator does "
                    "not wait for the records. Leave one of the two out."
                )

    def execute(self, context: Context) -> str:
        """Request the run, and wait for it as configured."""
        return self._start(context)

    # Apart from execute(), since Airflow's ExecutorSafeguard lets nothing but the task runner call that.
    def _start(self, context: Context) -> str:
        from airflow_provider_flowservice._outcomes.errors import exception_for_error
        from airflow_provider_flowservice._waiting.deadlines import deadline_of
        from airflow_provider_flowservice._waiting.drivers import wait_in_worker
        from airflow_provider_flowservice._waiting.poll import poll_once
        from airflow_provider_flowservice._waiting.rules import WaitRules
        from airflow_provider_flowservice.exceptions import FlowServiceError

        self._check_rendered()
        self._refuse_nested(context, self.instead)
        hook, action = self._hook(), self._action(context)
        try:
            new_run = self._request(hook, action, context)
        except FlowServiceError as error:
            raise exception_for_error(error, self._policy) from error.__cause__
        self._show(hook, context, action, new_run)
        if not self.wait_for_completion:
            return new_run.run_id
        deadline = deadline_of(
            context, self.timeout, self.execution_timeout, deferred=self.deferrable
        )
        # A run that this try has not started may have ended, and then there is nothing to defer for.
        if self.deferrable and (new_run.is_sent or not self._has_ended(hook, new_run)):
            self._defer(context, new_run, deadline)
        rules = WaitRules(self.poll_interval, deadline, self.outage_timeout)
        first_poll = self._first_poll if new_run.is_sent else 0.0
        result = wait_in_worker(
            f"dataflow run {new_run.run_id}",
            partial(poll_once, hook, new_run.run_id),
            rules,
            self.log,
            first_poll,
        )
        return self._finish(hook, context, result, new_run)

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any],
        new_run: Mapping[str, Any] | None = None,
        try_number: int | None = None,
    ) -> str:
        """
        Resume after the trigger has fired.

        :param event: Payload of the trigger event.
        :param new_run: What was known of the new run before.
        :param try_number: Number of the try that was deferred.
        """
        from airflow_provider_flowservice._exactly_once.engine import NewRun
        from airflow_provider_flowservice._outcomes.finish import starts_anew
        from airflow_provider_flowservice._waiting.rules import WaitResult

        hook, result = self._hook(), WaitResult.from_event(event)
        if starts_anew(self, self._policy, context, hook, result, try_number):
            return self._start(context)
        if run := result.run:
            self.new_run_url = event.get("url") or hook.get_run_url(run.flow_id, run.run_id)
            self.new_run_id = run.run_id
        known = NewRun.from_json(new_run) if new_run else None
        return self._finish(hook, context, result, known)

    def on_kill(self) -> None:
        """Log that the run goes on, since the service cannot cancel it."""
        if self.new_run_id:
            self.log.warning(
                "The task was killed. Dataflow run %s goes on: %s",
                self.new_run_id,
                self.new_run_url,
            )

    def _hook(self) -> FlowServiceHook:
        from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

        return FlowServiceHook(self.flowservice_conn_id, **self.hook_params)

    @property
    def _policy(self) -> OutcomePolicy:
        from airflow_provider_flowservice._outcomes.table import OutcomePolicy

        return OutcomePolicy(
            task="operator" if self.durable else "operator, durable=False",
            on_partial=self.on_partial,
            on_empty=self.on_empty,
            on_ineligible=self.on_ineligible,
            min_records=self.min_records,
            max_failed_records=self.max_failed_records,
            max_failed_share=self.max_failed_share,
            has_retry_policy=getattr(self, "retry_policy", None) is not None,  # since Airflow 3.3
        )

    @property
    def _first_poll(self) -> float:
        """Seconds until the first poll: a new run is not polled at once."""
        return min(5.0, self.poll_interval)

    @abstractmethod
    def _action(self, context: Context) -> Action:
        """Return what to request."""

    def _request(self, hook: FlowServiceHook, action: Action, context: Context) -> NewRun:
        from airflow_provider_flowservice._exactly_once import task

        if self.adopt_run_id:
            return task.adopt(hook, action, self.adopt_run_id)
        if not self.durable:
            return task.request_anyway(hook, action, self.log)
        return task.request_once(
            hook, context, action, self.retries or 0, self.settle_time, self.log
        )

    def _has_ended(self, hook: FlowServiceHook, new_run: NewRun) -> bool:
        from airflow_provider_flowservice._waiting.poll import poll_once
        from airflow_provider_flowservice.runs import DataflowRun

        seen = poll_once(hook, new_run.run_id)
        return isinstance(seen, DataflowRun) and seen.is_terminal

    def _show(
        self, hook: FlowServiceHook, context: Context, action: Action, new_run: NewRun
    ) -> None:
        """Publish the new run in attributes, XComs and the log."""
        from airflow_provider_flowservice._exactly_once.siblings import ATTEMPTS_KEY

        self.new_run_url = hook.get_run_url(new_run.flow_id, new_run.run_id)
        self.new_run_id = new_run.run_id  # first of all, for `on_kill`
        ti = context["ti"]
        ti.xcom_push(key=ATTEMPTS_KEY, value=list(new_run.known_run_ids))
        ti.xcom_push(key=DataflowRunLink.xcom_key, value=self.new_run_url)
        sent = "" if new_run.is_sent else "; this try has sent nothing"
        self.log.info("The %s is %s%s. %s", action.label, new_run.run_id, sent, self.new_run_url)

    def _defer(self, context: Context, new_run: NewRun, deadline: float | None) -> None:
        from airflow_provider_flowservice._waiting.deadlines import defer_timeout
        from airflow_provider_flowservice.triggers.flowservice import DataflowRunTrigger

        self.defer(
            trigger=DataflowRunTrigger(
                run_id=new_run.run_id,
                flowservice_conn_id=self.flowservice_conn_id,
                poll_interval=self.poll_interval,
                deadline=deadline,
                outage_timeout=self.outage_timeout,
                hook_params=self.hook_params,
                url=self.new_run_url,
            ),
            method_name="execute_complete",
            kwargs={
                "new_run": new_run.to_json(),
                "try_number": context["ti"].try_number,
            },
            timeout=defer_timeout(deadline, self.poll_interval),
        )

    def _finish(
        self,
        hook: FlowServiceHook,
        context: Context,
        result: WaitResult,
        new_run: NewRun | None,
    ) -> str:
        """End the task according to the result, after a check that the run is the only new one."""
        from airflow_provider_flowservice._exactly_once.duplicates import find_duplicates
        from airflow_provider_flowservice._exactly_once.search import check_adopted
        from airflow_provider_flowservice._outcomes.finish import finish

        search = None
        if new_run is not None:
            if not new_run.is_certain:
                check_adopted(hook, result.run, new_run.wanted)
            search = partial(find_duplicates, hook.without_retries(), new_run)
        return finish(self, self._policy, context, hook, result, self.new_run_url, search).run_id
