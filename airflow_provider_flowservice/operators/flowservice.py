"""
Operators that find dataflow runs and re-trigger them.

Over 400 lines, since half of them document and keep arguments; each execute() is read in one place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_flowservice._arguments import kinds
from airflow_provider_flowservice._arguments.checked import CheckedTask, conflicts_of_flows
from airflow_provider_flowservice._compat import BaseOperator, conf
from airflow_provider_flowservice._defaults import (
    CONN_ID,
    OUTAGE_TIMEOUT,
    POLL_INTERVAL,
    SETTLE_TIME,
)
from airflow_provider_flowservice._lineage import LineageMixin
from airflow_provider_flowservice.links.flowservice import DataflowRunLink

# The operators import their modules when they run. These take several times as long to load as this
# one, and a process that only parses the DAG does not need them.
if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from airflow_provider_flowservice._compat import Context, XComArg
    from airflow_provider_flowservice._exactly_once.engine import NewRun
    from airflow_provider_flowservice._outcomes.table import Choice, OutcomePolicy
    from airflow_provider_flowservice._waiting.rules import WaitResult
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
    from airflow_provider_flowservice.runs import RunSummary

__all__ = [
    "ListDataflowRunsOperator",
    "RetriggerDataflowRunOperator",
    "RetriggerDataflowRunsOperator",
]

_INSTEAD = (
    "Make it a task of the DAG, or call FlowServiceHook(...).retrigger_run(run_id), which re-triggers the "
    "run in each try of the task that calls it."
)

# By default, Airflow maps lists of at most 1024 entries.
MAX_MAPPED = 1000


class RetriggerDataflowRunOperator(LineageMixin, CheckedTask, BaseOperator):
    """
    Re-trigger a dataflow run, and wait for the new run.

    The new run loads the data of the old run's window; files that arrived later are not picked up.
    A run cannot be cancelled: if the task ends early, the run goes on.

    One task re-triggers the run once, whatever crashes, or fails with the candidates if it cannot tell; so
    do mapped tasks together. Several DAGs that want the same run do so if they ask for one DAG run, see
    :func:`~airflow_provider_flowservice.repairs.repair_request`. What another task, another Airflow or a
    person re-triggers at the same moment can only be detected: an operator that waits names it under
    ``duplicates`` if it shows that it loads the same data.

    :param run_id: ID of the run to re-trigger: one that failed, or that ingested nothing.
        (templated)
    :param flowservice_conn_id: Airflow connection of type ``flowservice``. (templated)
    :param wait_for_completion: Whether to wait until the new run has ended. If not, the task
        succeeds as soon as it knows the new run.
    :param deferrable: Whether to wait in the triggerer instead of the worker.
    :param poll_interval: Seconds, or a ``timedelta``, between polls of the new run; the first few come
        earlier.
    :param timeout: Seconds, or a ``timedelta``, to wait for the new run. ``execution_timeout`` applies as
        well.
    :param outage_timeout: Seconds, or a ``timedelta``, without a response after which contact with the
        run counts as lost.
    :param durable: Whether to re-trigger the run exactly once in spite of crashes. If not, each try
        of the task re-triggers it.
    :param settle_time: Seconds, or a ``timedelta``, within which a new run appears in the service's
        lists. If the response to a re-trigger is lost, the operator does not send it again before that time;
        a retry waits for 15 seconds and the connection's ``request_timeout`` more. With 0 neither waits.
    :param adopt_run_id: A run to wait for instead of re-triggering, if the operator could not find
        out what an earlier request had done. (templated)
    :param on_ineligible: What to do with a run that cannot be re-triggered: ``fail`` or ``skip``
        the task.
    :param on_partial: What to do if the new run succeeds in part: ``fail`` or ``skip`` the task, or
        ``accept`` for success with a warning.
    :param on_empty: What to do if the new run succeeds without any record; same choices.
    :param min_records: Fewest records that must arrive for the task to succeed. This and the other
        requirements need ``wait_for_completion``.
    :param max_failed_records: Largest accepted number of rejected records.
    :param max_failed_share: Largest accepted share of rejected records, from 0 to 1.
    :param hook_params: Further arguments for :class:`FlowServiceHook`.
    :return: ID of the new run. Further XComs are ``summary``, the
        :class:`~airflow_provider_flowservice.runs.RunSummary` of the ended run, also after a
        failure; ``attempts``, the IDs of all runs that the task has started, newest last;
        ``duplicates``, the IDs of further runs that load the same data, if there are any; and the
        address of the link.
    """

    template_fields: Sequence[str] = ("run_id", "flowservice_conn_id", "adopt_run_id")
    argument_kinds: ClassVar[Mapping[str, kinds.Kind]] = {
        "run_id": kinds.ID,
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

    new_run_id: str | None = None
    """ID of the new run, as soon as this process knows it."""

    new_run_url: str | None = None
    """Address of the new run in the Experience Platform UI."""

    def __init__(
        self,
        *,
        run_id: str | XComArg,
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
        self.run_id: str = run_id  # type: ignore[assignment]  # becomes an ID
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
        self._check_arguments()

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
        """Re-trigger the run, and wait for the new one as configured."""
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
        self._refuse_nested(context, _INSTEAD)
        hook = self._hook()
        try:
            new_run = self._retrigger(hook, context)
        except FlowServiceError as error:
            raise exception_for_error(error, self._policy) from error.__cause__
        self._show(hook, context, new_run)
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

    def _retrigger(self, hook: FlowServiceHook, context: Context) -> NewRun:
        from airflow_provider_flowservice._exactly_once.engine import NewRun
        from airflow_provider_flowservice._exactly_once.task import retrigger_once
        from airflow_provider_flowservice._selection.eligibility import check_eligible

        if self.durable and not self.adopt_run_id:
            return retrigger_once(
                hook, context, self.run_id, self.retries or 0, self.settle_time, self.log
            )
        if self.adopt_run_id:
            run = hook.get_run(self.adopt_run_id)
            new_run_id, is_sent, since_ms = run.run_id, False, None
        else:
            run = hook.get_run(self.run_id)
            check_eligible(hook, self.log, run)
            new_run_id, is_sent = hook.retrigger_run(self.run_id).run_id, True
            since_ms = run.created_at
        return NewRun(
            new_run_id,
            run.flow_id,
            (new_run_id,),
            is_sent,
            window=run.used_window,
            since_ms=since_ms,
            done_run_ids=(self.run_id,),
        )

    def _has_ended(self, hook: FlowServiceHook, new_run: NewRun) -> bool:
        from airflow_provider_flowservice._waiting.poll import poll_once
        from airflow_provider_flowservice.runs import DataflowRun

        seen = poll_once(hook, new_run.run_id)
        return isinstance(seen, DataflowRun) and seen.is_terminal

    def _show(self, hook: FlowServiceHook, context: Context, new_run: NewRun) -> None:
        """Publish the new run in attributes, XComs and the log."""
        from airflow_provider_flowservice._exactly_once.siblings import ATTEMPTS_KEY

        self.new_run_url = hook.get_run_url(new_run.flow_id, new_run.run_id)
        self.new_run_id = new_run.run_id  # first of all, for `on_kill`
        ti = context["ti"]
        ti.xcom_push(key=ATTEMPTS_KEY, value=list(new_run.known_run_ids))
        ti.xcom_push(key=DataflowRunLink.xcom_key, value=self.new_run_url)
        text = "Dataflow run %s is re-triggered as %s. %s"
        if not new_run.is_sent:
            text = "The new run of dataflow run %s is %s; this try has sent nothing. %s"
        self.log.info(text, self.run_id, new_run.run_id, self.new_run_url)

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
            check_adopted(hook, result.run, None if new_run.is_certain else new_run.window)
            search = partial(find_duplicates, hook.without_retries(), new_run)
        return finish(self, self._policy, context, hook, result, self.new_run_url, search).run_id


class RetriggerDataflowRunsOperator(CheckedTask, BaseOperator):
    """
    Re-trigger many dataflow runs in one task, each of them exactly once in spite of crashes.

    The operator does not wait for the new runs: map ``DataflowRunSensor`` over the result for that.
    It re-triggers the runs of one flow in the given order. It stops if the service refuses the
    credential, or is unavailable for several runs in a row.

    The XCom ``results``, which is there after a failure as well, holds a dict for each run:
    ``run_id``, ``outcome`` (``retriggered``, ``ineligible``, ``failed`` or ``not_tried``),
    ``new_run_id``, ``sent`` (whether this try has sent a request for it) and ``error``. A retry of the
    task goes on with the remaining runs.

    Exactly once in spite of a crash needs the task state store of Airflow 3.3. On older releases, a
    retry searches the service for the new runs, and fails if it cannot identify them.

    :param run_ids: IDs of the runs, such as the output of ``ListDataflowRunsOperator``. (templated)
    :param concurrency: Most runs to re-trigger at the same time; runs of one flow go one by one.
    :param on_ineligible: What to do with runs that cannot be re-triggered: ``fail`` the task in the
        end, or ``skip`` them.
    :param settle_time: Seconds, or a ``timedelta``, within which a new run appears in the service's
        lists.
    :param flowservice_conn_id: Airflow connection of type ``flowservice``. (templated)
    :param hook_params: Further arguments for :class:`FlowServiceHook`.
    :return: IDs of the new runs, each once, in the order of the old ones.
    :raises FlowServiceError: Some runs were not re-triggered.
    """

    template_fields: Sequence[str] = ("run_ids", "flowservice_conn_id")
    argument_kinds: ClassVar[Mapping[str, kinds.Kind]] = {
        "run_ids": kinds.IDS,
        "concurrency": kinds.POSITIVE,
        "on_ineligible": kinds.one_of("fail", "skip"),
        "settle_time": kinds.DURATION,
        "flowservice_conn_id": kinds.TEXT,
        "hook_params": kinds.HOOK_PARAMS,
    }
    ui_color = "#fde8e6"

    def __init__(
        self,
        *,
        run_ids: Sequence[str] | XComArg,
        concurrency: int = 4,
        on_ineligible: Literal["fail", "skip"] = "fail",
        settle_time: float | timedelta = SETTLE_TIME,
        flowservice_conn_id: str = CONN_ID,
        hook_params: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_ids: Sequence[str] = run_ids  # type: ignore[assignment]  # becomes a list
        self.concurrency = concurrency
        self.on_ineligible = on_ineligible
        self.settle_time: float = settle_time  # type: ignore[assignment]  # becomes seconds
        self.flowservice_conn_id = flowservice_conn_id
        self.hook_params = hook_params or {}
        self._check_arguments()

    def execute(self, context: Context) -> list[str]:
        """Re-trigger the runs, and push the result of each to XCom."""
        from airflow_provider_flowservice._exactly_once.bulk import (
            RESULTS_KEY,
            raise_for,
            retrigger_all,
        )
        from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

        self._check_rendered()
        self._refuse_nested(context, _INSTEAD)
        hook = FlowServiceHook(self.flowservice_conn_id, **self.hook_params)
        hook.get_conn()  # reads the connection before there are threads
        results = retrigger_all(
            hook,
            context,
            list(dict.fromkeys(self.run_ids)),
            retries=self.retries or 0,
            settle_time=self.settle_time,
            concurrency=self.concurrency,
            log=self.log,
        )
        context["ti"].xcom_push(key=RESULTS_KEY, value=results)
        raise_for(results, self.on_ineligible, self.log)
        new_run_ids = (record["new_run_id"] for record in results)
        return list(dict.fromkeys(run_id for run_id in new_run_ids if run_id))


class ListDataflowRunsOperator(CheckedTask, BaseOperator):
    """
    Find dataflow runs, such as those that failed last night and can be re-triggered.

    The oldest run comes first, so that the runs of a flow are re-triggered in the order of their
    data. The result omits runs that were re-triggered already, except the newest run of a window.

    A run that is re-triggered after newer runs of its flow have succeeded loads its data out of
    order. If that is harmful, set ``unless_loaded_since``; if each run loads its own part of the
    data, that part then stays missing.

    :param flow_id: ID of the flow, or several. (templated)
    :param flow_name: Name of the flow instead, or a pattern for several, such as ``orders*``; upper
        and lower case are the same. Without both, the whole sandbox is searched. (templated)
    :param status: Status of the runs: ``failed``, ``success``, ``partialSuccess``, ``inProgress``,
        or several. Other spellings of a status are accepted. (templated)
    :param created_after: Earliest creation time of the runs; by default 24 hours ago. Times are texts in
        ISO 8601 or ``datetime``, in UTC if they have no time zone. (templated)
    :param created_before: Time before which the runs were created. (templated)
    :param newest_per_flow: Whether to return only the newest of the found runs of each flow.
    :param retriggerable_only: Whether to leave out runs that certainly cannot be re-triggered.
    :param unless_loaded_since: Whether to leave out runs whose flow has had a success since.
    :param unless_ours: Whether to leave out runs that the connection's own client has created, such
        as those that a re-trigger has started: the repair that started them looks after them.
    :param all_kinds: Whether to include the service's own flows and flows to destinations, if flows
        are not selected by ID.
    :param limit: Largest number of runs to return; the oldest come first.
    :param summaries: Whether to return a :class:`~airflow_provider_flowservice.runs.RunSummary` of
        each run instead of its ID.
    :param flowservice_conn_id: Airflow connection of type ``flowservice``. (templated)
    :param hook_params: Further arguments for :class:`FlowServiceHook`.
    :return: IDs of the runs, ready for ``.expand(run_id=...)``, or their summaries.
    :raises ValueError: ``flow_name`` matches no flow.
    """

    template_fields: Sequence[str] = (
        "flow_id",
        "flow_name",
        "status",
        "created_after",
        "created_before",
        "flowservice_conn_id",
    )
    argument_kinds: ClassVar[Mapping[str, kinds.Kind]] = {
        "flow_id": kinds.ONE_OR_SEVERAL_IDS.or_none(),
        "flow_name": kinds.TEXT.or_none(),
        "status": kinds.STATUSES,
        "created_after": kinds.TIME.or_none(),
        "created_before": kinds.TIME.or_none(),
        "newest_per_flow": kinds.FLAG,
        "retriggerable_only": kinds.FLAG,
        "unless_loaded_since": kinds.FLAG,
        "unless_ours": kinds.FLAG,
        "all_kinds": kinds.FLAG,
        "limit": kinds.POSITIVE,
        "summaries": kinds.FLAG,
        "flowservice_conn_id": kinds.TEXT,
        "hook_params": kinds.HOOK_PARAMS,
    }
    ui_color = "#fde8e6"

    def __init__(
        self,
        *,
        flow_id: str | Sequence[str] | XComArg | None = None,
        flow_name: str | None = None,
        status: str | Sequence[str] = "failed",
        created_after: str | datetime | None = None,
        created_before: str | datetime | None = None,
        newest_per_flow: bool = False,
        retriggerable_only: bool = True,
        unless_loaded_since: bool = False,
        unless_ours: bool = False,
        all_kinds: bool = False,
        limit: int = MAX_MAPPED,
        summaries: bool = False,
        flowservice_conn_id: str = CONN_ID,
        hook_params: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.flow_id: str | Sequence[str] | None = flow_id  # type: ignore[assignment]
        self.flow_name = flow_name
        self.status = status
        self.created_after = created_after
        self.created_before = created_before
        self.newest_per_flow = newest_per_flow
        self.retriggerable_only = retriggerable_only
        self.unless_loaded_since = unless_loaded_since
        self.unless_ours = unless_ours
        self.all_kinds = all_kinds
        self.limit = limit
        self.summaries = summaries
        self.flowservice_conn_id = flowservice_conn_id
        self.hook_params = hook_params or {}
        self._check_arguments()

    @classmethod
    def _conflicts(cls, values: Mapping[str, Any]) -> Iterator[str]:
        yield from conflicts_of_flows(values)

    def execute(self, context: Context) -> list[str] | list[RunSummary]:
        """Find the runs."""
        from airflow_provider_flowservice._selection import filters
        from airflow_provider_flowservice._selection.listing import list_runs, log_found
        from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

        self._check_rendered()
        before = self.created_before
        hook = FlowServiceHook(self.flowservice_conn_id, **self.hook_params)
        flow_choice = filters.FlowChoice.of(self.flow_id, self.flow_name, self.all_kinds)
        run_choice = filters.RunChoice(
            statuses=filters.statuses_of(self.status),
            created_before=None if before is None else kinds.epoch_milliseconds(before),
            newest_per_flow=self.newest_per_flow,
            retriggerable_only=self.retriggerable_only,
            unless_loaded_since=self.unless_loaded_since,
            unless_created_by=hook.settings.own_clients if self.unless_ours else (),
        )
        found = list_runs(hook, flow_choice, run_choice, self.created_after)
        runs = found[: self.limit]
        log_found(self.log, runs, left_out=len(found) - len(runs))
        return [run.summary for run in runs] if self.summaries else [run.run_id for run in runs]
