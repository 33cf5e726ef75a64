"""What RunDataflowOperator adds to what both operators do: its window, its refusals, its other writers."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from airflow_provider_flowservice._compat import AirflowSkipException
from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.exceptions import (
    DataflowNotStartableError,
    DataflowRunFailedError,
    FlowServiceApiError,
    FlowServiceConnectionError,
    FlowServiceNotFoundError,
    FlowServiceUnavailableError,
    RetriggerAmbiguousError,
)
from airflow_provider_flowservice.operators.flowservice import RunDataflowOperator
from helpers.state_store import StateStore
from helpers.support import TaskInstance, both_ways, context, execute, run_to_the_end

DAY = {"window_start": "2026-11-01", "window_end": "2026-11-02"}
NEXT_DAY = {"window_start": "2026-11-02", "window_end": "2026-11-03"}
SHOWN = {"windowStartTime": "1793491200", "windowEndTime": "1793577600"}
NEXT_SHOWN = {"windowStartTime": "1793577600", "windowEndTime": "1793664000"}


@pytest.fixture
def flow_id(flowservice):
    return flowservice.add_flow(frequency="once")


def operator(flow_id, **kwargs):
    defaults = {
        "poll_interval": 0.01,
        "settle_time": 0,
        "retries": 3,
        "hook_params": {"retries": 0},
    }
    return RunDataflowOperator(task_id="load", flow_id=flow_id, **{**defaults, **DAY, **kwargs})


def a_try(number=1, store=None, **values):
    return context(ti=TaskInstance(number, max_tries=3), task_state_store=store, **values)


def params(flowservice, run_id):
    """Return what a run was asked to load."""
    shown = flowservice.run(run_id)["params"]
    return {name: shown[name] for name in SHOWN}


# Windows


@both_ways
@pytest.mark.parametrize(
    "window",
    [
        DAY,
        {"window_start": "20261101", "window_end": "20261102T000000"},
        {"window_start": "2026-11-01T01:00:00+01:00", "window_end": "2026-11-02 00:00:00.999Z"},
        {
            "window_start": datetime(2026, 11, 1, tzinfo=timezone.utc).replace(tzinfo=None),
            "window_end": datetime(2026, 11, 2, tzinfo=timezone.utc),
        },
    ],
    ids=["days", "without dashes", "with a zone", "datetime"],
)
def test_a_window_comes_in_any_form(flowservice, flow_id, deferrable, window):
    run_id = run_to_the_end(operator(flow_id, deferrable=deferrable, **window))

    assert flowservice.starts == [(flow_id, run_id)]
    assert params(flowservice, run_id) == SHOWN


def test_without_a_window_the_request_names_none(flowservice, flow_id):
    run_id = run_to_the_end(operator(flow_id, window_start=None, window_end=None))

    assert flowservice.starts == [(flow_id, run_id)]
    assert "params" not in flowservice.run(run_id)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"window_end": None}, "window_start and window_end go together"),
        ({"window_start": None}, "window_start and window_end go together"),
        ({"window_end": "2026-10-31"}, "window_end is '2026-10-31', and must be at least a second"),
        ({"window_end": "2026-11-01"}, "window_end is .* such as CronDataIntervalTimetable"),
        (
            {"window_start": "1969-12-31"},
            "window_start is '1969-12-31', and must not be before 1970",
        ),
        ({"min_records": 1, "wait_for_completion": False}, "min_records is 1"),
    ],
    ids=["no end", "no start", "end before start", "empty", "too early", "what no wait can see"],
)
def test_a_window_that_cannot_be_fails_the_dag(flow_id, arguments, words):
    with pytest.raises(ValueError, match=f"^RunDataflowOperator 'load': {words}"):
        operator(flow_id, **arguments)


def rendered(task, **values):
    """Render a task's templates as Airflow does."""
    task.render_template_fields(values)
    return task


TEMPLATES = {"window_start": "{{ start }}", "window_end": "{{ end }}"}


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("2026-11-02", "2026-11-01", "at least a second after window_start"),
        ("2026-11-01", "tomorrow", "window_end is 'tomorrow'.* rendered from '{{ end }}'"),
        (None, None, r"window_start is 'None'.*\{\{ dag_run\.run_after \}\}"),
    ],
)
def test_a_window_that_cannot_be_once_rendered_sends_nothing(
    flowservice, flow_id, start, end, words
):
    task = rendered(operator(flow_id, **TEMPLATES), start=start, end=end)

    with pytest.raises(ValueError, match=words):
        execute(task, a_try())

    assert flowservice.requests == []


