"""Which runs load the same data, by the windows that they show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_flowservice._selection.windows import NO_WINDOW, repeats_in, same_window
from airflow_provider_flowservice.runs import DataflowRun

WINDOW, OVERLAPPING, NEXT = (0, 100), (1, 101), (100, 200)
RUN = DataflowRun("r1", "f1", "failed", created_at=1000, window=WINDOW)


def shows(used=None, asked=None, run_id="r1"):
    window = used or asked
    return replace(
        RUN, run_id=run_id, window=window, is_window_asked=used is None, asked_window=asked
    )


@pytest.mark.parametrize(
    ("run", "other", "is_same"),
    [
        (shows(WINDOW), shows(WINDOW), True),
        (shows(WINDOW), shows(OVERLAPPING), False),
        (shows(asked=WINDOW), shows(asked=WINDOW), True),
        (shows(asked=WINDOW), shows(asked=OVERLAPPING), False),
        (shows(asked=WINDOW), shows(WINDOW), True),
        (shows(asked=WINDOW), shows(OVERLAPPING), None),
        (shows(asked=WINDOW), shows(NEXT), False),
        (shows(OVERLAPPING, asked=WINDOW), shows(asked=WINDOW), True),
        (shows(OVERLAPPING, asked=WINDOW), shows(WINDOW, asked=WINDOW), True),
        (shows(asked=NO_WINDOW), shows(asked=WINDOW), False),
        (shows(), shows(WINDOW), None),
        (shows(), shows(), None),
    ],
)
def test_what_was_asked_for_counts_more_than_what_was_used(run, other, is_same):
    assert same_window(run, other) is same_window(other, run) is is_same


@pytest.mark.parametrize(
    ("first", "then", "is_repeat"),
    [
        (shows(WINDOW), shows(WINDOW), True),
        (shows(asked=WINDOW), shows(OVERLAPPING, asked=WINDOW), True),
        (shows(WINDOW), shows(NEXT), False),
        (shows(WINDOW), shows(), False),
        (shows(), shows(), False),
    ],
)
def test_a_later_run_of_the_same_window_is_a_repeat(first, then, is_repeat):
    runs = [first, replace(then, run_id="r2")]

    assert [run.run_id for run in repeats_in(runs)(0)] == ["r2"] * is_repeat
    assert repeats_in(runs)(1) == []
