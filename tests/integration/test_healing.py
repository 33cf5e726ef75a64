"""DAGs that heal dataflows, in a real Airflow: found, noticed, approved, in bulk."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from airflow_provider_flowservice.emulator import FlowServiceEmulator
from integration.airflow_api import wait_until
from integration.airflow_instance import AirflowInstance
from integration.watchers import dag_runs, reported_runs, reported_watches

pytestmark = pytest.mark.timeout(240)  # the first test boots Airflow

EXAMPLES = Path(__file__).parents[2] / "example_dags"
HEALING = "example_flowservice_self_healing"
REPAIR = "example_flowservice_repair_run"

# Each costs Airflow four starts of a worker process, which is minutes for hundreds.
MAPPED_RUNS = int(os.environ.get("MAPPED_RUNS", "12"))

OTHER_DAGS = """
from datetime import datetime

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_flowservice.triggers.flowservice import DataflowRunEventTrigger

with DAG("downstream", start_date=datetime(2026, 1, 1), schedule=[Asset("repaired_dataflow")]):

    @task
    def use_the_data():
        pass

    use_the_data()

watched = Asset(
    "any_of_a_hundred",
    watchers=[
        AssetWatcher(
            name=f"watcher {number}",
            trigger=DataflowRunEventTrigger(flow_id=f"watched-{number}", poll_interval=1),
        )
        for number in range(100)
    ],
)

with DAG("a_hundred", start_date=datetime(2026, 1, 1), schedule=[watched]):

    @task
    def take_note(triggering_asset_events=None):
        return [event.extra["payload"]["run_id"] for event in triggering_asset_events[watched]]

    take_note()
