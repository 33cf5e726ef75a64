"""Every example DAG loads, and those that need nobody run to their end in the Airflow at hand."""

from __future__ import annotations

import importlib.util
from collections import Counter
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import pytest
from airflow import __version__ as airflow_version
from airflow.models import DagRun
from packaging.version import Version

from airflow_provider_flowservice.emulator import Lifecycle
from airflow_provider_flowservice.emulator.seed import ORDERS_FLOW_ID, SEEDED_REJECTING_RUN_ID
from airflow_provider_flowservice.testing import fails, remove_delays
from helpers.smtp_sink import SmtpSink
from helpers.support import airflow_command

FOLDER = Path(__file__).parents[2] / "example_dags"
RETRIGGERS = {
    "enable_and_retrigger": 1,
    "repair_in_bulk": 1,
    "repair_run": 1,
    "retrigger_and_wait": 1,
    "retrigger_asset": 1,
    "retrigger_mapped": 3,
    "retrigger_on_failure": 1,
    "retrigger_rejected_rows": 1,
    "retrigger_retry_policy": 1,
    "retrigger_sensor_etl": 1,
    "use_the_result": 1,
}
"""Example: number of runs it re-triggers."""

STARTS = {"backfill_on_demand": 3, "load_on_demand": 1}
"""Example: number of runs it starts on demand."""

SLOW = {"repair_in_bulk"}
"""Examples that use of Airflow what the others do, and take their time."""

EVENTS = "3.0"
"""The first Airflow whose DAGs an event starts."""

ASKING = {"nightly_repair": "2.11", "self_healing": EVENTS}
"""Examples that ask another DAG for repairs: the first Airflow that has it."""

APPROVAL = "3.1"
"""The first Airflow that has tasks which a person approves of; tests/integration/test_healing.py runs it."""

RUNS_OF_A_NIGHT = 3

pytestmark = pytest.mark.usefixtures("hasty_triggers")


def load_dag(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.dag


def run(dag, **arguments):
    """Run a DAG to its end, without its delays."""
    remove_delays(dag)
    if Version("3.0") <= Version(airflow_version) < Version("3.1"):
        for task in dag.tasks:  # there dag.test() takes no asset that a scheduler has not seen
            task.outlets = []
    return dag.test(**arguments)


def test_every_example_is_run_here():
    assert {path.stem for path in FOLDER.glob("*.py")} == {
        *RETRIGGERS,
        *STARTS,
        *ASKING,
        "approve_and_retrigger",
        "retrigger_notify",
        "wait_for_flow",
    }


@pytest.mark.parametrize(
    "name", sorted({*RETRIGGERS, *STARTS, "retrigger_notify", "wait_for_flow"})
)
def test_the_trigger_form_explains_each_of_its_fields(name):
    dag = load_dag(name)
    if dag is None:
        pytest.skip(f"{name} needs a newer Airflow.")

    for param in (dag.params.get_param(key) for key in dag.params):
        assert param.schema["title"]
        assert param.description


@pytest.mark.parametrize(
    ("name", "first_airflow"),
    [("approve_and_retrigger", APPROVAL), ("retrigger_on_failure", EVENTS), *ASKING.items()],
)
def test_an_example_for_newer_airflows_loads_on_all(name, first_airflow):
    dag = load_dag(name)

    assert (dag is None) is (Version(airflow_version) < Version(first_airflow))


@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.once] * (name in SLOW))
        for name in (*RETRIGGERS, *STARTS)
    ],
)
def test_an_example_runs_to_success(seeded_flowservice, name):
    dag = load_dag(name)
    if dag is None:
        pytest.skip(f"{name} needs a newer Airflow than {airflow_version}")

    dag_run = run(dag)

    states = {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}
    assert set(states.values()) == {"success"}, states
    assert len(seeded_flowservice.retriggers) == RETRIGGERS.get(name, 0)
    assert len(seeded_flowservice.starts) == STARTS.get(name, 0)


def windows_asked_for(flowservice):
    """List the windows of the on-demand runs, in the order of their data."""
    params = [flowservice.run(run_id)["params"] for _, run_id in flowservice.starts]
    names = ("windowStartTime", "windowEndTime")
    return sorted(tuple(utc(asked[name]) for name in names) for asked in params)


def utc(seconds):
    return f"{datetime.fromtimestamp(int(seconds), timezone.utc):%Y-%m-%dT%H:%M}"


@pytest.mark.usefixtures("airflow_db")
def test_a_backfill_loads_a_period_without_gap_and_overlap(seeded_flowservice):
    days = ["2026-02-27T00:00", "2026-03-02T00:00", "2026-03-05T00:00", "2026-03-06T00:00"]
    period = {"first_day": "2026-02-27", "last_day": "2026-03-05", "days_per_window": 3}

    dag_run = run(load_dag("backfill_on_demand"), run_conf=period)

    assert str(dag_run.state) == "success"
    assert windows_asked_for(seeded_flowservice) == list(pairwise(days))


@pytest.mark.usefixtures("airflow_db")
def test_a_daily_dag_run_loads_the_day_of_its_interval(seeded_flowservice):
    day = datetime(2026, 3, 1, 8, tzinfo=timezone.utc)
    name = "execution_date" if Version(airflow_version) < Version("3.0") else "logical_date"

    dag_run = run(load_dag("load_on_demand"), **{name: day})

    assert str(dag_run.state) == "success"
    assert windows_asked_for(seeded_flowservice) == [("2026-02-28T00:00", "2026-03-01T00:00")]


