"""Operator that finds dataflow runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_flowservice._compat import BaseOperator
from airflow_provider_flowservice._defaults import CONN_ID

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_flowservice._compat import Context, XComArg
    from airflow_provider_flowservice.runs import RunSummary

# Airflow maps no list of more than 1024 by default.
LIMIT = 1000


class ListDataflowRunsOperator(BaseOperator):
    """
    Find dataflow runs, such as those that failed last night and can be re-triggered.

    The oldest run comes first, so that the runs of a flow are re-triggered in the order of their
    data. A run that was re-triggered is left out: the newest run of its window stands for it.

    A run that is re-triggered after newer ones of its flow have succeeded loads its data out of
    order. Where that does harm, set ``unless_loaded_since``; where each run loads a part of the
    data, the part is missing then.

    :param flow_id: ID of the flow, or several. (templated)
    :param flow_name: Name of the flow instead, or a pattern for several, such as ``orders*``; upper
        and lower case are the same. Without both, the whole sandbox is searched. (templated)
    :param status: What the runs are to have come to: ``failed``, ``success``, ``partialSuccess``,
        ``inProgress``, or several. Spellings that mean the same are the same. (templated)
    :param created_after: When the runs began at the earliest; by default 24 hours ago. (templated)
    :param created_before: Before when they began. (templated)
    :param newest_per_flow: Whether to return only the newest of the found runs of each flow.
    :param retriggerable_only: Whether to leave out runs that certainly cannot be re-triggered.
    :param unless_loaded_since: Whether to leave out runs whose flow has had a success since.
    :param all_kinds: Whether to search the service's own flows and those to destinations, too,
        where flows are not named by their IDs.
    :param limit: Number of runs to return at most, the oldest ones.
    :param summaries: Whether to return the runs' summaries, see
        :class:`~airflow_provider_flowservice.runs.RunSummary`, instead of their IDs.
    :param flowservice_conn_id: Airflow connection of type ``flowservice``. (templated)
    :param hook_params: Further arguments for :class:`FlowServiceHook`.
    :return: IDs of the runs, ready for ``.expand(run_id=...)``, or their summaries.
    """

    template_fields: Sequence[str] = (
        "flow_id",
        "flow_name",
        "status",
        "created_after",
        "created_before",
        "flowservice_conn_id",
    )
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
        all_kinds: bool = False,
        limit: int = LIMIT,
        summaries: bool = False,
        flowservice_conn_id: str = CONN_ID,
        hook_params: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.flow_id: str | Sequence[str] | None = flow_id  # type: ignore[assignment]  # by then
        self.flow_name = flow_name
        self.status = status
        self.created_after = created_after
        self.created_before = created_before
        self.newest_per_flow = newest_per_flow
        self.retriggerable_only = retriggerable_only
        self.unless_loaded_since = unless_loaded_since
        self.all_kinds = all_kinds
        self.limit = limit
        self.summaries = summaries
        self.flowservice_conn_id = flowservice_conn_id
        self.hook_params = hook_params

    def execute(self, context: Context) -> list[str] | list[RunSummary]:
        """Find the runs."""
        # Late, since a process that only reads the DAG does not run the task.
        from airflow_provider_flowservice._selection.listing import find

        runs = find(self)
        return [run.summary for run in runs] if self.summaries else [run.run_id for run in runs]
