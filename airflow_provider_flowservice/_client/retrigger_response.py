"""
How the answers to a re-trigger are read: the new run, a refusal, or nothing certain.

Pure: values in, values out.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from airflow_provider_flowservice._client.responses import only_item
from airflow_provider_flowservice._json import identifier
from airflow_provider_flowservice.exceptions import (
    DataflowRunNotRetriggerableError,
    FlowServiceAnswerError,
    FlowServiceApiError,
    FlowServiceAuthError,
    FlowServiceError,
    FlowServiceThrottledError,
    FlowServiceUnavailableError,
)

# A run in "an invalid state" may be re-triggered "after some time".
_INVALID_STATE = "1387-400"

_UNKNOWN_OPERATION = "the service does not know the operation; see the hook's 'retrigger_op'"
# Numbers of the Sources catalogue, but for 1434 and 1437. Flow Service has another 1401-400, "limit
# and count together", which is no answer to a re-trigger.
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


class RetriggeredRun(NamedTuple):
    """What the service answers to a re-trigger: the new run's ID, and its etag where it sends one."""

    run_id: str
    etag: str | None


def read_retriggered(body: object, run_id: str) -> RetriggeredRun:
    """
    Read the new run out of the answer.

    :param run_id: ID of the run that was re-triggered.
    :raises FlowServiceAnswerError: It names no new run, though one may have started.
    """
    tried = f"Re-triggering dataflow run {run_id}"
    item = only_item(body, tried) or {}
    new_run_id = identifier(item.get("id"))
    if not new_run_id:
        raise FlowServiceAnswerError(f"{tried}: the answer names no new run.")
    if new_run_id.lower() == run_id.lower():
        raise FlowServiceAnswerError(
            f"{tried}: the answer names the same run, so it is not known whether a new one has "
            "started."
        )
    # The key is `etag` in answers and `eTag` in the published schema.
    return RetriggeredRun(new_run_id, identifier(item.get("etag") or item.get("eTag")) or None)


def may_have_started_a_run(error: FlowServiceError) -> bool:
    """Whether a re-trigger that ended with ``error`` may have taken effect all the same."""
    if isinstance(error, FlowServiceUnavailableError | FlowServiceAnswerError):
        # A 503 in the service's own words is a refusal; one of a gateway may have been forwarded.
        is_refusal = error.http_status == 503 and _OWN_REFUSAL.fullmatch(error.code or "")
        return error.sent == "yes" and not is_refusal
    return error.sent == "maybe"


def may_retry(error: BaseException) -> bool:
    """Whether the service said that it did nothing, and that it may do it later."""
    if not isinstance(error, FlowServiceError) or may_have_started_a_run(error):
        return False
    is_early = isinstance(error, FlowServiceApiError) and _INVALID_STATE in error.codes
    return error.is_transient or is_early


def as_refusal(error: FlowServiceApiError, run_id: str) -> FlowServiceError:
    """
    Say it plainly if an error means that the run cannot be re-triggered.

    The code may come alone, or wrapped in another error.
    """
    is_refusal = 400 <= (error.http_status or 0) < 500 and not isinstance(
        error, FlowServiceAuthError | FlowServiceThrottledError
    )
    reasons = [reason for code, reason in _INELIGIBLE.items() if code in error.codes]
    if not is_refusal or not reasons:
        return error
    return DataflowRunNotRetriggerableError(
        f"Dataflow run {run_id} cannot be re-triggered: {reasons[0]}. {error}"
    )
