"""Re-trigger a dataflow run, tell where its data landed, and keep the rows that were rejected."""

from __future__ import annotations

import json
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

try:
    from airflow.sdk import DAG, Param, task
except ImportError:  # before Airflow 3.0
    from airflow import DAG
    from airflow.decorators import task
    from airflow.models.param import Param

from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator
from airflow_provider_flowservice.runs import DataflowRun

with DAG(
    "example_flowservice_rejected_rows",
    description="Re-trigger a dataflow run, and keep the rows that Experience Platform rejects.",
    start_date=datetime(2026, 1, 1),
    schedule=None,
    params={
        "run_id": Param(
            "22222222-2222-4222-8222-aaaaaaaaaaaa",
            title="Run to re-trigger",
            description="ID of the failed run: the last part of its URL in Experience Platform",
            type="string",
            minLength=1,
        ),
        "folder": Param(
            tempfile.gettempdir(),
            title="Folder",
            description="Where the rejected rows are kept, one file per run",
            type="string",
            minLength=1,
        ),
    },
    tags=["flowservice"],
) as dag:
    load = RetriggerDataflowRunOperator(
        task_id="load",
        run_id="{{ params.run_id }}",
        deferrable=True,
        max_failed_share=0.05,
    )

    @task
    def tell_where(ti: Any = None) -> str:
        """Stand in for the ETL that reads the new batches."""
        summary = ti.xcom_pull(task_ids="load", key="summary")
        batches = ", ".join(summary["batch_ids"])
        return f"Batches {batches} of datasets {', '.join(summary['dataset_ids'])} are ready."

    # Also if the task above fails because too many rows are rejected.
    @task(trigger_rule="all_done")
    def keep_rejected_rows(ti: Any = None, params: Any = None) -> int:
        """Write the rejected rows to a file, each with its errors, and return their number."""
        summary = ti.xcom_pull(task_ids="load", key="summary")
        if not summary:
            return 0  # nothing was re-triggered
        run = DataflowRun.from_summary(summary)
        rows = list(FlowServiceHook().iter_failed_records(run, limit=1000))
        file = Path(params["folder"]) / f"rejected-{run.run_id}.jsonl"
        file.touch(mode=0o600)  # they are data of customers
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        return len(rows)

    # The DAG run ends as its last tasks do: the first of them fails it if the load has failed.
    load >> [tell_where(), keep_rejected_rows()]
