"""Tasks of one DAG run, as Airflow runs them: many runs in one task, and the same run in several."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "integration" / "dags"
BUNDLE = {
    "name": "tests",
    "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
    "kwargs": {"path": str(FOLDER)},
}


@pytest.fixture(scope="module")
def dags(airflow_db):
    """The module of the DAGs."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        # From Airflow 3.0 on, `dag.test()` knows a DAG from its bundle.
        monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([BUNDLE]))
        monkeypatch.syspath_prepend(FOLDER)
        spec = importlib.util.spec_from_file_location("siblings", FOLDER / "siblings.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


def run(dag, first, second=()):
    """Run a DAG in this process, and return the states of its tasks."""
    dag_run = dag.test(run_conf={"first": first, "second": list(second)})
    return {str(ti.state) for ti in dag_run.get_task_instances()}


def test_many_runs_in_one_task(flowservice, dags):
    run_ids = [flowservice.add_run(flowservice.add_flow()) for _ in range(4)]

    assert run(dags.siblings_bulk, run_ids) == {"success"}
    assert sorted(source for source, _ in flowservice.retriggers) == sorted(run_ids)