@pytest.mark.parametrize("templates", [TEMPLATES, {"window_end": "{{ end }}"}], ids=["both", "one"])
def test_a_window_that_a_native_template_renders_to_nothing_sends_nothing(
    flowservice, flow_id, templates
):
    task = operator(flow_id, **templates)
    task.window_start = task.window_end = None

    with pytest.raises(ValueError, match="have rendered to nothing"):
        execute(task, a_try())

    assert flowservice.requests == []


# Refusals


CANNOT = {
    "hourly": (dict(frequency="hour"), "scheduled by the hour"),
    "disabled": (dict(frequency="once", state="disabled"), "is disabled"),
    "streaming": (dict(batch=False), "streams"),
    "destination": (dict(source=False), "destination"),
}


@pytest.mark.parametrize("case", CANNOT)
@pytest.mark.parametrize("on_ineligible", ["fail", "skip"])
def test_a_flow_of_which_certainly_no_run_can_be_started(flowservice, case, on_ineligible):
    facts, words = CANNOT[case]
    task = operator(flowservice.add_flow(**facts), on_ineligible=on_ineligible)
    error = AirflowSkipException if on_ineligible == "skip" else DataflowNotStartableError

    with pytest.raises(error, match=f"No run can be started: .*{words}"):
        run_to_the_end(task)

    assert flowservice.count("POST /runs") == 0


@pytest.mark.parametrize("schedule", [None, {"frequency": "onetime"}], ids=["none", "unknown"])
def test_a_flow_that_does_not_show_its_schedule_is_left_to_the_service(
    flowservice, logged, schedule
):
    flow_id = flowservice.add_flow(frequency="once", scheduleParams=schedule)

    run_to_the_end(operator(flow_id))

    assert "does not show that it is scheduled once" in logged()
    assert len(flowservice.starts) == 1


@both_ways
def test_the_services_own_refusal_of_a_flow_skips_as_well(flowservice, deferrable):
    flow_id = flowservice.add_flow(frequency="hour", scheduleParams=None)

    with pytest.raises(AirflowSkipException, match="scheduled once"):
        run_to_the_end(operator(flow_id, deferrable=deferrable, on_ineligible="skip"))

    assert flowservice.count("POST /runs") == 1


def test_a_flow_in_another_state_is_left_to_the_service(flowservice, logged):
    task = operator(flowservice.add_flow(frequency="once", state="updating"))

    with pytest.raises(DataflowNotStartableError, match="not enabled"):
        run_to_the_end(task)

    assert "its state is updating" in logged()
    assert flowservice.count("POST /runs") == 1


def test_an_unknown_flow_sends_nothing(flowservice):
    with pytest.raises(FlowServiceNotFoundError, match="sandbox_name"):
        run_to_the_end(operator("no-such-flow"))

    assert flowservice.count("POST /runs") == 0


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("durable", [True, False])
def test_a_start_in_the_past_sends_nothing(flowservice, flow_id, durable, number):
    store, task = StateStore(), operator(flow_id, start_time="2026-11-01", durable=durable)

    with pytest.raises(ValueError, match="start_time is .*, which had passed when the DAG run"):
        run_to_the_end(task, a_try(number, store))

    assert flowservice.count("POST /runs") == 0
    assert store.values == {}


def test_a_start_that_has_passed_since_the_dag_run_began_is_now(flowservice, flow_id):
    task_context = a_try()
    task_context["dag_run"] = SimpleNamespace(
        start_date=datetime(2026, 10, 31, tzinfo=timezone.utc)
    )

    run_id = run_to_the_end(operator(flow_id, start_time="2026-11-01"), task_context)

    assert flowservice.starts == [(flow_id, run_id)]


def test_a_start_to_come_is_asked_for(flowservice, flow_id):
    start_time = datetime.now(timezone.utc) + timedelta(hours=1)

    run_id = run_to_the_end(operator(flow_id, start_time=start_time, wait_for_completion=False))

    assert flowservice.run(run_id)["params"]["startTime"] == str(int(start_time.timestamp()))


def test_the_delta_column_of_a_table_is_named(flowservice):
    flow_id = flowservice.add_flow(frequency="once", delta_column="")

    run_to_the_end(operator(flow_id, delta_column={"name": "updated_at", "timezone": "UTC"}))

    (copy,) = flowservice.flow(flow_id)["transformations"]
    assert copy["params"] == {"deltaColumn": {"name": "updated_at"}}


def test_a_table_without_its_delta_column_is_explained(flowservice):
    flow_id = flowservice.add_flow(frequency="once", delta_column="")

    with pytest.raises(FlowServiceApiError, match="needs a delta_column"):
        run_to_the_end(operator(flow_id, on_ineligible="skip"))


