"""DAGs whose task and its worker stop where a DAG run wants them to."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow import DAG
from frozen_operator import FrozenOperator

for name, deferrable in (("worker", False), ("deferred", True)):
    with DAG(
        f"frozen_{name}",
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        schedule=None,
        params={"run_id": "", "points": []},
    ):
        FrozenOperator(
            task_id="retrigger",
            run_id="{{ params.run_id }}",
            deferrable=deferrable,
            poll_interval=1,
            settle_time=5,
            retries=4,
            retry_delay=timedelta(seconds=1),
        )
