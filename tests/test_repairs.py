"""Who asks for the repair of the same data asks for the same DAG run."""

from __future__ import annotations

import re
from functools import partial
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_flowservice.repairs import repair_request
from airflow_provider_flowservice.runs import DataflowRun

ALLOWED = re.compile(r"^[A-Za-z0-9_.~:+-]+$")  # of Airflow, by default
HOUR = 3_600_000
ONE_O_CLOCK = 1_795_482_000_000  # 2026-11-24T01:00:00Z

printable = st.characters(exclude_categories=["C", "Z"], exclude_characters=",")
service_ids = st.uuids().map(str) | st.text(printable, min_size=1, max_size=200).filter(
    lambda text: text not in (".", "..", "None")
)
# With the separator, near the limit, and of characters that Airflow does not allow.
service_ids |= st.text("a_", min_size=1, max_size=6) | st.text("a:/", min_size=75, max_size=85)
times = st.integers(ONE_O_CLOCK, ONE_O_CLOCK + 2 * HOUR) | st.sampled_from(
    [ONE_O_CLOCK, ONE_O_CLOCK + 1, ONE_O_CLOCK + 1000]
)
windows = st.none() | st.tuples(times, times)
attempts = st.none() | st.integers(0, 9) | st.sampled_from(["again", "2026-11-25"])
runs = st.builds(
    partial(DataflowRun, status="failed"),
    run_id=service_ids,
    flow_id=st.just("") | service_ids,
    window=windows,
)


def run(run_id="r1", flow_id="f1", window=(ONE_O_CLOCK, ONE_O_CLOCK + HOUR)):
    return DataflowRun(run_id, flow_id, "failed", window=window)


def requested(run, attempt=None):
    return repair_request(run.summary, attempt)["trigger_run_id"]


def data_of(run):
    """What a re-trigger of the run loads, as far as the run shows it."""
    return (run.flow_id, run.window) if run.flow_id and run.window else run.run_id


def test_the_dag_run_is_named_for_the_data():
    assert repair_request(run().summary) == {
        "trigger_run_id": "repair__f1__20261124T010000Z-20261124T020000Z",
        "conf": {"run_id": "r1"},
    }


def test_milliseconds_are_told_if_there_are_any():
    window = (ONE_O_CLOCK + 7, ONE_O_CLOCK + HOUR)

    assert requested(run(window=window)) == "repair__f1__20261124T010000.007Z-20261124T020000Z"


def test_a_failed_run_and_its_failed_retrigger_ask_for_the_same():
    assert requested(run("r1")) == requested(run("r2"))


@pytest.mark.parametrize("unknown", [{"window": None}, {"flow_id": ""}])
def test_a_run_that_does_not_show_its_data_is_named_itself(unknown):
    assert requested(run(**unknown)) == "repair__r1"


@pytest.mark.parametrize("attempt", [2, "2", 0, "evening", "2026-11-25T05:00:00+00:00", "a_b"])
def test_a_further_repair_has_a_name_of_its_own(attempt):
    assert requested(run(), attempt) == f"{requested(run())}__{attempt}"
    assert requested(run(window=None), attempt) == f"repair__r1__{attempt}"


@given(runs, attempts)
def test_airflow_takes_every_id(run, attempt):
    request = repair_request(run.summary, attempt)

    assert ALLOWED.match(request["trigger_run_id"])
    assert len(request["trigger_run_id"]) <= 250
    assert request["conf"] == {"run_id": run.run_id}


def test_the_longest_id_fits():
    longest = run("r" * 80, "f" * 80, (ONE_O_CLOCK + 1, ONE_O_CLOCK + 2))

    request = requested(longest, "a" * 80)

    assert ("f" * 80) in request
    assert len(request) <= 250


@given(runs, runs, attempts, attempts)
def test_ids_are_equal_exactly_for_the_same_data_and_attempt(one, other, first, second):
    are_same = (data_of(one), first) == (data_of(other), second)

    assert (requested(one, first) == requested(other, second)) is are_same


@given(runs, runs, attempts)
def test_ids_of_the_same_data_are_equal(one, other, attempt):
    same = DataflowRun(other.run_id, one.flow_id, "failed", window=one.window)

    assert (requested(one, attempt) == requested(same, attempt)) is (data_of(one) == data_of(same))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("r1", "run is 'r1', and must be the summary of a run.* with summaries=True"),
        (None, "run is None"),
        (SimpleNamespace(run_id="r1"), "run is namespace"),
        ({"flow_id": "f1"}, "run is {'flow_id': 'f1'}, and must be the summary .* run_id"),
        ({"run_id": "a b"}, "run is {'run_id': 'a b'}"),
        ({"run_id": 7}, "run is {'run_id': 7}"),
    ],
)
def test_what_is_no_summary_is_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        repair_request(wrong)


@pytest.mark.parametrize("wrong", ["", " ", "a b", "a__b", "_a", "{{ ds }}", "a" * 81, 1.5, True])
def test_what_is_no_attempt_is_refused(wrong):
    with pytest.raises(ValueError, match="attempt is .* and must be an integer or a text"):
        repair_request(run().summary, wrong)