"""


def adapted(name, **changes):
    """Return the text of an example DAG with other values, so that a test need not wait."""
    text = (EXAMPLES / f"{name}.py").read_text()
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def flowservice():
    with FlowServiceEmulator(step_seconds=1.0) as emulator:
        for number in range(100):
            emulator.add_flow(f"watched {number}", flow_id=f"watched-{number}")
        yield emulator


@pytest.fixture(scope="module")
def airflow(flowservice, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dags")
    healing = adapted(
        "self_healing",
        poll=("poll_interval=60", "poll_interval=1"),
        delay=("timedelta(minutes=5)", "timedelta(seconds=1)"),
        retry_delay=("timedelta(minutes=1)", "timedelta(seconds=1)"),
        paused=("is_paused_upon_creation=True", "is_paused_upon_creation=False"),
    )
    (folder / "self_healing.py").write_text(healing)
    (folder / "approve_and_retrigger.py").write_text(adapted("approve_and_retrigger"))
    bulk = adapted(
        "repair_in_bulk",
        poke=("poke_interval=60", "poke_interval=2"),
        retry_delay=("retries=2", "retries=2, retry_delay=1.0"),
        settle=("concurrency=4,", "concurrency=4, settle_time=5,"),
    )
    (folder / "repair_in_bulk.py").write_text(bulk)
    repair = adapted("repair_run", retry_delay=("timedelta(minutes=5)", "timedelta(seconds=1)"))
    (folder / "repair_run.py").write_text(repair)
    nightly = adapted(
        "nightly_repair",
        flow_name=('flow_name="*nightly*"', 'flow_name="mapped*"'),
        schedule=('schedule="0 5 * * *"', "schedule=None"),
        paused=("is_paused_upon_creation=True", "is_paused_upon_creation=False"),
    )
    (folder / "nightly_repair.py").write_text(nightly)
    (folder / "other_dags.py").write_text(OTHER_DAGS)
    env = {"AIRFLOW_CONN_FLOWSERVICE_DEFAULT": flowservice.connection_json}
    with AirflowInstance([folder], env) as instance:
        yield instance


@pytest.fixture(scope="module")
def watching(airflow, flowservice):
    """Airflow, once its watchers watch."""
    wait_until(
        lambda: reported_watches(airflow) >= 101, 60, "all watchers have stored where they begin"
    )
    return airflow


def repairs_of(airflow, run_ids):
    return dag_runs(airflow, REPAIR, repairing=run_ids)


def new_run_of(flowservice, run_id):
    return dict(flowservice.retriggers).get(run_id)


def test_a_run_that_fails_is_healed_without_anybody(watching, flowservice, capsys):
    flow_id = flowservice.add_flow("Orders nightly")
    run_id = flowservice.add_run(flow_id, "failed")
    failed_at = time.monotonic()

    wait_until(lambda: new_run_of(flowservice, run_id), 60, "the run is re-triggered")
    healed_after = time.monotonic() - failed_at
    wait_until(lambda: dag_runs(watching, "downstream"), 60, "the downstream DAG is started")
    (downstream,) = dag_runs(watching, "downstream")
    assert downstream.wait() == "success"
    ready_after = time.monotonic() - failed_at

    with capsys.disabled():
        print(
            f"\nFrom the failure to the re-trigger: {healed_after:.1f} s (watched every second, "
            f"a delay of 1 s in the DAG); to the end of the downstream DAG: {ready_after:.1f} s."
        )
    assert reported_runs(watching)[run_id] == 1


def looks_for_news(flowservice):
    """Count the requests for whatever is new, and not for the runs of a flow or certain runs."""
    return sum(
        seen.method == "GET"
        and seen.path.endswith("/runs")
        and not any(value.startswith(("flowId==", "id==")) for _, value in seen.query)
        for seen in flowservice.requests
    )


def test_a_hundred_watchers_cause_one_look(watching, flowservice, capsys):
    flowservice.clear_requests()
    began = time.monotonic()
    failed = [flowservice.add_run(f"watched-{number}", "failed") for number in (3, 14, 59)]
    wait_until(lambda: set(failed) <= set(reported_runs(watching)), 30, "the failures are reported")
    time.sleep(max(0.0, began + 10 - time.monotonic()))
    looks, seconds = looks_for_news(flowservice), time.monotonic() - began

    with capsys.disabled():
        print(f"\n101 watchers looked {looks} times in {seconds:.1f} s, every second.")
    assert looks <= seconds + 1
    assert [reported_runs(watching)[run_id] for run_id in failed] == [1, 1, 1]


@pytest.mark.distributed  # in which they are among the accidents
def test_restarts_lose_and_double_nothing(watching, flowservice):
    """Kill the triggerer and the scheduler while runs fail, and restart the triggerer politely."""
    flow_ids = [flowservice.add_flow(f"Restart nightly {number}") for number in range(4)]
    run_ids = [flowservice.add_run(flow_ids[0], "failed")]
    new_run_of_first = wait_until(lambda: new_run_of(flowservice, run_ids[0]), 60, "re-triggered")
    watching.kill("triggerer")
    run_ids.append(flowservice.add_run(flow_ids[1], "failed"))
    watching.kill("scheduler")
    run_ids.append(flowservice.add_run(flow_ids[2], "failed"))
    watching.start("triggerer")
    watching.start("scheduler")
    watching.restart("triggerer", signal.SIGTERM)
    run_ids.append(flowservice.add_run(flow_ids[3], "failed"))

    for run_id in run_ids:
        wait_until(lambda each=run_id: new_run_of(flowservice, each), 90, f"{run_id} re-triggered")
    for run in dag_runs(watching, HEALING):
        assert run.wait(90) == "success", run.states()
    repairs = repairs_of(watching, run_ids)
    assert [run.wait(90) for run in repairs] == ["success"] * 4

    sources = Counter(source for source, _ in flowservice.retriggers)
    assert [sources[run_id] for run_id in run_ids] == [1, 1, 1, 1]
    assert [reported_runs(watching)[run_id] for run_id in run_ids] == [1, 1, 1, 1]
    assert flowservice.run(new_run_of_first)["metrics"]["statusSummary"]["status"] == "success"


def test_a_flow_that_does_not_heal_is_given_up_with_the_reason(watching, flowservice):
    flow_id = flowservice.add_flow("Hopeless nightly")
    flowservice.plan(flow_id, ["failed"])
    run_id = flowservice.add_run(flow_id, "failed")

    (repair,) = wait_until(lambda: repairs_of(watching, [run_id]), 60, "the repair is asked for")
    assert repair.wait() == "failed"
    for run in dag_runs(watching, HEALING):
        assert run.wait() == "success", run.states()

    attempts = [new for _, new in flowservice.retriggers if new in flowservice.run_ids(flow_id)]
    assert len(attempts) == 3
    assert flowservice.run_ids(flow_id) == [run_id, *attempts]
    assert repairs_of(watching, attempts) == []
    log = repair.log("retrigger", try_number=3)
    assert f"Dataflow run {attempts[-1]} of flow {flow_id}: failed" in log
    assert "Reason: " in log


def test_a_person_approves_of_the_retrigger(airflow, flowservice):
    run_ids = [flowservice.add_run(flowservice.add_flow(f"To approve {n}")) for n in range(2)]
    run = airflow.trigger("example_flowservice_approve", {"flow_name": "to approve*"})
    run.wait_for_task("approve", "awaiting_input", "deferred")
    path = f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/approve/-1/hitlDetails"
    question = airflow.api.get(path)
    assert new_run_of(flowservice, run_ids[0]) is None
    # Nobody answers sooner. Airflow 3.3.2 fails a task that goes on before it has heard of its end.
    time.sleep(5)

    airflow.api.patch(path, {"chosen_options": ["Approve"], "params_input": {}})

    assert question["subject"] == "Dataflow runs to re-trigger: 2"
    assert all(run_id in question["body"] for run_id in run_ids)
    assert run.wait() == "success", run.states()
    new_run_ids = {run.xcom("retrigger", map_index=index) for index in range(2)}
    assert new_run_ids == {new_run_of(flowservice, run_id) for run_id in run_ids}


@pytest.mark.distributed  # `make test` has the crashes of a bulk without an Airflow
def test_two_hundred_runs_are_repaired_but_for_two_though_a_worker_dies(
    airflow, flowservice, capsys
):
    run_ids = [flowservice.add_run(flowservice.add_flow(f"Bulk {n}")) for n in range(200)]
    for run_id in (run_ids[30], run_ids[130]):
        flowservice.plan(run_id, ["inProgress", "failed"])
    began = time.monotonic()
    run = airflow.trigger("example_flowservice_bulk", {"flow_name": "bulk*"})
    wait_until(lambda: new_run_of(flowservice, run_ids[60]), 90, "some runs are re-triggered")
    airflow.kill_task(run, "retrigger")
    done_before = sum(new_run_of(flowservice, run_id) is not None for run_id in run_ids)

    assert run.wait(150) == "failed", run.states()

    with capsys.disabled():
        print(
            f"\n200 failed runs: killed after {done_before}, repaired and reported in "
            f"{time.monotonic() - began:.0f} s."
        )
    assert 0 < done_before < 200
    sources = Counter(source for source, _ in flowservice.retriggers)
    assert [sources[run_id] for run_id in run_ids] == [1] * 200
    new_run_ids = [new_run_of(flowservice, run_id) for run_id in run_ids]
    assert set(run.xcom("retrigger")) == set(new_run_ids)
    assert {record["outcome"] for record in run.xcom("retrigger", "results")} == {"retriggered"}
    log = run.log("report")
    assert "198 of 200 dataflow runs are repaired." in log
    named = {new for new in new_run_ids if f"Dataflow run {new} of flow" in log}
    assert named == {new_run_ids[30], new_run_ids[130]}


@pytest.mark.distributed  # `make test` follows the tutorial of the nightly repair
@pytest.mark.timeout(240 + 12 * MAPPED_RUNS)
def test_a_night_is_repaired_by_a_dag_run_each_but_for_two(airflow, flowservice, capsys):
    flow_ids = [flowservice.add_flow(f"Mapped {n}") for n in range(MAPPED_RUNS)]
    run_ids = [flowservice.add_run(flow_id) for flow_id in flow_ids]
    for flow_id in (flow_ids[3], flow_ids[-3]):
        flowservice.plan(flow_id, ["inProgress", "failed"])
    began = time.monotonic()
    night = airflow.trigger("example_flowservice_nightly_repair")
    assert night.wait(120 + 6 * MAPPED_RUNS) == "success", night.states()
    repairs = repairs_of(airflow, run_ids)
    ends = {run.run_id: run.wait(120 + 6 * MAPPED_RUNS) for run in repairs}

    with capsys.disabled():
        seconds = time.monotonic() - began
        print(f"\n{MAPPED_RUNS} failed runs, a DAG run each: repaired in {seconds:.0f} s.")
    assert Counter(ends.values()) == {"success": MAPPED_RUNS - 2, "failed": 2}
    sources = Counter(source for source, _ in flowservice.retriggers)
    assert [sources[run_id] for run_id in run_ids] == [1] * MAPPED_RUNS
    attempts = {flow_id: len(flowservice.run_ids(flow_id)) - 1 for flow_id in flow_ids}
    broken = {flow_id for flow_id in flow_ids if attempts[flow_id] == 3}
    assert broken == {flow_ids[3], flow_ids[-3]}
    assert {run_id.split("__")[1] for run_id, end in ends.items() if end == "failed"} == broken
