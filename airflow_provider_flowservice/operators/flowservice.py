"""Operators that find dataflow runs and re-trigger them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_flowservice._bulk_operator import RetriggerDataflowRunsOperator
from airflow_provider_flowservice._compat import BaseOperator, conf
from airflow_provider_flowservice._defaults import CONN_ID, PATIENCE, POLL_INTERVAL, SETTLE_TIME
from airflow_provider_flowservice._lineage import LineageMixin
from airflow_provider_flowservice._list_operator import ListDataflowRunsOperator
from airflow_provider_flowservice.links.flowservice import DataflowRunLink

if TYPE_CHECKING:
    from airflow_provider_flowservice._compat import Context, XComArg
    from airflow_provider_flowservice._exactly_once.task import RetriggerTask
    from airflow_provider_flowservice._outcomes.table import Choice

__all__ = [
    "ListDataflowRunsOperator",
    "RetriggerDataflowRunOperator",
    "RetriggerDataflowRunsOperator",
]


class RetriggerDataflowRunOperator(LineageMixin, BaseOperator):
    """
    Re-trigger a dataflow run, and wait for the new run.

    The new run loads the data of the old run's window; files that arrived later are not picked up.
    A run cannot be cancelled: when the task ends early, the run goes on.

    :param run_id: ID of the run to re-trigger: one that failed, or that ingested nothing. (templated)
    :param flowservice_conn_id: Airflow connection of type ``flowservice``. (templated)
    :param wait_for_completion: Whether to wait until the new run has ended. Without, the task
        succeeds as soon as the new run is known.
    :param deferrable: Whether to wait in the triggerer instead of the worker.
    :param poll_interval: Seconds between looks at the new run; the first few come earlier.
    :param timeout: Seconds to wait for the new run. ``execution_timeout`` counts as well.
    :param patience: Seconds the service may give no answer before sight of the run counts as lost.
    :param durable: Whether to make sure that the run is re-triggered once, whatever crashes. Without,
        each try of the task re-triggers it.
    :param settle_time: Seconds within which a new run shows up in the service's lists. A request
        whose answer was lost is not sent again before.
    :param adopt_run_id: A run to go on with instead of re-triggering, for when it could not be told
        what became of an earlier request. (templated)
    :param on_ineligible: What to do with a run that cannot be re-triggered: ``fail`` or ``skip``
        the task.
    :param on_partial: What a new run that succeeds in part does to the task: ``fail``, ``skip``, or
        ``accept`` for success with a warning.
    :param on_empty: What a new run that succeeds without any record does to it, likewise.
    :param min_records: Fewest records that have to arrive for the task to succeed.
    :param max_failed_records: Most records that may be rejected.
    :param max_failed_share: Largest share of the records that may be rejected, from 0 to 1.
    :param hook_params: Further arguments for :class:`FlowServiceHook`.
    :return: ID of the new run. Further XComs are ``summary``, a
        :class:`~airflow_provider_flowservice.runs.RunSummary` of how it ended, there for a failed
        task as well; ``attempts``, the IDs of all runs the task has led to, newest last; and the
        address behind the link.
    """

    template_fields: Sequence[str] = ("run_id", "flowservice_conn_id", "adopt_run_id")
    operator_extra_links = (DataflowRunLink(),)
    ui_color = "#fde8e6"

    new_run_id: str | None = None
    """ID of the new run, as soon as this process knows it."""

    new_run_url: str | None = None
    """Address of the new run in the user interface of Experience Platform."""

    def __init__(
        self,
        *,
        run_id: str | XComArg,
        flowservice_conn_id: str = CONN_ID,
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float = POLL_INTERVAL,
        timeout: float = 12 * 60 * 60,
        patience: float = PATIENCE,
        durable: bool = True,
        settle_time: float = SETTLE_TIME,
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
        self.run_id: str = run_id  # type: ignore[assignment]  # the output of a task by then
        self.flowservice_conn_id = flowservice_conn_id
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.patience = patience
        self.durable = durable
        self.settle_time = settle_time
        self.adopt_run_id = adopt_run_id
        self.on_ineligible = on_ineligible
        self.on_partial = on_partial
        self.on_empty = on_empty
        self.min_records = min_records
        self.max_failed_records = max_failed_records
        self.max_failed_share = max_failed_share
        self.hook_params = hook_params

    def execute(self, context: Context) -> str:
        """Re-trigger the run, then wait for the new one as configured."""
        return self._task(context).run()

    def execute_complete(
        self, context: Context, event: dict[str, Any], window: Sequence[int] | None = None
    ) -> str:
        """
        Take up again where the trigger left off.

        :param window: Data the run has to load, if it is not certain that it is the new run.
        """
        return self._task(context).resume(event, window)

    def on_kill(self) -> None:
        """Say that the run goes on; the service has no call to cancel it."""
        if self.new_run_id:
            self.log.warning(
                "The task was killed. Dataflow run %s goes on: %s",
                self.new_run_id,
                self.new_run_url,
            )

    def _task(self, context: Context) -> RetriggerTask:
        # Late, since a process that only reads the DAG does not run the task.
        from airflow_provider_flowservice._exactly_once.task import RetriggerTask

        return RetriggerTask(self, context)
