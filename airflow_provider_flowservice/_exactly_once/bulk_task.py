"""What a task of ``RetriggerDataflowRunsOperator`` does."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_flowservice._exactly_once.bulk import Bulk, BulkRecord, retriggered
from airflow_provider_flowservice._exactly_once.decisions import Try
from airflow_provider_flowservice._exactly_once.journal import STORE_KEY, TaskStore
from airflow_provider_flowservice._exactly_once.retrigger import Retrigger
from airflow_provider_flowservice._exactly_once.task import began_at
from airflow_provider_flowservice._selection.eligibility import check_eligible
from airflow_provider_flowservice.exceptions import FlowServiceError
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

if TYPE_CHECKING:
    from airflow_provider_flowservice._bulk_operator import RetriggerDataflowRunsOperator
    from airflow_provider_flowservice._compat import Context

RESULTS_KEY = "results"
"""XCom key of what became of each run."""

# Reasons that the error at the end names; the others are in the log and under RESULTS_KEY.
_MOST_REASONS = 5


def retrigger_all(operator: RetriggerDataflowRunsOperator, context: Context) -> list[str]:
    """
    Re-trigger the runs, tell what became of each, and return the IDs of the new ones.

    :raises FlowServiceError: Some runs were not re-triggered; all others were.
    """
    if isinstance(operator.run_ids, str):
        # As for all wrong arguments.
        raise ValueError(  # noqa: TRY004
            f"run_ids is to be a list of IDs, not the text {operator.run_ids!r}."
        )
    run_ids = list(dict.fromkeys(operator.run_ids))
    hook = FlowServiceHook(operator.flowservice_conn_id, **operator.hook_params or {})
    hook.get_conn()  # reads the connection here, before there are threads
    requests = _Requests(context, hook, operator)
    done = requests.done_before(run_ids)
    if done:
        operator.log.info("%d runs were re-triggered by an earlier try.", len(done))
    left = [run_id for run_id in run_ids if run_id not in done]
    bulk = Bulk(requests.retrigger, operator.concurrency, operator.log)
    records = {
        **{run_id: retriggered(run_id, new_run_id) for run_id, new_run_id in done.items()},
        **bulk.run(_groups(hook, left)),
    }
    results = [records[run_id] for run_id in run_ids]
    context["ti"].xcom_push(key=RESULTS_KEY, value=results)
    _raise_for(results, operator)
    return [record["new_run_id"] for record in results if record["new_run_id"]]


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


def _raise_for(results: Sequence[BulkRecord], operator: RetriggerDataflowRunsOperator) -> None:
    good = {"retriggered", "ineligible"} if operator.on_ineligible == "skip" else {"retriggered"}
    bad = [record for record in results if record["outcome"] not in good]
    operator.log.info("%d of %d runs need no more care.", len(results) - len(bad), len(results))
    if bad:
        reasons = dict.fromkeys(f"{record['run_id']}: {record['error']}" for record in bad)
        named = " ".join(list(reasons)[:_MOST_REASONS])
        raise FlowServiceError(
            f"{len(bad)} of {len(results)} dataflow runs were not re-triggered. {named}"
        )


def _groups(hook: FlowServiceHook, run_ids: Sequence[str]) -> list[list[str]]:
    """Put the runs of one flow together, and those the service does not show at once likewise."""
    try:
        runs = hook.find_runs(run_ids)
    except FlowServiceError:
        runs = {}  # what each of them then meets is told of each
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for run_id in run_ids:
        groups[runs[run_id].flow_id if run_id in runs else ""].append(run_id)
    return list(groups.values())
