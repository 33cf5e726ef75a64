"""DAGs whose task dies, or stops together with its worker, where a DAG run wants it to."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import product

from airflow import DAG
from dying_operator import DyingRetrigger, DyingStart
from frozen_operator import FrozenOperator

MODES = {"worker": False, "deferred": True}
RUN = {"run_id": "{{ params.run_id }}"}
DAY = {
    "flow_id": "{{ params.flow_id }}",
    "window_start": "{{ dag_run.start_date.date() }}",
    "window_end": "{{ (dag_run.start_date + macros.timedelta(days=1)).date() }}",
}
# The operator, what it is about, and the seconds within which the service lists a new run, by what DAGs
# are called.
KINDS = {
    "exactly_once": (DyingRetrigger, RUN, 5),
    "start_once": (DyingStart, DAY, 5),
    "slow_lists": (DyingRetrigger, RUN, 15),
    "frozen": (FrozenOperator, RUN, 5),
}

for (mode, deferrable), (name, (operator, subject, settle_time)) in product(
    MODES.items(), KINDS.items()
):
    with DAG(
        f"{name}_{mode}",
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        schedule=None,
        params={"run_id": "", "flow_id": "", "points": []},
    ):
        operator(
            task_id="retrigger",
            **subject,
            deferrable=deferrable,
            poll_interval=1,
            settle_time=settle_time,
            retries=4,
            retry_delay=timedelta(seconds=1),
        )
