"""Operator that re-triggers many dataflow runs in one task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_flowservice._compat import BaseOperator
from airflow_provider_flowservice._defaults import CONN_ID, SETTLE_TIME

if TYPE_CHECKING:
    from airflow_provider_flowservice._compat import Context, XComArg


class RetriggerDataflowRunsOperator(BaseOperator):
    """
    Re-trigger many dataflow runs in one task, each of them once, whatever crashes.

    Does not wait for the new runs: map ``DataflowRunSensor`` over the result for that. The runs of
    one flow are re-triggered in the order in which they are given. When the credential is refused,
    or the service is in trouble for several runs in a row, the rest is not tried.

    Whether or not all goes well, the XCom ``results`` holds a dict for each run: ``run_id``,
    ``outcome`` (``retriggered``, ``ineligible``, ``failed`` or ``not_tried``), ``new_run_id`` and
    ``error``. A further try of the task goes on with those that are left.

    Exactly once in spite of a crash needs the task state store of Airflow 3.3. Before, a further
    try looks for the new runs on the service, and fails rather than guess.

    :param run_ids: IDs of the runs, such as the output of ``ListDataflowRunsOperator``. (templated)
    :param concurrency: Runs that are re-triggered at the same time, those of one flow never.
    :param on_ineligible: Whether the task is to ``fail`` in the end if some runs cannot be
        re-triggered, or to ``skip`` them.
    :param settle_time: Seconds within which a new run shows up in the service's lists.
    :param flowservice_conn_id: Airflow connection of type ``flowservice``. (templated)
    :param hook_params: Further arguments for :class:`FlowServiceHook`.
    :return: IDs of the new runs, in the order of the old ones.
    :raises FlowServiceError: Some runs were not re-triggered; all others were.
    """

    template_fields: Sequence[str] = ("run_ids", "flowservice_conn_id")
    ui_color = "#fde8e6"

    def __init__(
        self,
        *,
        run_ids: Sequence[str] | XComArg,
        concurrency: int = 4,
        on_ineligible: Literal["fail", "skip"] = "fail",
        settle_time: float = SETTLE_TIME,
        flowservice_conn_id: str = CONN_ID,
        hook_params: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_ids: Sequence[str] = run_ids  # type: ignore[assignment]  # the output by then
        self.concurrency = concurrency
        self.on_ineligible = on_ineligible
        self.settle_time = settle_time
        self.flowservice_conn_id = flowservice_conn_id
        self.hook_params = hook_params

    def execute(self, context: Context) -> list[str]:
        """Re-trigger the runs, and tell what became of each."""
        # Late, since a process that only reads the DAG does not run the task.
        from airflow_provider_flowservice._exactly_once.bulk_task import retrigger_all

        return retrigger_all(self, context)
