"""Tasks of one DAG run, as Airflow runs them: many runs in one task, and the same run in several."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from helpers.dag_bundles import only_dags_of

FOLDER = Path(__file__).parents[1] / "integration" / "dags"


@pytest.fixture(scope="module")
def dags(airflow_db):
    """The module of the DAGs."""
    with pytest.MonkeyPatch.context() as monkeypatch, only_dags_of(FOLDER):
        monkeypatch.syspath_prepend(FOLDER)
        spec = importlib.util.spec_from_file_location("siblings", FOLDER / "siblings.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


def run(dag, first, second=()):
    """Run a DAG in this process, and return the states of its tasks."""
    dag_run = dag.test(run_conf={"first": first, "second": list(second)})
    return {str(ti.state) for ti in dag_run.get_task_instances()}


@pytest.fixture
def alike(flowservice):
    """Two failed runs of one flow and window."""
    flow_id = flowservice.add_flow()
    return [flowservice.add_run(flow_id, window=(1_000, 2_000)) for _ in range(2)]


def test_many_runs_in_one_task(flowservice, dags):
    run_ids = [flowservice.add_run(flowservice.add_flow()) for _ in range(4)]

    assert run(dags.siblings_bulk, run_ids) == {"success"}
    assert sorted(source for source, _ in flowservice.retriggers) == sorted(run_ids)


def test_the_same_run_in_mapped_tasks(flowservice, dags, alike):
    a, b = alike

    assert run(dags.siblings_mapped, [a, a], [b, a]) == {"success"}
    assert len(flowservice.retriggers) == 1


def test_the_same_run_in_a_mapped_task_group(flowservice, dags, alike):
    a, b = alike

    assert run(dags.siblings_group, [a, b, a]) == {"success"}
    assert len(flowservice.retriggers) == 1


def test_the_same_run_in_mapped_lists(flowservice, dags, alike):
    a, b = alike
    c = flowservice.add_run(flowservice.run(a)["flowId"], window=(2_000, 3_000))

    assert run(dags.siblings_bulks, [[a, c], [c, b], [b]]) == {"success"}
    assert len(flowservice.retriggers) == 2
