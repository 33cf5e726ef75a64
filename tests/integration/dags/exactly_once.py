"""DAGs whose task dies, or stops together with its worker, where a DAG run wants it to."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import product

from airflow import DAG
from dying_operator import DyingOperator
from frozen_operator import FrozenOperator

MODES = {"worker": False, "deferred": True}
# The operator, and the seconds within which the service lists a new run, by what DAGs are called.
KINDS = {
    "exactly_once": (DyingOperator, 5),
    "slow_lists": (DyingOperator, 15),
    "frozen": (FrozenOperator, 5),
}

for (mode, deferrable), (name, (operator, settle_time)) in product(MODES.items(), KINDS.items()):
    with DAG(
        f"{name}_{mode}",
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        schedule=None,
        params={"run_id": "", "points": []},
    ):
        operator(
            task_id="retrigger",
            run_id="{{ params.run_id }}",
            deferrable=deferrable,
            poll_interval=1,
            settle_time=settle_time,
            retries=4,
            retry_delay=timedelta(seconds=1),
        )
