"""Ends a task as its wait ended, and leaves what is known of the run in log, link and XComs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_flowservice._compat import AirflowTaskTimeout, Asset, is_of_earlier_try
from airflow_provider_flowservice._outcomes.errors import describe, exception_for
from airflow_provider_flowservice._outcomes.table import (
    Outcome,
    OutcomePolicy,
    outcome_of,
    task_result,
)
from airflow_provider_flowservice._waiting.deadlines import is_airflows_limit
from airflow_provider_flowservice._waiting.poll import poll_once
from airflow_provider_flowservice._waiting.rules import WaitResult
from airflow_provider_flowservice.links.flowservice import DataflowRunLink
from airflow_provider_flowservice.runs import DataflowRun, RunError

if TYPE_CHECKING:
    from airflow_provider_flowservice._compat import Context
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

SUMMARY_KEY = "summary"
"""XCom key of the run's summary."""

DUPLICATES_KEY = "duplicates"
"""XCom key of the IDs of further runs that load the same data; it is there only if they are."""

# Entries of each kind, such as errors, that are logged of one run.
_MOST_LOGGED = 50


def finish(
    task: Any,
    policy: OutcomePolicy,
    context: Context,
    hook: FlowServiceHook,
    result: WaitResult,
    url: str | None = None,
    find_duplicates: Callable[[DataflowRun], Sequence[DataflowRun]] | None = None,
) -> DataflowRun:
    """
    End the task as the wait ended, and leave what is known of the run in log, link and XComs.

    :param url: Address of the run in the user interface, if it is at hand.
    :param find_duplicates: Finds further runs that load the same data as a run that has ended.
    :return: The run, if the task succeeds; otherwise what ends the task is raised.
    """
    result = _with_everything(hook, result, task.log)
    task.seen_run = run = result.run
    outcome = _outcome(task, policy, result)
    ending = task_result(outcome, policy)
    duplicates: Sequence[DataflowRun] = ()
    if run is not None:
        url = url or hook.get_run_url(run.flow_id, run.run_id)
        push_link(context, url)
        _push(context, SUMMARY_KEY, dict(run.summary))
        if find_duplicates and result.kind == "ended":
            duplicates = find_duplicates(run)
    message = describe(outcome, result, policy, duplicates)
    log_outcome(task.log, run, message, is_fine=ending == "success" and not duplicates)
    if run is not None:
        if duplicates:
            _name_duplicates(task.log, context, hook, run, duplicates)
        message = f"{message} See {url}"
    if error := exception_for(outcome, ending, message, result):
        raise error
    done = cast("DataflowRun", run)
    metrics: dict[str, Any] = {**done.summary}
    for outlet in task.outlets:
        if isinstance(outlet, Asset):
            context["outlet_events"][outlet].extra.update(metrics)
    return done


def starts_anew(
    task: Any,
    policy: OutcomePolicy,
    context: Context,
    hook: FlowServiceHook,
    result: WaitResult,
    try_number: int | None,
) -> bool:
    """
    Return whether a task that is resumed is a retry, which has to start anew instead of ending so again.

    :param result: How the wait ended that the task is resumed with.
    :param try_number: Number of the try that waited, if it is known.
    """
    if not is_of_earlier_try(context, try_number):
        return False
    # The event has one of the run's errors only, and all of them decide whether a retry can help.
    if not leads_to_a_retry(task, policy, _with_whole_run(hook, result)):
        return False
    task.log.info("Airflow has resumed this retry as the try before it; it starts anew.")
    return True


def leads_to_a_retry(task: Any, policy: OutcomePolicy, result: WaitResult) -> bool:
    """Return whether Airflow retries a task whose wait ended so, if it has retries left."""
    ending = task_result(_outcome(task, policy, result), policy)
    if ending == "failed":  # unless it is a sensor that waits on instead
        return not getattr(task, "silent_fail", False)
    return ending == "timed out"


