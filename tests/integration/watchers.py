"""What watchers of assets have reported to a real Airflow, and the DAG runs that came of it."""

from __future__ import annotations

from collections import Counter

from integration.airflow_api import Run, wait_until


def reported_watches(airflow):
    """Count the watchers that have stored what they have reported."""
    count = 0
    for asset in airflow.api.get("/assets", limit=100)["assets"]:
        answer = airflow.api.get(f"/assets/{asset['id']}/state-store", limit=200)
        count += answer["total_entries"]
    return count


def all_pages(airflow, path, key):
    """List what the API lists, of which it gives at most a hundred at a time."""
    found = []
    while page := airflow.api.get(path, limit=100, offset=len(found))[key]:
        found += page
    return found


def dag_runs(airflow, dag_id, repairing=None):
    """List the runs of a DAG, or of those only the ones that were asked to repair some runs."""
    return [
        Run(airflow.api, dag_id, run["dag_run_id"])
        for run in all_pages(airflow, f"/dags/{dag_id}/dagRuns", "dag_runs")
        if repairing is None or run["conf"]["run_id"] in repairing
    ]


def asset_events(airflow):
    """Return one item, the list of all events; none while Airflow cannot show them."""
    try:
        return [all_pages(airflow, "/assets/events", "asset_events")]
    except RuntimeError:
        # Airflow 3.3.2 cannot show an event whose DAG run is queued and so has no start.
        return []


def reported_runs(airflow):
    """Count how often each dataflow run was reported to the self-healing DAG."""
    (events,) = wait_until(lambda: asset_events(airflow), 30, "the asset events can be read")
    payloads = [event["extra"].get("payload") for event in events if event["extra"]]
    return Counter(payload["run_id"] for payload in payloads if payload)