# Tries, and other writers


@both_ways
def test_a_retry_after_a_failed_run_starts_another_for_the_same_window(
    flowservice, flow_id, deferrable
):
    flowservice.plan(flow_id, ["inProgress", "failed"], ["success"])
    store, task = StateStore(), operator(flow_id, deferrable=deferrable)
    with pytest.raises(DataflowRunFailedError):
        run_to_the_end(task, a_try(1, store))
    second_try = a_try(2, store)

    run_to_the_end(task, second_try)

    run_ids = [run_id for _, run_id in flowservice.starts]
    assert second_try["ti"].xcoms["attempts"] == run_ids
    assert [params(flowservice, run_id) for run_id in run_ids] == [SHOWN, SHOWN]
    assert flowservice.retriggers == []


def test_a_retry_keeps_the_window_of_the_first_try(flowservice, flow_id):
    """As with a window up to now: another window would load the same data once more."""
    flowservice.fail(Fault("POST /runs$", kind="close_before", times=2))
    store = StateStore()
    with pytest.raises(FlowServiceConnectionError):
        run_to_the_end(operator(flow_id), a_try(1, store))

    run_id = run_to_the_end(operator(flow_id, window_end="2026-11-03"), a_try(2, store))

    assert params(flowservice, run_id) == SHOWN


def test_after_a_clear_the_window_is_that_of_the_dag(flowservice, flow_id):
    store = StateStore()
    run_to_the_end(operator(flow_id), a_try(1, store))
    cleared = context(ti=TaskInstance(2, max_tries=4), task_state_store=store)

    run_id = run_to_the_end(operator(flow_id, **NEXT_DAY), cleared)

    assert len(flowservice.starts) == 2
    assert params(flowservice, run_id) == NEXT_SHOWN


def test_a_retry_after_a_clear_takes_the_new_window(flowservice, flow_id):
    store = StateStore()
    run_to_the_end(operator(flow_id), a_try(1, store))
    flowservice.fail(Fault("GET /flows", status=503, body=""))
    task = operator(flow_id, **NEXT_DAY)
    with pytest.raises(FlowServiceUnavailableError):
        run_to_the_end(task, context(ti=TaskInstance(2, max_tries=4), task_state_store=store))

    retry = context(ti=TaskInstance(3, max_tries=4), task_state_store=store)
    run_id = run_to_the_end(task, retry)

    assert params(flowservice, run_id) == NEXT_SHOWN


@both_ways
def test_a_run_for_the_same_window_that_is_under_way_is_waited_for(
    flowservice, flow_id, deferrable, logged
):
    flowservice.plan(flow_id, [*["inProgress"] * 4, "success"])
    first = run_to_the_end(operator(flow_id, wait_for_completion=False))

    second = run_to_the_end(operator(flow_id, deferrable=deferrable))

    assert second == first
    assert flowservice.starts == [(flow_id, first)]
    assert "this connection's own client created it at" in logged()


def test_runs_for_other_windows_do_not_matter(flowservice, flow_id):
    flowservice.plan(flow_id, ["inProgress"])
    first = run_to_the_end(operator(flow_id, wait_for_completion=False))

    second = run_to_the_end(operator(flow_id, wait_for_completion=False, **NEXT_DAY))

    assert flowservice.starts == [(flow_id, first), (flow_id, second)]


def test_a_run_that_does_not_show_its_window_holds_up_no_other(flowservice, flow_id):
    flowservice.on_demand_window = "metrics"
    flowservice.plan(flow_id, ["inProgress"])

    for window in (DAY, NEXT_DAY):
        run_to_the_end(operator(flow_id, wait_for_completion=False, **window))

    assert len(flowservice.starts) == 2


def test_after_a_clear_with_nothing_stored_such_a_run_is_named(flowservice, flow_id):
    flowservice.on_demand_window = "metrics"
    flowservice.plan(flow_id, ["inProgress"])
    first = run_to_the_end(operator(flow_id, wait_for_completion=False))
    cleared = context(ti=TaskInstance(2, max_tries=4), task_state_store=StateStore())

    with pytest.raises(RetriggerAmbiguousError) as caught:
        run_to_the_end(operator(flow_id), cleared)

    assert caught.value.candidates == (first,)


@both_ways
def test_a_second_run_for_the_same_data_is_named(flowservice, flow_id, deferrable, logged):
    flowservice.on_demand_window = "metrics"
    flowservice.plan(flow_id, ["inProgress", "success"])
    first = run_to_the_end(operator(flow_id, wait_for_completion=False))
    task_context = a_try()

    run_to_the_end(operator(flow_id, deferrable=deferrable), task_context)

    assert len(flowservice.starts) == 2
    assert task_context["ti"].xcoms["duplicates"] == [first]
    assert "loads the same data as dataflow run" in logged()