def _outcome(task: Any, policy: OutcomePolicy, result: WaitResult) -> Outcome:
    return outcome_of(result, policy, is_airflows_limit(task.timeout, task.execution_timeout))


def _name_duplicates(
    log: Any,
    context: Context,
    hook: FlowServiceHook,
    run: DataflowRun,
    duplicates: Sequence[DataflowRun],
) -> None:
    """Leave word of further runs that load the same data, with the addresses of all of them."""
    _push(context, DUPLICATES_KEY, [duplicate.run_id for duplicate in duplicates])
    for duplicate in duplicates:
        log.warning(
            "Dataflow run %s (%s, created by %s) loads the same data as dataflow run %s: %s and %s",
            duplicate.run_id,
            duplicate.status or "no status yet",
            duplicate.created_client or "a client that the service does not show",
            run.run_id,
            hook.get_run_url(duplicate.flow_id, duplicate.run_id),
            hook.get_run_url(run.flow_id, run.run_id),
        )


def push_link(context: Context, url: str) -> None:
    """Let the task's button lead to the address of a run."""
    _push(context, DataflowRunLink.xcom_key, url)


def log_outcome(log: Any, run: DataflowRun | None, message: str, *, is_fine: bool) -> None:
    """
    Log how the wait ended, with all errors of the run and the reasons for skipping records.

    :param message: How the wait ended; with the run's description, and so its first error.
    """
    log.log(logging.INFO if is_fine else logging.WARNING, "%s", message)
    if run is None:
        return
    _log_each(log, logging.WARNING, run, "error", run.errors[1:])
    _log_each(log, logging.INFO, run, "reason for skipping records", run.skip_reasons)
    for detail in run.details:
        log.warning("Dataflow run %s, in the words of the connector: %s", run.run_id, detail[:4000])


def _log_each(
    log: Any, level: int, run: DataflowRun, what: str, entries: Sequence[RunError]
) -> None:
    for entry in entries[:_MOST_LOGGED]:
        log.log(level, "Dataflow run %s, %s: %s", run.run_id, what, entry)
    if (more := len(entries) - _MOST_LOGGED) > 0:
        log.log(level, "Dataflow run %s, %s: %d more.", run.run_id, what, more)


def _push(context: Context, key: str, value: Any) -> None:
    # A unit test may poke a sensor with an empty context.
    if "ti" in context:
        context["ti"].xcom_push(key=key, value=value)


def _with_everything(hook: FlowServiceHook, result: WaitResult, log: Any) -> WaitResult:
    """Add to a run that has ended what its summary and the service's run do not show."""
    result = _with_whole_run(hook, result)
    run = result.run
    if run is None or not run.is_terminal:
        return result
    return replace(result, run=replace(run, dataset_ids=_dataset_ids(hook, run, log)))


def _with_whole_run(hook: FlowServiceHook, result: WaitResult) -> WaitResult:
    """Read a run that has ended anew if it comes from its summary, as after a deferral."""
    run = result.run
    if run is None or not run.is_terminal or not run.is_abridged:
        return result
    if run.is_successful and _is_plain(run):  # then the summary is enough
        return result
    seen = poll_once(hook, run.run_id)
    # An answer from before the end, which a cache may hold, is none.
    if isinstance(seen, DataflowRun) and seen.is_terminal:
        return replace(result, run=seen)
    return result


def _is_plain(run: DataflowRun) -> bool:
    return not (run.errors or run.failed_records or run.skipped_records)


def _dataset_ids(hook: FlowServiceHook, run: DataflowRun, log: Any) -> tuple[str, ...]:
    """Read where the run's flow writes to, which must not fail a task whose run has ended."""
    if not run.flow_id:
        return ()
    once = hook.without_retries()
    try:
        return once.get_dataset_ids(once.get_flow(run.flow_id))
    except (Exception, AirflowTaskTimeout) as error:  # noqa: BLE001  # of the service, or of Airflow
        log.info("The datasets of flow %s are not known: %s", run.flow_id, error)
        return ()
