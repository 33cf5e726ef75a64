"""
Names the DAG run that repairs a dataflow run.

In Airflow's database the ID of a DAG run is unique. Since the ID names the data to load, all DAGs that
ask for its repair ask for the same DAG run, and one of them gets it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from airflow_provider_flowservice._arguments import kinds
from airflow_provider_flowservice.runs import DataflowRun

__all__ = ["repair_request"]

# Stands between the parts of a DAG run's ID, none of which contains it.
_SEPARATOR = "__"
# Of what Airflow allows in IDs of DAG runs by default, and without the separator.
_PART = re.compile(r"[A-Za-z0-9.~:+-]+(_[A-Za-z0-9.~:+-]+)*")
# The ID of a DAG run has at most 250 characters.
_LONGEST_PART = 80


def repair_request(run: Mapping[str, Any], attempt: str | int | None = None) -> dict[str, Any]:
    """
    Return the arguments with which ``TriggerDagRunOperator`` asks for the repair of a run.

    The ID of the DAG run is the same for all runs of a flow that load the same data: for a failed run
    and for its failed re-triggers. If a run does not show which data it loads, its ID is only for
    this run.

    :param run: Summary of the run, see :class:`~airflow_provider_flowservice.runs.RunSummary`.
    :param attempt: Name or number of a further repair of the same data, which has an ID of its own.
    :return: ``trigger_run_id`` and ``conf``, ready for ``.expand_kwargs(...)``.
    :raises ValueError: An argument is wrong; the message names it.
    """
    kinds.check(run=(run, _SUMMARY), attempt=(attempt, _ATTEMPT.or_none()))
    failed = DataflowRun.from_summary(run)
    parts = ["repair", *_names_of_data(failed)]
    if attempt is not None:
        parts.append(str(attempt))
    return {"trigger_run_id": _SEPARATOR.join(parts), "conf": {"run_id": failed.run_id}}


def _names_of_data(run: DataflowRun) -> list[str]:
    if run.window is None or not run.flow_id:
        return [_as_part(run.run_id)]
    start, end = map(_as_text, run.window)
    return [_as_part(run.flow_id), f"{start}-{end}"]


def _as_part(service_id: str) -> str:
    """Return an ID of the service, or its digest if it does not fit into the ID of a DAG run."""
    if _fits(service_id):
        return service_id
    return hashlib.sha256(service_id.encode()).hexdigest()[:32]


def _fits(text: str) -> bool:
    return len(text) <= _LONGEST_PART and _PART.fullmatch(text) is not None


def _as_text(time_ms: int) -> str:
    seconds, rest_ms = divmod(time_ms, 1000)
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    fraction = f".{rest_ms:03}" if rest_ms else ""
    return f"{moment:%Y%m%dT%H%M%S}{fraction}Z"


def _read_summary(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise kinds.WrongArgumentError(
            "ListDataflowRunsOperator returns summaries with summaries=True"
        )
    kinds.ID.read(value.get("run_id"))
    return value


def _read_attempt(value: Any) -> str | int:
    if isinstance(value, str | int) and not isinstance(value, bool) and _fits(str(value)):
        return value
    raise kinds.WrongArgumentError


_SUMMARY = kinds.Kind("the summary of a run, with its run_id", _read_summary)
_ATTEMPT = kinds.Kind(
    f"an integer or a text of at most {_LONGEST_PART} letters, digits and .~:+-, parted by single _",
    _read_attempt,
)