def test_what_was_loaded_before_the_dag_run_began_is_loaded_again(flowservice, flow_id):
    hour_ago = flowservice.now_ms() - 3_600_000
    window = (1_793_491_200_000, 1_793_577_600_000)
    flowservice.add_run(
        flow_id, "success", created_at=hour_ago, window=window, on_demand=True, records=5
    )
    task_context = a_try()

    run_id = run_to_the_end(operator(flow_id), task_context)

    assert flowservice.starts == [(flow_id, run_id)]
    assert "duplicates" not in task_context["ti"].xcoms


def test_a_lost_request_without_a_window_is_not_taken_for_a_run_with_one(flowservice, flow_id):
    def add_stranger(seen):
        """Begin a run of our client for a window, just when our request is lost."""
        if seen.status == 0:
            client = flowservice.client_id
            flowservice.add_run(flow_id, "inProgress", created_client=client, on_demand=True)

    flowservice.on_request(add_stranger)
    flowservice.fail(Fault("POST /runs$", kind="close_before"))

    run_id = run_to_the_end(operator(flow_id, window_start=None, window_end=None))

    assert flowservice.starts == [(flow_id, run_id)]


def test_a_window_since_1970_is_recognized(flowservice, flow_id):
    flowservice.plan(flow_id, ["inProgress"])
    all_data = {"window_start": "1970-01-01", "window_end": "2026-11-01"}
    first = run_to_the_end(operator(flow_id, wait_for_completion=False, **all_data))

    second = run_to_the_end(operator(flow_id, wait_for_completion=False, **all_data))

    assert second == first
    assert flowservice.starts == [(flow_id, first)]


@both_ways
def test_a_run_to_adopt_is_waited_for_and_nothing_is_sent(flowservice, flow_id, deferrable):
    run_id = run_to_the_end(operator(flow_id, wait_for_completion=False))
    flowservice.clear_requests()

    assert run_to_the_end(operator(flow_id, deferrable=deferrable, adopt_run_id=run_id)) == run_id
    assert flowservice.count("POST /runs") == 0


@pytest.mark.parametrize("is_of_the_flow", [True, False], ids=["another window", "another flow"])
def test_a_run_for_other_data_is_not_adopted(flowservice, flow_id, is_of_the_flow):
    of = flow_id if is_of_the_flow else flowservice.add_flow(frequency="once")
    other = flowservice.add_run(of, "success", window=(1000, 2000), on_demand=True)

    with pytest.raises(ValueError, match=f"adopt_run_id is '{other}', and that is no run of flow"):
        run_to_the_end(operator(flow_id, adopt_run_id=other))

    assert flowservice.starts == []


def test_a_test_of_the_dag_for_a_day_of_the_past_loads_it_again(flowservice, flow_id):
    """`airflow dags test` lets the DAG run begin at its logical date."""
    day = datetime(2026, 11, 1, tzinfo=timezone.utc)
    window = (1_793_491_200_000, 1_793_577_600_000)
    hour_ago = flowservice.now_ms() - 3_600_000
    flowservice.add_run(
        flow_id, "success", created_at=hour_ago, window=window, on_demand=True, records=5
    )
    task_context = a_try()
    task_context["dag_run"] = SimpleNamespace(start_date=day, logical_date=day)

    run_id = run_to_the_end(operator(flow_id), task_context)

    assert flowservice.starts == [(flow_id, run_id)]


def test_a_search_that_leaves_older_runs_out_says_so(flowservice, flow_id, logged):
    for number in range(1000):
        window = (number * 1000, number * 1000 + 1000)
        flowservice.add_run(flow_id, "success", window=window, on_demand=True)

    run_to_the_end(operator(flow_id))

    assert "has at least 1000 runs since then; older ones were not searched" in logged()
    assert len(flowservice.starts) == 1


def test_a_lost_answer_leads_to_the_run_for_this_window(flowservice, flow_id):
    flowservice.plan(flow_id, ["inProgress"])
    run_to_the_end(operator(flow_id, wait_for_completion=False, **NEXT_DAY))
    flowservice.fail(Fault("POST /runs$", kind="close_after"))

    run_id = run_to_the_end(operator(flow_id, wait_for_completion=False))

    assert flowservice.starts[1] == (flow_id, run_id)


def test_an_operator_called_from_code_says_what_to_do(flow_id):
    with pytest.raises(ValueError, match=r"start_run\(\.\.\.\), which starts a run"):
        operator(flow_id).execute(a_try())