@pytest.mark.once
@pytest.mark.usefixtures("airflow_db")
def test_the_dag_run_fails_if_too_many_rows_are_rejected_though_they_are_kept(
    seeded_flowservice, tmp_path
):
    seeded_flowservice.plan(SEEDED_REJECTING_RUN_ID, Lifecycle.rejects(100, of=1200))

    dag_run = run(load_dag("retrigger_rejected_rows"), run_conf={"folder": str(tmp_path)})

    assert str(dag_run.state) == "failed"
    (kept,) = tmp_path.glob("rejected-*.jsonl")
    assert len(kept.read_text().splitlines()) == 100


@pytest.mark.usefixtures("airflow_db")
def test_a_wait_for_a_flow_ends_with_its_first_success(flowservice):
    flow_id = flowservice.add_flow(flow_id=ORDERS_FLOW_ID)
    run_ids = [flowservice.add_run(flow_id, "inProgress") for _ in range(2)]
    flowservice.script(run_ids[0], ["inProgress", "failed"])
    flowservice.script(run_ids[1], ["inProgress", "success"])

    dag_run = run(load_dag("wait_for_flow"))

    assert str(dag_run.state) == "success"
    (told,) = (ti for ti in dag_run.get_task_instances() if ti.task_id == "transform")
    assert f"of run {run_ids[1]} are ready." in told.xcom_pull(task_ids="transform")


@pytest.mark.once
@pytest.mark.usefixtures("airflow_db")
def test_a_run_that_is_given_up_is_not_retriggered_when_its_failure_starts_the_dag(flowservice):
    flow_id = flowservice.add_flow("Hopeless nightly")
    run_id = flowservice.add_run(flow_id, "failed")
    flowservice.plan(flow_id, fails("The host is away.", "2200"))

    assert str(run(load_dag("retrigger_on_failure")).state) == "failed"
    sources = [source for source, _ in flowservice.retriggers]
    assert sources == [run_id, *(new for _, new in flowservice.retriggers[:-1])]
    assert len(sources) == 3

    assert str(run(load_dag("retrigger_on_failure")).state) == "success"  # with nothing to do
    assert len(flowservice.retriggers) == 3


@pytest.mark.usefixtures("airflow_db")
def test_a_run_that_fails_again_is_reported_by_mail(seeded_flowservice, monkeypatch):
    with SmtpSink() as sink:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", sink.connection_json)
        dag = load_dag("retrigger_notify")
        remove_delays(dag)
        dag.test()

    ((run_id, new_run_id),) = seeded_flowservice.retriggers
    (mail,) = sink.mails
    (body,) = (part for part in mail.walk() if part.get_content_type() == "text/html")
    text = body.get_content()
    assert mail["Subject"] == f"Dataflow run {run_id} failed again"
    assert f"Dataflow run {new_run_id}: failed" in text
    assert "Reason: MAPPER-3700-400: Mapper Transform Error" in text
    assert f'/activity/{new_run_id}">Open it</a>' in text


@pytest.fixture(scope="session")
def known_examples(airflow_db):
    """Let Airflow read the examples, so that one can ask for a run of another."""
    airflow_command("dags", "reserialize")


@pytest.fixture
def repairs(known_examples):
    """Return a function that lists the DAG runs of the repairing DAG, each with what it repairs."""

    def requested():
        found = DagRun.find(dag_id="example_flowservice_repair_run")
        return {run.run_id: run.conf["run_id"] for run in found if run.run_id not in before}

    before = {run.run_id for run in DagRun.find(dag_id="example_flowservice_repair_run")}
    return requested


def states_of_repair(dag_run):
    found = [ti for ti in dag_run.get_task_instances() if ti.task_id == "repair"]
    return Counter(str(ti.state) for ti in found)


def without_waiting(dag):
    """Run an example's DAG, and leave out the first wait of one that lets the source recover."""
    if dag.has_task("let_the_source_recover"):
        dag.get_task("let_the_source_recover").delta = timedelta(0)
    return run(dag)


@pytest.mark.parametrize("name", ASKING)
def test_each_failed_run_is_repaired_by_one_dag_run(flowservice, repairs, name):
    """Also where a second DAG run asks for it again, and where its re-trigger has failed."""
    dag = load_dag(name)
    if dag is None:
        pytest.skip(f"{name} needs a newer Airflow than {airflow_version}")
    flow_ids = [flowservice.add_flow(f"{name} nightly {n}") for n in range(RUNS_OF_A_NIGHT)]
    window = (flowservice.now_ms() - 7_200_000, flowservice.now_ms() - 3_600_000)
    run_ids = [flowservice.add_run(flow_id, window=window) for flow_id in flow_ids]

    assert states_of_repair(without_waiting(dag)) == {"success": RUNS_OF_A_NIGHT}
    assert sorted(repairs().values()) == sorted(run_ids)

    asked = repairs()
    for flow_id in flow_ids:  # a person re-triggers each in the meantime, in vain
        flowservice.add_run(flow_id, window=window)
    assert states_of_repair(without_waiting(load_dag(name))) == {"skipped": RUNS_OF_A_NIGHT}
    assert repairs() == asked


@pytest.mark.once
@pytest.mark.usefixtures("airflow_db")
def test_a_repair_that_is_given_up_fails_its_dag_run_with_the_reason(flowservice, caplog, capsys):
    run_id = flowservice.add_failed_run(then=[fails("The host is away.", "2200")])
    dag = load_dag("repair_run")

    dag_run = run(dag, run_conf={"run_id": run_id})

    assert str(dag_run.state) == "failed"
    assert len(flowservice.retriggers) == 3
    sources = [source for source, _ in flowservice.retriggers]
    assert sources == [run_id, *(new for _, new in flowservice.retriggers[:-1])]
    captured = (
        capsys.readouterr()
    )  # Airflow 3 writes there, and earlier releases to the root logger
    assert "2200: The host is away." in captured.out + captured.err + caplog.text
