"""
Operators that find dataflow runs, re-trigger them, and start new ones.

Over 400 lines, since half of them document and keep arguments. What those do that request one run is
in ``_base``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_flowservice._arguments import kinds
from airflow_provider_flowservice._arguments.checked import (
    CheckedTask,
    conflicts_of_flows,
    conflicts_of_window,
)
from airflow_provider_flowservice._compat import BaseOperator
from airflow_provider_flowservice._defaults import CONN_ID, SETTLE_TIME
from airflow_provider_flowservice.operators._base import NewRunOperator

# The operators import their modules when they run. These take several times as long to load as this
# one, and a process that only parses the DAG does not need them.
if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from airflow_provider_flowservice._compat import Context, XComArg
    from airflow_provider_flowservice._exactly_once.actions import Action
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
    from airflow_provider_flowservice.runs import RunSummary

__all__ = [
    "ListDataflowRunsOperator",
    "RetriggerDataflowRunOperator",
    "RetriggerDataflowRunsOperator",
    "RunDataflowOperator",
]

_INSTEAD = (
    "Make it a task of the DAG, or call FlowServiceHook(...).{call}, which {what} in each try of the task "
    "that calls it."
)

# By default, Airflow maps lists of at most 1024 entries.
MAX_MAPPED = 1000


class RetriggerDataflowRunOperator(NewRunOperator):
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
    :param durable: Whether to request the new run exactly once in spite of crashes. If not, each try
        of the task requests one.
    :param settle_time: Seconds, or a ``timedelta``, within which a new run appears in the service's
        lists. If the response to a request is lost, the operator does not send it again before that time;
        a retry waits for 15 seconds and the connection's ``request_timeout`` more. With 0 neither waits.
    :param adopt_run_id: A run to wait for instead of requesting one, if the operator could not find
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
    :param hook_params: Further arguments for
        :class:`~airflow_provider_flowservice.hooks.flowservice.FlowServiceHook`.
    :return: ID of the new run. Further XComs are ``summary``, the
        :class:`~airflow_provider_flowservice.runs.RunSummary` of the ended run, also after a
        failure; ``attempts``, the IDs of all runs that the task has started, newest last;
        ``duplicates``, the IDs of further runs that load the same data, if there are any; and the
        address of the link.
    """

    template_fields: Sequence[str] = ("run_id", "flowservice_conn_id", "adopt_run_id")
    argument_kinds: ClassVar[Mapping[str, kinds.Kind]] = {
        "run_id": kinds.ID,
        **NewRunOperator.argument_kinds,
    }
    instead = _INSTEAD.format(call="retrigger_run(run_id)", what="re-triggers the run")

    def __init__(self, *, run_id: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run_id: str = run_id  # type: ignore[assignment]  # becomes an ID
        self._check_arguments()

    def _action(self, context: Context) -> Action:
        from airflow_provider_flowservice._exactly_once.actions import Retrigger

        return Retrigger(self.run_id)


class RunDataflowOperator(NewRunOperator):
    """
    Start a run of a dataflow on demand, and wait for it.

    The flow has to be one of a batch source that is scheduled once. One task starts one run, whatever
    crashes, as :class:`RetriggerDataflowRunOperator` re-triggers one; further arguments, the return value
    and the XComs are the same. A retry after a failed run starts another one. If a run for the same
    window is under way already, the operator waits for that one.

    Times are texts in ISO 8601 or ``datetime``, in UTC if they have no time zone, and cut off to seconds.

    :param flow_id: ID of the flow. (templated)
    :param window_start: Time from which on the run loads data, such as ``{{ data_interval_start }}``; on
        Airflow 3, name a timetable with intervals for that, such as ``CronDataIntervalTimetable``. The
        window has to be the same in each try; an automatic retry keeps that of the first try where
        Airflow stores it, from 3.3 on. Without window, the request names none, and Adobe does not
        document what the run loads. (templated)
    :param window_end: Time up to which it does, such as ``{{ data_interval_end }}``. (templated)
    :param delta_column: The column that says when a row of a table has changed: its name, or a dict with
        ``name``, ``dateFormat`` and ``timezone``. Only for the flow's first run; leave it out for files.
    :param start_time: When the run is to begin; by default at once, as also if the time passes after the
        DAG run has begun. (templated)
    :param on_ineligible: What to do if no run of the flow can be started: ``fail`` or ``skip`` the task.
    """

    template_fields: Sequence[str] = (
        "flow_id",
        "window_start",
        "window_end",
        "start_time",
        "flowservice_conn_id",
        "adopt_run_id",
    )
    argument_kinds: ClassVar[Mapping[str, kinds.Kind]] = {
        "flow_id": kinds.ID,
        **dict.fromkeys(("window_start", "window_end", "start_time"), kinds.TIME.or_none()),
        "delta_column": kinds.DELTA_COLUMN.or_none(),
        **NewRunOperator.argument_kinds,
    }
    instead = _INSTEAD.format(call="start_run(...)", what="starts a run")

    def __init__(
        self,
        *,
        flow_id: str,
        window_start: str | datetime | None = None,
        window_end: str | datetime | None = None,
        delta_column: str | Mapping[str, str] | None = None,
        start_time: str | datetime | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.flow_id = flow_id
        self.window_start = window_start
        self.window_end = window_end
        self.delta_column: Mapping[str, str] | None = delta_column  # type: ignore[assignment]
        self.start_time = start_time
        self._check_arguments()

    @classmethod
    def _conflicts(cls, values: Mapping[str, Any]) -> Iterator[str]:
        yield from super()._conflicts(values)
        yield from conflicts_of_window(values)

    def _action(self, context: Context) -> Action:
        from airflow_provider_flowservice._exactly_once.actions import Start
        from airflow_provider_flowservice._exactly_once.task import asked_ms

        window = None
        if self.window_start is not None and self.window_end is not None:
            window = (kinds.epoch_seconds(self.window_start), kinds.epoch_seconds(self.window_end))
        elif {"window_start", "window_end"} & self._origins.keys():
            raise ValueError(
                f"{self._owner}: window_start and window_end have rendered to nothing."
            )
        start = None if self.start_time is None else kinds.epoch_seconds(self.start_time)
        return Start(self.flow_id, window, asked_ms(context), start, self.delta_column)

    def _flow_id_for_lineage(self, hook: FlowServiceHook) -> str:
        return self.flow_id


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
    :param hook_params: Further arguments for
        :class:`~airflow_provider_flowservice.hooks.flowservice.FlowServiceHook`.
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
        self._refuse_nested(context, RetriggerDataflowRunOperator.instead)
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
    :param hook_params: Further arguments for
        :class:`~airflow_provider_flowservice.hooks.flowservice.FlowServiceHook`.
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
