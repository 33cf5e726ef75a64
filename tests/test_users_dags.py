"""Users' tests of their DAGs: ``dag.test()`` with the plugin's fixture, as docs/tutorials/test-your-dag.md has it."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
from airflow import __version__ as airflow_version
from packaging.version import Version

from airflow_provider_flowservice.testing import fails, remove_delays, succeeds
from helpers.dag_bundles import only_dags_of
from users_dags import every_operator
from users_dags.every_operator import DAGS, FLOWS, MODES, ONE_TIME_FLOW, RUNS, SINCE, WAITS

this_airflow = Version(airflow_version)

pytestmark = pytest.mark.usefixtures("airflow_db", "dags_folder", "hasty_triggers")

each_wait = pytest.mark.parametrize("wait", WAITS)


@pytest.fixture
def dags_folder():
    """Let Airflow find these DAGs."""
    with only_dags_of(Path(every_operator.__file__).parent):
        yield


@pytest.fixture
def flows(flowservice):
    """Add the flows that the DAGs name."""
    for number, flow_id in enumerate(FLOWS):
        flowservice.add_flow(f"Orders {number}", flow_id=flow_id)


@pytest.fixture
def failed_runs(flowservice, flows):
    """Add the runs that the DAGs name, as failed ones."""
    for flow_id, run_id in zip(FLOWS, RUNS, strict=True):
        flowservice.add_run(flow_id, run_id=run_id)


@pytest.fixture
def unfinished_runs(flowservice, flows):
    """Add the runs that the DAGs name, each of which succeeds at the second poll."""
    for flow_id, run_id in zip(FLOWS, RUNS, strict=True):
        flowservice.add_run(flow_id, "inProgress", run_id=run_id)
        flowservice.script(run_id, ["inProgress", "success"])


def returned_by(name, **kwargs):
    """Test a DAG that is to succeed, and return what its tasks return, by map index."""
    dag_run = run_of(name, **kwargs)
    assert str(dag_run.state) == "success"
    instances = sorted(dag_run.get_task_instances(), key=lambda ti: ti.map_index)
    return [ti.xcom_pull(task_ids="only", map_indexes=ti.map_index) for ti in instances]


def run_of(name, **kwargs):
    """Test a DAG as users do, and return its DAG run."""
    remove_delays(DAGS[name])
    return DAGS[name].test(**kwargs)


@pytest.mark.usefixtures("failed_runs")
@each_wait
def test_a_run_is_retriggered(flowservice, wait):
    flowservice.plan(RUNS[0], succeeds())

    (new_run_id,) = returned_by(f"retrigger_{wait}")

    assert flowservice.retriggers == [(RUNS[0], new_run_id)]


@pytest.mark.usefixtures("failed_runs")
@each_wait
def test_a_run_that_fails_again_fails_the_dag(flowservice, wait):
    flowservice.plan(RUNS[0], fails())

    assert str(run_of(f"retrigger_{wait}").state) == "failed"
    assert [source for source, _ in flowservice.retriggers] == RUNS[:1]


@pytest.mark.usefixtures("failed_runs")
@each_wait
def test_runs_are_retriggered_by_mapped_tasks(flowservice, wait):
    new_run_ids = returned_by(f"retrigger_mapped_{wait}")

    assert sorted(flowservice.retriggers) == list(zip(RUNS, new_run_ids, strict=True))


@pytest.mark.usefixtures("failed_runs")
def test_runs_are_retriggered_in_one_task(flowservice):
    (new_run_ids,) = returned_by("bulk")

    assert sorted(flowservice.retriggers) == list(zip(RUNS, new_run_ids, strict=True))


@pytest.fixture
def asked(flowservice):
    """Add the flow that the DAGs run on demand; return a function that tells what was asked for."""
    flowservice.add_flow(flow_id=ONE_TIME_FLOW, frequency="once")

    def asked(run_id):
        params = flowservice.run(run_id)["params"]
        times = (int(params[name]) for name in ("windowStartTime", "windowEndTime"))
        return [datetime.fromtimestamp(seconds, timezone.utc) for seconds in times]

    return asked


DAYS = [datetime(2026, 11, day, tzinfo=timezone.utc) for day in (1, 2, 3)]


@each_wait
def test_a_run_is_started(flowservice, asked, wait):
    (run_id,) = returned_by(f"start_{wait}")

    assert flowservice.starts == [(ONE_TIME_FLOW, run_id)]
    assert asked(run_id) == DAYS[:2]


@each_wait
def test_runs_are_started_by_mapped_tasks(flowservice, asked, wait):
    run_ids = returned_by(f"start_mapped_{wait}")

    assert sorted(new for _, new in flowservice.starts) == sorted(run_ids)
    assert [asked(run_id) for run_id in run_ids] == [DAYS[:2], DAYS[1:]]


def test_a_run_is_started_for_the_data_interval(asked):
    name = "logical_date" if this_airflow >= Version("3.0") else "execution_date"
    (run_id,) = returned_by("start_interval", **{name: DAYS[1]})

    assert asked(run_id) == DAYS[:2]


@pytest.mark.usefixtures("failed_runs")
def test_runs_are_listed():
    ((*run_ids,),) = returned_by("list")

    assert sorted(run_ids) == RUNS


@pytest.mark.usefixtures("failed_runs")
def test_runs_are_listed_by_mapped_tasks():
    assert returned_by("list_mapped") == [[run_id] for run_id in RUNS]


@pytest.mark.usefixtures("unfinished_runs")
@pytest.mark.parametrize("mode", MODES)
def test_a_run_is_waited_for(mode):
    if mode == "reschedule" and this_airflow.release[:2] == (3, 0):
        pytest.skip("In Airflow 3.0 dag.test() fails for every sensor that reschedules.")

    (summary,) = returned_by(f"run_sensor_{mode}")

    assert (summary["run_id"], summary["status"]) == (RUNS[0], "success")


@pytest.mark.usefixtures("unfinished_runs")
@each_wait
def test_runs_are_waited_for_by_mapped_tasks(wait):
    assert [each["run_id"] for each in returned_by(f"run_sensor_mapped_{wait}")] == RUNS


@pytest.mark.usefixtures("unfinished_runs")
@each_wait
def test_a_flow_is_waited_for(wait):
    (summary,) = returned_by(f"flow_sensor_{wait}")

    assert summary["run_id"] == RUNS[0]


@pytest.mark.usefixtures("unfinished_runs")
@pytest.mark.skipif(
    this_airflow < Version("3.0"), reason="Every DAG run of Airflow 2 has a logical date."
)
def test_a_flow_is_waited_for_in_a_dag_run_without_logical_date():
    (summary,) = returned_by("flow_sensor_worker", logical_date=None)

    assert summary["run_id"] == RUNS[0]


def test_the_example_has_the_time_that_every_dag_run_renders():
    example = Path(__file__).parents[1] / "example_dags" / "wait_for_flow.py"

    assert f'completed_after="{SINCE}"' in example.read_text()


@pytest.mark.usefixtures("failed_runs")
def test_wrong_values_of_a_mapping_fail_their_tasks_before_any_request(flowservice, caplog, capsys):
    dag_run = run_of("retrigger_wrong_mapped")

    assert [str(ti.state) for ti in dag_run.get_task_instances()] == ["failed"] * 3
    captured = (
        capsys.readouterr()
    )  # where Airflow 3 writes, and earlier releases to the root logger
    told = captured.out + captured.err + caplog.text
    for reason in ("run_id is 'None'", "run_id is 'a b'", "timeout is -1"):
        assert reason in told
    assert flowservice.requests == []


@pytest.mark.usefixtures("failed_runs")
def test_an_operator_that_a_task_calls_is_refused_before_any_request(flowservice):
    (reason,) = returned_by("retrigger_nested")

    assert "'inner' is no task that Airflow runs" in reason
    assert "retrigger_run(run_id)" in reason
    assert flowservice.requests == []


@pytest.mark.usefixtures("unfinished_runs")
@each_wait
def test_flows_are_waited_for_by_mapped_tasks(wait):
    assert [each["run_id"] for each in returned_by(f"flow_sensor_mapped_{wait}")] == RUNS
