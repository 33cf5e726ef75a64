"""DAGs whose task dies where a DAG run wants it to."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import product

from airflow import DAG
from dying_operator import DyingOperator

MODES = {"worker": False, "deferred": True}
# Seconds within which the service lists a new run, by what DAGs are called.
SETTLE_TIMES = {"exactly_once": 5, "slow_lists": 15}

for (mode, deferrable), (name, settle_time) in product(MODES.items(), SETTLE_TIMES.items()):
    with DAG(
        f"{name}_{mode}",
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        schedule=None,
        params={"run_id": "", "points": []},
    ):
        DyingOperator(
            task_id="retrigger",
            run_id="{{ params.run_id }}",
            deferrable=deferrable,
            poll_interval=1,
            settle_time=settle_time,
            retries=4,
            retry_delay=timedelta(seconds=1),
        )
