"""
Demonstrate the package: a real Airflow re-triggers a failed dataflow run and waits for it.

Runs the example DAG ``example_flowservice_sensor`` against the emulator, and prints the steps.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from contextlib import closing
from typing import Any

from airflow_provider_flowservice.emulator import FlowServiceEmulator
from airflow_provider_flowservice.emulator.seed import SEEDED_FAILED_RUN_ID
from airflow_provider_flowservice.links.flowservice import DataflowRunLink
from airflow_provider_flowservice.runs import DataflowRun
from dev.local_airflow import ROOT, LocalAirflow

DAG_ID = "example_flowservice_sensor"


class DemoError(Exception):
    """The demo has failed."""


def main() -> int:
    """Run the demo."""
    with FlowServiceEmulator(seed=True, step_seconds=3) as emulator:
        airflow = LocalAirflow("demo", emulator)
        print(f"A Flow Service runs at {emulator.url}: an emulator, not Adobe's service.")
        try:
            show_failed_run(emulator)
            run_dag(airflow, emulator)
            show_xcoms(airflow)
            show_runs(emulator)
        except DemoError as error:
            print(f"\nThe demo failed: {error}\nSee {airflow.log}.", file=sys.stderr)
            return 1
    return 0


def show_failed_run(emulator: FlowServiceEmulator) -> None:
    """Print the failed run."""
    run = get_run(emulator, SEEDED_FAILED_RUN_ID)
    section("A dataflow run has failed")
    fact("flow", emulator.flow(run.flow_id)["name"])
    fact("run", run.run_id)
    fact("status", run.status)
    for error in run.errors:
        fact("error", str(error))


def run_dag(airflow: LocalAirflow, emulator: FlowServiceEmulator) -> None:
    """Run the example DAG, and print the runs in the Flow Service meanwhile."""
    section(f"Airflow runs the DAG {DAG_ID}")
    fact("log", str(airflow.log.relative_to(ROOT)))
    began_mono = time.monotonic()
    for arguments in ["db", "migrate"], ["dags", "test", DAG_ID]:
        event(began_mono, f"airflow {' '.join(arguments)}")
        with airflow.command(*arguments) as command:
            printed: set[tuple[str, str]] = set()
            while command.poll() is None:
                for run in new_runs(emulator):
                    if (run.run_id, run.status) not in printed:
                        event(began_mono, f"run {run.run_id} is {run.status}")
                        printed.add((run.run_id, run.status))
                time.sleep(0.1)
        if command.returncode:
            raise DemoError(f"airflow {' '.join(arguments)} ended with {command.returncode}.")
    event(began_mono, "the DAG run has ended")


def show_xcoms(airflow: LocalAirflow) -> None:
    """Print the XComs of the tasks."""
    with closing(sqlite3.connect(airflow.home / "airflow.db")) as database:
        rows = database.execute("SELECT task_id, key, value FROM xcom").fetchall()
    xcoms: dict[tuple[str, str], Any] = {(row[0], row[1]): json.loads(row[2]) for row in rows}
    if ("transform", "return_value") not in xcoms:
        raise DemoError("the last task has not run.")
    section("What its tasks left behind")
    fact("retrigger", xcoms["retrigger", "return_value"])
    fact("link", xcoms["retrigger", DataflowRunLink.xcom_key])
    summary = xcoms["wait", "return_value"]
    words = {"input_records": "read", "output_records": "written", "failed_records": "rejected"}
    counts = ", ".join(f"{summary[name]} records {word}" for name, word in words.items())
    fact("wait", f"{summary['status']}, {counts}")
    fact("transform", xcoms["transform", "return_value"])


def show_runs(emulator: FlowServiceEmulator) -> None:
    """Print how the old and the new run ended."""
    runs = new_runs(emulator)
    section("Done")
    fact("old run", f"{SEEDED_FAILED_RUN_ID}  {get_run(emulator, SEEDED_FAILED_RUN_ID).status}")
    for run in runs:
        fact("new run", f"{run.run_id}  {run.status}")
    if len(runs) != 1 or not runs[0].is_successful:
        raise DemoError("expected one new run, and a successful one.")


def new_runs(emulator: FlowServiceEmulator) -> list[DataflowRun]:
    """Return the current state of the runs that Airflow has started."""
    return [get_run(emulator, run_id) for _, run_id in emulator.retriggers]


def get_run(emulator: FlowServiceEmulator, run_id: str) -> DataflowRun:
    """Return the current state of a run."""
    return DataflowRun.from_api(emulator.run(run_id))


def section(title: str) -> None:
    """Print a headline."""
    print(f"\n{title}", flush=True)


def fact(name: str, text: str) -> None:
    """Print a name and a text."""
    print(f"  {name:<10} {text}", flush=True)


def event(began_mono: float, text: str) -> None:
    """Print an event, and the seconds since the beginning."""
    fact(f"{time.monotonic() - began_mono:5.1f} s", text)


if __name__ == "__main__":
    sys.exit(main())
