"""After which ends of a wait Airflow retries: a task that is resumed one try later starts anew then."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import airflow
import pytest
from packaging.version import Version

from airflow_provider_flowservice._compat import RESUMES_RETRIES
from airflow_provider_flowservice._outcomes.finish import leads_to_a_retry
from airflow_provider_flowservice._waiting.rules import WaitResult
from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator
from airflow_provider_flowservice.runs import DataflowRun, RunError
from airflow_provider_flowservice.sensors.flowservice import DataflowRunSensor

RUN = DataflowRun("run", "flow", "inProgress", output_records=100)
FAILED = replace(RUN, status="failed", errors=(RunError("CONNECTOR-1001-500", "no"),))
IN_THE_DATA = replace(RUN, status="failed", errors=(RunError("MAPPER-3700-400", "no"),))
PARTIAL = replace(RUN, status="partialSuccess", failed_records=3)
SUCCESS = replace(RUN, status="success")
EMPTY = replace(SUCCESS, output_records=0)
NO_TIME = {"execution_timeout": timedelta(0)}


def ended(run):
    return WaitResult("ended", "it", run)


def unended(kind):
    return WaitResult(kind, "it", RUN)


@pytest.mark.parametrize(
    ("result", "arguments", "durable", "not_durable"),
    [
        (ended(SUCCESS), {}, False, False),
        (ended(SUCCESS), {"min_records": 101}, False, False),
        (ended(EMPTY), {"on_empty": "skip"}, False, False),
        (ended(PARTIAL), {}, False, False),
        (ended(PARTIAL), {"on_partial": "accept"}, False, False),
        (ended(PARTIAL), {"on_partial": "skip"}, False, False),
        (ended(FAILED), {}, True, True),
        (ended(IN_THE_DATA), {}, False, False),
        (unended("late"), {}, True, False),
        (unended("late"), NO_TIME, True, True),
        (unended("lost"), {}, True, False),
        (unended("error"), {}, True, True),
        (unended("refused"), {}, False, False),
        (unended("missing"), {}, False, False),
    ],
)
def test_an_operator_is_retried_where_a_retry_can_help(result, arguments, durable, not_durable):
    durable_task, other_task = (
        RetriggerDataflowRunOperator(
            task_id="retrigger", run_id="old", durable=is_durable, **arguments
        )
        for is_durable in (True, False)
    )

    assert leads_to_a_retry(durable_task, durable_task._policy, result) is durable
    assert leads_to_a_retry(other_task, other_task._policy, result) is not_durable


@pytest.mark.parametrize(
    ("result", "arguments", "is_retried"),
    [
        (ended(SUCCESS), {}, False),
        (ended(PARTIAL), {}, False),
        (ended(FAILED), {}, False),
        (ended(FAILED), {"soft_fail": True}, False),
        (unended("late"), {}, False),
        (unended("late"), NO_TIME, True),
        (unended("late"), {**NO_TIME, "soft_fail": True}, False),
        (unended("late"), {**NO_TIME, "silent_fail": True}, True),
        (unended("lost"), {}, True),
        (unended("lost"), {"soft_fail": True}, True),
        (unended("lost"), {"never_fail": True}, False),
        (unended("lost"), {"silent_fail": True}, False),
        (unended("error"), {}, True),
        (unended("refused"), {}, False),
        (unended("missing"), {}, False),
    ],
)
def test_a_sensor_is_retried_where_a_retry_can_help(result, arguments, is_retried):
    task = DataflowRunSensor(task_id="wait", run_id="run", **arguments)

    assert leads_to_a_retry(task, task._policy, result) is is_retried


def test_airflow_resumes_retries_until_the_release_that_mended_it():
    assert RESUMES_RETRIES is (Version("3.0") <= Version(airflow.__version__) < Version("3.1.1"))
