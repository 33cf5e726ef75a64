"""
Requests for a new run, and their responses: the new run, a refusal, or an uncertain outcome.

Pure: values in, values out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._arguments.kinds import DELTA_COLUMN, ID, TIME, epoch_seconds
from airflow_provider_flowservice._client.responses import only_item
from airflow_provider_flowservice._json import identifier

# The catalogue says that a run in "an invalid state" may be re-triggered "after some time".
_INVALID_STATE = "1387-400"

UNKNOWN_OPERATION = "the service does not know the operation; see the hook's 'retrigger_op'"
# Numbers of the Sources catalogue, except 1434 and 1437. The Flow Service catalogue has another
# 1401-400, "limit and count together", which a re-trigger cannot cause.
NOT_RETRIGGERABLE = {
    "1333-400": "its source does not support it; only batch sources do",
    "1384-400": "the parameters of the run are not valid",
    "1385-400": "its type of source does not support it; only batch sources do",
    "1386-400": "the schedule of its flow does not support it",
    "1387-400": "it is in a state that does not allow it; try again later",
    "1388-400": "its flow is not enabled; enable it in Experience Platform first",
    "1398-400": UNKNOWN_OPERATION,
    "1401-400": "the service does not support this action for it",
    "1434-400": UNKNOWN_OPERATION,
    "1437-400": UNKNOWN_OPERATION,
}
_TIMES = {
    "window_start": "windowStartTime",
    "window_end": "windowEndTime",
    "start_time": "startTime",
}
IN_THE_PAST = {"1360-400": "start_time is in the past by the clock of the service"}
WRONG_START = {
    **IN_THE_PAST,
    "1381-400": "window_end is before window_start",
    "1382-400": "its flow keeps the delta column of its first run, and delta_column is another one",
    "1383-400": "its source is a table, so its first run on demand needs a delta_column",
    "1384-400": "the parameters of the run are not valid",
}
NOT_STARTABLE = {
    "1385-400": "its type of source does not support it; only batch sources do",
    "1386-400": "its schedule does not support it; the flow has to be scheduled once",
    "1388-400": "it is not enabled; enable it first, such as with FlowServiceHook.enable_flow",
}
START_KINDS = {
    "flow_id": ID,
    **dict.fromkeys(_TIMES, TIME.or_none()),
    "delta_column": DELTA_COLUMN.or_none(),
}
"""What a request to start a run is made of."""

_OWN_REFUSAL = re.compile(r"([A-Z][A-Z_]*-)?\d{4}-503")


class StartedRun(NamedTuple):
    """
    The run that a request has started.

    :param run_id: ID of the new run.
    :param etag: Its etag; ``None`` if the service sent none.
    """

    run_id: str
    etag: str | None


def start_request(arguments: Mapping[str, Any], begin: Callable[[], float]) -> dict[str, Any]:
    """
    Return the JSON of a request to start a run, in which times are epoch seconds.

    :param arguments: By their names; what is ``None`` is left out.
    :param begin: Returns the epoch seconds when the run is to begin, unless an argument says so.
    """
    params: dict[str, Any] = {"startTime": math.ceil(begin())}
    for name, key in _TIMES.items():
        if arguments[name] is not None:
            params[key] = epoch_seconds(arguments[name])
    if arguments["delta_column"] is not None:
        params["deltaColumn"] = DELTA_COLUMN.read(arguments["delta_column"])
    return {"flowId": arguments["flow_id"], "params": params}


def read_started(body: object, tried: str, old_run_id: str = "") -> StartedRun:
    """
    Return the new run that a response names.

    :param tried: What was requested, for errors.
    :param old_run_id: Run that was re-triggered.
    :raises FlowServiceAnswerError: The response names no new run, though one may have started.
    """
    item = only_item(body, tried) or {}
    new_run_id = identifier(item.get("id"))
    if not new_run_id:
        raise exceptions.FlowServiceAnswerError(f"{tried}: the response names no new run.")
    if new_run_id.lower() == old_run_id.lower():
        raise exceptions.FlowServiceAnswerError(
            f"{tried}: the response names the same run, so a new one may have started or not."
        )
    # The key is `etag` in real responses and `eTag` in the published schema.
    return StartedRun(new_run_id, identifier(item.get("etag") or item.get("eTag")) or None)


def may_have_started_a_run(error: exceptions.FlowServiceError) -> bool:
    """Whether a request for a run that raised ``error`` may have started one all the same."""
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


def reason_of_refusal(
    error: exceptions.FlowServiceApiError, reasons: Mapping[str, str]
) -> str | None:
    """
    Return why the service refuses a request, in plainer words; ``None`` if the error is another one.

    The service sends the code alone or wraps it in another error.
    """
    is_refusal = 400 <= (error.http_status or 0) < 500 and not isinstance(
        error, exceptions.FlowServiceAuthError | exceptions.FlowServiceThrottledError
    )
    found = [reason for code, reason in reasons.items() if code in error.codes]
    return found[0] if found and is_refusal else None
