"""When a wait is over at the latest, by the task's own limit and by Airflow's."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from airflow_provider_flowservice._waiting import deadlines
from airflow_provider_flowservice._waiting.deadlines import (
    deadline_of,
    defer_margin,
    defer_timeout,
    is_airflows_limit,
    room_to_resume,
)
from helpers.fake_clock import FakeClock
from helpers.support import context

BEGAN_AGO = 100.0


@pytest.fixture
def now(monkeypatch):
    """Let time stand still."""
    clock = FakeClock()
    monkeypatch.setattr(deadlines, "time", SimpleNamespace(time=clock))
    return clock()


@pytest.fixture
def task_context(now):
    """Return the context of a try that began a while ago."""
    task_context = context()
    task_context["ti"].start_date = datetime.fromtimestamp(now - BEGAN_AGO, timezone.utc)
    return task_context


@pytest.fixture
def on_airflow(monkeypatch):
    """Return a function that sets which Airflow it is."""
    return lambda generation: monkeypatch.setattr(
        deadlines, "TIMES_DEFERRED_TASKS", generation == 2
    )


def seconds(number):
    return None if number is None else timedelta(seconds=number)


@pytest.mark.parametrize("generation", [2, 3])
@pytest.mark.parametrize(
    ("timeout", "execution_timeout", "left"),
    [
        (None, None, None),
        (0, None, 0),
        (60, None, 60),
        (None, 600, 500),  # of the whole try, which has begun before
        (60, 600, 60),
        (600, 600, 500),
        (None, 50, -50),
    ],
)
def test_the_first_limit_ends_a_wait_in_a_worker(
    now, task_context, on_airflow, generation, timeout, execution_timeout, left
):
    on_airflow(generation)

    deadline = deadline_of(task_context, timeout, seconds(execution_timeout))

    assert deadline == (None if left is None else now + left)


@pytest.mark.parametrize(
    ("generation", "timeout", "execution_timeout", "left"),
    [
        (2, None, None, None),
        (3, None, None, None),
        (2, 60, None, 60),  # only Airflow's own limit is one that cuts a deferred task short
        (3, 60, None, 60),
        (2, None, 600, 500 - 30),
        (3, None, 600, 500),
        (2, None, 200, 100 - 20),
        (2, 470, 600, 470),
        (2, 480, 600, 470),
        (3, 480, 600, 480),
    ],
)
def test_a_deferred_wait_leaves_room_where_airflow_would_end_it(
    now, task_context, on_airflow, generation, timeout, execution_timeout, left
):
    on_airflow(generation)

    deadline = deadline_of(task_context, timeout, seconds(execution_timeout), deferred=True)

    assert deadline == (None if left is None else now + left)


@pytest.mark.parametrize(
    ("execution_timeout", "room"), [(0, 0), (10, 1), (299, 29.9), (300, 30), (86_400, 30)]
)
def test_the_room_is_a_tenth_of_the_limit_and_half_a_minute_at_most(execution_timeout, room):
    assert room_to_resume(timedelta(seconds=execution_timeout)) == pytest.approx(room)


@pytest.mark.parametrize(
    ("poll_interval", "margin"), [(0, 60), (30, 60), (31, 62), (60, 120), (300, 600)]
)
def test_airflows_timeout_of_a_deferral_comes_two_looks_after_the_deadline(poll_interval, margin):
    assert defer_margin(poll_interval) == margin


@pytest.mark.parametrize(
    ("left", "poll_interval", "timeout"),
    [(None, 60, None), (100, 60, 220), (100, 0, 160), (0, 60, 120), (-500, 60, 120)],
)
def test_a_deferral_outlasts_its_deadline_by_the_margin(now, left, poll_interval, timeout):
    deadline = None if left is None else now + left

    assert defer_timeout(deadline, poll_interval) == seconds(timeout)


@pytest.mark.parametrize(
    ("timeout", "execution_timeout", "is_airflows"),
    [
        (None, None, False),
        (60, None, False),
        (None, 60, True),
        (61, 60, True),
        (60, 60, True),
        (59, 60, False),
    ],
)
def test_the_limit_that_comes_first_is_the_one_that_passed(timeout, execution_timeout, is_airflows):
    assert is_airflows_limit(timeout, seconds(execution_timeout)) is is_airflows
