"""Operator that re-triggers many dataflow runs in one task."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_flowservice._bulk import Bulk, BulkRecord, retriggered
from airflow_provider_flowservice._compat import BaseOperator
from airflow_provider_flowservice._durable import Try
from airflow_provider_flowservice._listing import find_runs
from airflow_provider_flowservice._retrigger import SETTLE_TIME, Retrigger
from airflow_provider_flowservice._task_store import STORE_KEY, TaskStore
from airflow_provider_flowservice._tasks import began_at, check_eligible
from airflow_provider_flowservice.exceptions import FlowServiceError
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

if TYPE_CHECKING:
    from airflow_provider_flowservice._compat import Context, XComArg

RESULTS_KEY = "results"
"""XCom key of what became of each run."""

# Reasons that the error at the end names; the others are in the log and under RESULTS_KEY.
_MOST_REASONS = 5


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
        flowservice_conn_id: str = FlowServiceHook.default_conn_name,
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
        if isinstance(self.run_ids, str):
            # As for all wrong arguments.
            raise ValueError(  # noqa: TRY004
                f"run_ids is to be a list of IDs, not the text {self.run_ids!r}."
            )
        run_ids = list(dict.fromkeys(self.run_ids))
        hook = FlowServiceHook(self.flowservice_conn_id, **self.hook_params or {})
        hook.get_conn()  # reads the connection here, before there are threads
        requests = _Requests(context, hook, self)
        done = requests.done_before(run_ids)
        if done:
            self.log.info("%d runs were re-triggered by an earlier try.", len(done))
        left = [run_id for run_id in run_ids if run_id not in done]
        records = {
            **{run_id: retriggered(run_id, new_run_id) for run_id, new_run_id in done.items()},
            **Bulk(requests.retrigger, self.concurrency, self.log).run(_groups(hook, left)),
        }
        results = [records[run_id] for run_id in run_ids]
        context["ti"].xcom_push(key=RESULTS_KEY, value=results)
        self._raise_for(results)
        return [record["new_run_id"] for record in results if record["new_run_id"]]

    def _raise_for(self, results: Sequence[BulkRecord]) -> None:
        good = {"retriggered", "ineligible"} if self.on_ineligible == "skip" else {"retriggered"}
        bad = [record for record in results if record["outcome"] not in good]
        self.log.info("%d of %d runs need no more care.", len(results) - len(bad), len(results))
        if bad:
            reasons = dict.fromkeys(f"{record['run_id']}: {record['error']}" for record in bad)
            named = " ".join(list(reasons)[:_MOST_REASONS])
            raise FlowServiceError(
                f"{len(bad)} of {len(results)} dataflow runs were not re-triggered. {named}"
            )


class _Requests:
    """The requests of one task: what its earlier tries have done, and how this one goes on."""

    def __init__(
        self, context: Context, hook: FlowServiceHook, operator: RetriggerDataflowRunsOperator
    ) -> None:
        ti = context["ti"]
        self._hook = hook
        self._log = operator.log
        self._settle_time = operator.settle_time
        self._state_store = context.get("task_state_store")
        self._try = Try(ti.try_number, ti.max_tries or 0, operator.retries or 0)
        self._began_at = began_at(context)
        self._claimed: list[str] = []

    def done_before(self, run_ids: Iterable[str]) -> dict[str, str]:
        """Return the new runs that earlier tries are known to have led to, by the old ones."""
        done = {}
        for run_id in run_ids:
            record, _ = self._store(run_id).load()
            if record is None or record.source_run_id != run_id:
                continue
            self._claimed += record.known_run_ids
            # After a user has cleared the task, it is to be done again.
            if record.new_run_id and record.max_tries == self._try.max_tries:
                done[run_id] = record.new_run_id
        return done

    def retrigger(self, run_id: str) -> str:
        """Re-trigger a run, or go on with what an earlier try has begun."""
        new_run = Retrigger(
            self._hook,
            self._store(run_id),
            self._try,
            began_at=self._began_at,
            check_eligible=partial(check_eligible, self._hook, self._log),
            claimed=self._claimed.copy,
            has_siblings=False,  # those of the same flow wait for their turn
            settle_time=self._settle_time,
            log=self._log,
        ).run(run_id)
        self._claimed += new_run.known_run_ids
        return new_run.run_id

    def _store(self, run_id: str) -> TaskStore:
        # A digest, because the key becomes a part of a path.
        digest = hashlib.sha256(run_id.encode()).hexdigest()
        return TaskStore(self._state_store, f"{STORE_KEY}_{digest[:32]}")


def _groups(hook: FlowServiceHook, run_ids: Sequence[str]) -> list[list[str]]:
    """Put the runs of one flow together, and those the service does not show at once likewise."""
    try:
        runs = find_runs(hook, run_ids)
    except FlowServiceError:
        runs = {}  # what each of them then meets is told of each
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for run_id in run_ids:
        groups[runs[run_id].flow_id if run_id in runs else ""].append(run_id)
    return list(groups.values())
