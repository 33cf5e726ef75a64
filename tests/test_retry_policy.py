"""FlowServiceRetryPolicy: what it decides, and what older Airflow says to it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._compat import AirflowFailException
from airflow_provider_flowservice._compat.retries import RetryPolicy
from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator
from helpers.support import run_to_the_end

since_3_3 = pytest.mark.skipif(RetryPolicy is None, reason="retry policies came with Airflow 3.3")

FAILED = exceptions.DataflowRunFailedError
DECISIONS = {
    "credential refused": (exceptions.FlowServiceAuthError("no", 403), "fail", None),
    "not found": (exceptions.FlowServiceNotFoundError("no", 404), "fail", None),
    "not re-triggerable": (exceptions.DataflowRunNotRetriggerableError("no"), "fail", None),
    "not startable": (exceptions.DataflowNotStartableError("no"), "fail", None),
    "ambiguous": (exceptions.RetriggerAmbiguousError("perhaps"), "fail", None),
    "too few records": (exceptions.DataflowRunIncompleteError("no"), "fail", None),
    "source's credential refused": (
        exceptions.SourceCredentialError("no", ("CONNECTOR-1001-500",)),
        "fail",
        None,
    ),
    "data error": (FAILED("no", ("MAPPER-3700-400", "CONNECTOR-2001-500")), "fail", None),
    "source down": (FAILED("no", ("2200", "CONNECTOR-1001-500")), "default", None),
    "loading failed, for no known cause": (FAILED("no", ("CONNECTOR-2001-500",)), "default", None),
    "failed without a code": (FAILED("no"), "default", None),
    "throttled": (exceptions.FlowServiceThrottledError("no", retry_after=90), "retry", 90),
    "unavailable": (exceptions.FlowServiceUnavailableError("no", retry_after=9), "retry", 9),
    "throttled for hours": (
        exceptions.FlowServiceThrottledError("no", retry_after=9999),
        "retry",
        3600,
    ),
    "throttled, no wish": (exceptions.FlowServiceThrottledError("no"), "default", None),
    "lost sight": (exceptions.DataflowRunLostError("no"), "default", None),
    "something else": (KeyError("no"), "default", None),
}


def policy(**kwargs):
    from airflow_provider_flowservice.retry_policy import FlowServiceRetryPolicy

    return FlowServiceRetryPolicy(**kwargs)


def decide(error, **kwargs):
    return policy(**kwargs).evaluate(error, try_number=1, max_tries=3)


@since_3_3
@pytest.mark.parametrize("case", DECISIONS)
def test_decides_what_helps(case):
    error, action, seconds = DECISIONS[case]

    decision = decide(error)

    assert decision.action.value == action
    assert decision.retry_delay == (None if seconds is None else timedelta(seconds=seconds))


@since_3_3
def test_gives_the_reason():
    assert decide(FAILED("no", ("INGEST-1212-400",))).reason == (
        "DataflowRunFailedError: a re-trigger cannot fix INGEST-1212-400."
    )
    assert "asks to wait 90 s" in decide(DECISIONS["throttled"][0]).reason


@since_3_3
def test_can_be_told_otherwise():
    ambiguous, data_error = DECISIONS["ambiguous"][0], DECISIONS["data error"][0]

    assert decide(ambiguous, fail_at_once=()).action.value == "default"
    assert decide(data_error, non_retryable_codes=()).action.value == "default"
    assert decide(FAILED("no", ("X-1",)), non_retryable_codes=["X-"]).action.value == "fail"
    assert decide(DECISIONS["throttled"][0], longest_delay=5).retry_delay == timedelta(seconds=5)


@since_3_3
def test_survives_serialization():
    original = policy(
        fail_at_once=[exceptions.FlowServiceAuthError], non_retryable_codes=["X-"], longest_delay=5
    )

    copy = type(original).deserialize(json.loads(json.dumps(original.serialize())))

    assert vars(copy) == vars(original)


@since_3_3
def test_the_operator_leaves_the_decision_to_it(flowservice):
    run_id = flowservice.add_run(
        flowservice.add_flow(), "failed", error=("MAPPER-3700-400", "Mapper Transform Error")
    )
    task = RetriggerDataflowRunOperator(
        task_id="retrigger",
        run_id="any",
        adopt_run_id=run_id,
        poll_interval=0.01,
        retry_policy=policy(),
    )

    with pytest.raises(FAILED) as caught:
        run_to_the_end(task)

    assert not isinstance(caught.value, AirflowFailException)
    assert set(caught.value.codes) == {"MAPPER-3700-400", "CONNECTOR-2001-500"}
    assert decide(caught.value).action.value == "fail"


@pytest.mark.skipif(RetryPolicy is not None, reason="this Airflow has retry policies")
def test_an_older_airflow_says_what_it_lacks():
    with pytest.raises(ImportError, match="FlowServiceRetryPolicy needs Airflow 3.3"):
        policy()


@since_3_3
@pytest.mark.parametrize(
    "arguments",
    [
        {"non_retryable_codes": "MAPPER-"},
        {"non_retryable_codes": [7]},
        {"fail_at_once": exceptions.FlowServiceAuthError},
        {"fail_at_once": ["FlowServiceAuthError"]},
        {"longest_delay": -1},
        {"longest_delay": "soon"},
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(arguments):
    from airflow_provider_flowservice.retry_policy import FlowServiceRetryPolicy

    with pytest.raises(ValueError, match=f"{next(iter(arguments))} is .*, and must be "):
        FlowServiceRetryPolicy(**arguments)
