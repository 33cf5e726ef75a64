"""
Reads responses to a re-trigger: the new run, a refusal, or an uncertain outcome.

Pure: values in, values out.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._client.responses import only_item
from airflow_provider_flowservice._json import identifier

# The catalogue says that a run in "an invalid state" may be re-triggered "after some time".
_INVALID_STATE = "1387-400"

_UNKNOWN_OPERATION = "the service does not know the operation; see the hook's 'retrigger_op'"
# Numbers of the Sources catalogue, except 1434 and 1437. The Flow Service catalogue has another
# 1401-400, "limit and count together", which a re-trigger cannot cause.
_INELIGIBLE = {
    "1333-400": "its source does not support it; only batch sources do",
    "1384-400": "the parameters of the run are not valid",
    "1385-400": "its type of source does not support it; only batch sources do",
    "1386-400": "the schedule of its flow does not support it",
    "1387-400": "it is in a state that does not allow it; try again later",
    "1388-400": "its flow is not enabled; enable it in Experience Platform first",
    "1398-400": _UNKNOWN_OPERATION,
    "1401-400": "the service does not support this action for it",
    "1434-400": _UNKNOWN_OPERATION,
    "1437-400": _UNKNOWN_OPERATION,
}
_OWN_REFUSAL = re.compile(r"([A-Z][A-Z_]*-)?\d{4}-503")


class StartedRun(NamedTuple):
    """
    The run that a request has started.

    :param run_id: ID of the new run.
    :param etag: Its etag; ``None`` if the service sent none.
    """

    run_id: str
    etag: str | None


def read_started(body: object, run_id: str) -> StartedRun:
    """
    Return the new run that a response names.

    :raises FlowServiceAnswerError: The response names no new run, though one may have started.
    """
    tried = f"Re-triggering dataflow run {run_id}"
    item = only_item(body, tried) or {}
    new_run_id = identifier(item.get("id"))
    if not new_run_id:
        raise exceptions.FlowServiceAnswerError(f"{tried}: the response names no new run.")
    if new_run_id.lower() == run_id.lower():
        raise exceptions.FlowServiceAnswerError(
            f"{tried}: the response names the same run, so a new one may have started or not."
        )
    # The key is `etag` in real responses and `eTag` in the published schema.
    return StartedRun(new_run_id, identifier(item.get("etag") or item.get("eTag")) or None)


def may_have_started_a_run(error: exceptions.FlowServiceError) -> bool:
    """Whether a re-trigger that raised ``error`` may have started a run all the same."""
    if isinstance(
        error, exceptions.FlowServiceUnavailableError | exceptions.FlowServiceAnswerError
    ):
        # A 503 with a code of the service is a refusal. A gateway may have forwarded the request
        # before it returned its own 503.
        is_refusal = error.http_status == 503 and _OWN_REFUSAL.fullmatch(error.code or "")
        return error.sent == "yes" and not is_refusal
    return error.sent == "maybe"


def may_retry(error: BaseException) -> bool:
    """Whether ``error`` proves that no run was started, and a retry may succeed."""
    if not isinstance(error, exceptions.FlowServiceError) or may_have_started_a_run(error):
        return False
    is_early = isinstance(error, exceptions.FlowServiceApiError) and _INVALID_STATE in error.codes
    return error.is_transient or is_early


def as_refusal(error: exceptions.FlowServiceApiError, run_id: str) -> exceptions.FlowServiceError:
    """
    Return a plainer error if ``error`` means that the run cannot be re-triggered, else ``error``.

    The service sends the code alone or wraps it in another error.
    """
    is_refusal = 400 <= (error.http_status or 0) < 500 and not isinstance(
        error, exceptions.FlowServiceAuthError | exceptions.FlowServiceThrottledError
    )
    reasons = [reason for code, reason in _INELIGIBLE.items() if code in error.codes]
    if not is_refusal or not reasons:
        return error
    return exceptions.DataflowRunNotRetriggerableError(
        f"Dataflow run {run_id} cannot be re-triggered: {reasons[0]}. {error}"
    )
