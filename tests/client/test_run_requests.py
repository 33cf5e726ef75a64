"""How answers to a re-trigger are read, beyond what the emulator plays."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice._client.run_requests import (
    NOT_RETRIGGERABLE,
    may_have_started_a_run,
    may_retry,
    read_started,
    reason_of_refusal,
)
from airflow_provider_flowservice.exceptions import (
    FlowServiceAnswerError,
    FlowServiceApiError,
    FlowServiceAuthError,
    FlowServiceConnectionError,
    FlowServiceThrottledError,
    FlowServiceUnavailableError,
)


@pytest.mark.parametrize("key", ["etag", "eTag"])
def test_the_etag_is_found_under_both_spellings(key):
    assert read_started({"id": "new", key: '"1100c53e"'}, "it").etag == '"1100c53e"'


def test_an_answer_without_an_etag_is_none_the_worse():
    assert read_started({"id": "new"}, "it") == ("new", None)


@pytest.mark.parametrize("body", [{"id": "OLD"}, {"items": []}, {"items": [{"id": 7}]}, [], None])
def test_what_names_no_new_run_is_no_success(body):
    with pytest.raises(FlowServiceAnswerError):
        read_started(body, "it", "old")


@pytest.mark.parametrize(
    ("error", "may_have_started", "repeatable"),
    [
        (FlowServiceConnectionError("lost"), True, False),
        (FlowServiceConnectionError("refused", sent="no"), False, True),
        (FlowServiceThrottledError("x", 429), False, True),
        (FlowServiceUnavailableError("x", 503, "FLOW-1103-503"), False, True),
        (FlowServiceUnavailableError("x", 503, "1011-503"), False, True),
        (FlowServiceUnavailableError("x", 503), True, False),
        (FlowServiceUnavailableError("x", 503, "503"), True, False),
        (FlowServiceUnavailableError("x", 504, "FLOW-1103-503"), True, False),
        (FlowServiceUnavailableError("x", 500, "1387-400", codes=("1387-400",)), True, False),
        (FlowServiceApiError("x", 400, "1387-400", codes=("1387-400",)), False, True),
        (FlowServiceApiError("x", 400, "1388-400", codes=("1388-400",)), False, False),
        (FlowServiceAuthError("x", 403), False, False),
        (FlowServiceAnswerError("x", 200), True, False),
    ],
)
def test_only_a_sure_refusal_that_may_pass_is_repeated(error, may_have_started, repeatable):
    assert may_have_started_a_run(error) is may_have_started
    assert may_retry(error) is repeatable
    error.sent = "no"
    assert not may_have_started_a_run(error)


def test_an_error_that_is_no_refusal_stays_what_it_is():
    for error in (
        FlowServiceApiError("x", 400, "1380-400", codes=("1380-400",)),
        FlowServiceUnavailableError("x", 500, codes=("1388-400",)),
        FlowServiceAuthError("x", 403, codes=("1388-400",)),
    ):
        assert reason_of_refusal(error, NOT_RETRIGGERABLE) is None
