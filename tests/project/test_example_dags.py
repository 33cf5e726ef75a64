"""Every example DAG loads, and those that need nobody run to their end in the Airflow at hand."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path

import pytest
from airflow import __version__ as airflow_version
from packaging.version import Version

from airflow_provider_flowservice.testing import remove_delays
from helpers.smtp_sink import SmtpSink

FOLDER = Path(__file__).parents[2] / "example_dags"
RETRIGGERS = {
    "nightly_repair": 1,
    "repair_in_bulk": 1,
    "retrigger_and_wait": 1,
    "retrigger_asset": 1,
    "retrigger_mapped": 3,
    "retrigger_retry_policy": 1,
    "retrigger_sensor_etl": 1,
}
"""Example: number of runs it re-triggers."""

SLOW = {"nightly_repair", "repair_in_bulk"}
"""Examples that use of Airflow what the others do, and take their time."""

ELSEWHERE = {
    "approve_and_retrigger": "3.1",  # somebody has to approve
    "self_healing": "3.0",  # an event starts it
}
"""Example that tests/integration/test_healing.py runs: the first Airflow that has it."""


def load_dag(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.dag


def test_every_example_is_run_here():
    assert {path.stem for path in FOLDER.glob("*.py")} == {
        *RETRIGGERS,
        *ELSEWHERE,
        "retrigger_notify",
    }


@pytest.mark.parametrize("name", sorted({*RETRIGGERS, "retrigger_notify"}))
def test_the_trigger_form_explains_each_of_its_fields(name):
    dag = load_dag(name)
    if dag is None:
        pytest.skip(f"{name} needs a newer Airflow.")

    for param in (dag.params.get_param(key) for key in dag.params):
        assert param.schema["title"]
        assert param.description


@pytest.mark.parametrize("name", ELSEWHERE)
def test_an_example_for_newer_airflows_loads_on_all(name):
    dag = load_dag(name)

    if Version(airflow_version) < Version(ELSEWHERE[name]):
        assert dag is None
        pytest.skip(f"{name} needs Airflow {ELSEWHERE[name]}.")
    assert "retrigger" in dag.task_ids


@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.once] * (name in SLOW)) for name in RETRIGGERS],
)
def test_an_example_runs_to_success(seeded_flowservice, name):
    dag = load_dag(name)
    if dag is None:
        pytest.skip(f"{name} needs a newer Airflow than {airflow_version}")
    if name == "retrigger_asset" and Version(airflow_version) < Version("3.1"):
        pytest.skip("In Airflow 3.0 dag.test() takes no asset that a scheduler has not seen.")

    remove_delays(dag)
    dag_run = dag.test()

    states = {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}
    assert set(states.values()) == {"success"}, states
    assert len(seeded_flowservice.retriggers) == RETRIGGERS[name]


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
    assert "Reason: 133: We are unable to locate any files" in text
    assert f'/activity/{new_run_id}">Open it</a>' in text


@pytest.mark.once
@pytest.mark.usefixtures("airflow_db")
def test_the_nightly_repair_fails_for_what_has_failed_again(flowservice):
    run_ids = [flowservice.add_run(flowservice.add_flow(f"Nightly {n}")) for n in range(4)]
    for run_id in (run_ids[1], run_ids[3]):
        flowservice.plan(run_id, ["failed"])

    dag = load_dag("nightly_repair")

    remove_delays(dag)
    dag_run = dag.test()

    assert sorted(source for source, _ in flowservice.retriggers) == sorted(run_ids)
    assert str(dag_run.state) == "failed"
    states = Counter(str(ti.state) for ti in dag_run.get_task_instances())
    assert states == {"success": 3, "failed": 3}  # two runs and the report
