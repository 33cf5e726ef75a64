"""What each kind of argument may be, and the advice on what it may not, on values alone."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from airflow_provider_flowservice._arguments import kinds

MOMENT = datetime(2026, 9, 1, 2, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "written",
    [
        "2026-09-01 02:00:00+00:00",
        "2026-09-01T02:00:00Z",
        " 2026-09-01T02:00:00.000+00:00 ",
        "2026-09-01 04:00:00+02:00",
        "20260901T020000",  # ts_nodash
        "20260901T020000+0000",  # ts_nodash_with_tz
        MOMENT.replace(tzinfo=None),
        MOMENT.astimezone(timezone(timedelta(hours=-5))),
    ],
    ids=str,
)
def test_a_time_is_read_as_templates_render_it(written):
    assert kinds.epoch_milliseconds(written) == MOMENT.timestamp() * 1000


@pytest.mark.parametrize("written", ["2026-09-01", "20260901", MOMENT.replace(hour=0, tzinfo=None)])
def test_a_day_begins_at_midnight_in_utc(written):
    assert kinds.epoch_milliseconds(written) == (MOMENT - timedelta(hours=2)).timestamp() * 1000


def test_what_is_less_than_a_second_is_cut_off():
    assert kinds.epoch_seconds("2026-09-01T02:00:00.999999Z") == MOMENT.timestamp()


@pytest.mark.parametrize(
    ("kind", "value", "advice"),
    [
        (kinds.ID, None, "a task without output"),
        (kinds.ID, "None", "a template that found neither"),
        (kinds.IDS, "['r1']", r"run_ids=list_runs\.output"),
        (kinds.IDS, ["r1", None], r"Entry 1 is None\. What it was to come from"),
        (kinds.TIME, "None", r"\{\{ dag_run\.run_after \}\}"),
        (kinds.HOOK_PARAMS, {"retires": 1}, "no 'retires', only retrigger_op, retries, backoff"),
        (kinds.HOOK_PARAMS, {"backoff": "1"}, "backoff is '1', and must be a number of seconds"),
        (kinds.COUNT, "x" * 1000, "must be an integer"),
        (kinds.TIME, "2026-13-01", "a text in ISO 8601"),
        (kinds.TIME, "1788220800", "a text in ISO 8601"),
        (kinds.DELTA_COLUMN, {"column": "x"}, "a dict of texts with its 'name'"),
        (kinds.DELTA_COLUMN, {"name": "at", "dateformat": "YYYY"}, "It has no 'dateformat'"),
        (kinds.DELTA_COLUMN, {"name": 5}, "a dict of texts with its 'name'"),
    ],
)
def test_a_wrong_value_is_named_with_advice(kind, value, advice):
    _, problems = kinds.read_all({"name": kind}, {"name": value})

    assert problems["name"].startswith("name is ")
    with pytest.raises(ValueError, match=advice):
        kinds.check(name=(value, kind))
    assert len(problems["name"]) < 500


def test_what_is_right_is_no_problem():
    assert kinds.HOOK_PARAMS.read(None) == kinds.HOOK_PARAMS.read({}) == {}
    assert kinds.read_all({"name": kinds.COUNT}, {"name": 5}) == ({"name": 5}, {})
    kinds.check(name=(5, kinds.COUNT), other=(None, kinds.ID.or_none()))


def test_all_that_is_wrong_is_named_at_once():
    with pytest.raises(ValueError, match=r"limit is 0.* status is ''"):
        kinds.check(limit=(0, kinds.POSITIVE), status=("", kinds.TEXT))
