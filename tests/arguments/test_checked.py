"""
Wrong arguments of operators, sensors and triggers, before anything is sent.

The cases come from the signatures, so that a new argument is covered as soon as it is there.
"""

from __future__ import annotations

import inspect
import math
from datetime import timedelta

import pytest
from airflow import DAG

from airflow_provider_flowservice._arguments import kinds
from airflow_provider_flowservice._compat import triggers as event_triggers
from airflow_provider_flowservice._outcomes.table import CHOICES
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.operators import flowservice as operators
from airflow_provider_flowservice.operators.flowservice import (
    ListDataflowRunsOperator,
    RetriggerDataflowRunOperator,
    RetriggerDataflowRunsOperator,
)
from airflow_provider_flowservice.sensors import flowservice as sensors
from airflow_provider_flowservice.sensors.flowservice import DataflowRunSensor, DataflowSensor
from airflow_provider_flowservice.triggers import flowservice as triggers
from helpers.support import context, run_to_the_end

TASKS = [getattr(module, name) for module in (operators, sensors) for name in module.__all__]
TRIGGERS = [
    getattr(triggers, name)
    for name in triggers.__all__
    if event_triggers.HAS_EVENT_TRIGGERS or "Event" not in name
]
GOOD = {
    "run_id": "r1",
    "run_ids": ["r1"],
    "flow_id": "f1",
    "completed_after": "2026-09-01",
    "since_ms": 1,
}

# By the types that an annotation names: what it can be given by mistake.
WRONG = {
    "bool": ["false", "yes", 1, 0],
    "int": [1.5, "five", True, math.nan],
    "float": [-1, "soon", True, math.nan, math.inf],
    "timedelta": [timedelta(seconds=-1), timedelta(days=36500)],
    "str": [7, " ", b"text"],
    "Choice": ["FAIL", "ignore", "acept", "", "none"],
    "Literal": ["FAIL", "ignore", "acept", "", "none"],
    "datetime": [5, "yesterday", "None", ""],
    "dict": [{"retires": 1}, {"backoff": "1"}, {"retries": -1}, {1: 1}, "retries"],
    "Sequence": [[None], [1], [""], {"r1": 1}, iter(["r1"])],
}
# By the name: what lies outside its range.
OUTSIDE = {
    "min_records": [-1],
    "max_failed_records": [-1],
    "max_failed_share": [5],
    "limit": [0, -1],
    "concurrency": [0, -1],
    **{name: [0, timedelta(0)] for name in ("poll_interval", "poke_interval", "lookback")},
}
WRONG_IDS = ["None", "a b", "a,b", ".."]


def arguments_of(cls):
    """Return the parameters of our own constructors, by their names."""
    return {
        name: parameter
        for base in cls.__mro__
        if base.__module__.startswith("airflow_provider_flowservice") and "__init__" in vars(base)
        for name, parameter in inspect.signature(vars(base)["__init__"]).parameters.items()
        if name != "self" and parameter.kind is not parameter.VAR_KEYWORD
    }


def wrong_values(cls, name):
    """List values that an argument must not have."""
    annotation = str(arguments_of(cls)[name].annotation)
    yield object()
    for kind, values in WRONG.items():
        # Of `str | Sequence[str]` only what is neither.
        if kind in annotation.replace("Sequence[str]", "Sequence"):
            yield from values
    if "Sequence" in annotation and "str |" not in annotation:
        yield "r1"
    if "None" not in annotation:
        yield None
    if name.endswith("_id") and "conn" not in name:
        yield from WRONG_IDS
    if name == "status":
        yield from ("failled", "", [], ["failed", "failled"])
    yield from OUTSIDE.get(name, ())


def cases(classes):
    return [(cls, name) for cls in classes for name in arguments_of(cls)]


def good(cls):
    """Return the arguments that a class needs."""
    required = [
        n for n, each in arguments_of(cls).items() if each.default is inspect.Parameter.empty
    ]
    return {name: GOOD[name] for name in required}


def make(cls, **arguments):
    label = {"task_id": "task"} if cls in TASKS else {}
    return cls(**{**good(cls), **label, **arguments})


@pytest.mark.parametrize(("cls", "name"), cases([*TASKS, *TRIGGERS]))
def test_a_wrong_argument_is_refused_when_the_object_is_made(cls, name):
    for value in wrong_values(cls, name):
        with pytest.raises(ValueError, match=rf"^{cls.__name__}.*: .*\b{name} is .*, "):
            make(cls, **{name: value})


@pytest.mark.parametrize(("cls", "name"), cases(TASKS))
def test_and_again_when_the_task_runs_before_any_request(flowservice, cls, name):
    for value in wrong_values(cls, name):
        task = make(cls)
        setattr(task, name, value)

        with pytest.raises(ValueError, match=rf"\b{name} is .*, and must be "):
            run_to_the_end(task)

    assert flowservice.requests == []


@pytest.mark.parametrize(("cls", "name"), cases(TASKS))
def test_mapped_tasks_are_no_exception(cls, name):
    for value in wrong_values(cls, name):
        with pytest.raises(ValueError, match=rf"\b{name} is .*, and must be "):
            cls.partial(task_id="task", **{name: value})
        with pytest.raises(ValueError, match=rf"\b{name} is .*, and must be "):
            cls.partial(task_id="task", default_args={name: value})


@pytest.mark.filterwarnings("ignore:.*was never mapped")
@pytest.mark.parametrize("cls", TASKS)
def test_nor_are_defaults_of_the_dag(cls):
    for name in arguments_of(cls):
        value = next(wrong_values(cls, name))
        with DAG("defaults", schedule=None, default_args={name: value}):
            with pytest.raises(ValueError, match=rf"\b{name} is .*, and must be "):
                cls.partial(task_id="mapped")
            if name not in good(cls):
                with pytest.raises(ValueError, match=rf"\b{name} is .*, and must be "):
                    make(cls)


def test_a_default_that_another_one_overrides_is_not_used():
    with DAG("overridden", schedule=None, default_args={"timeout": -1}):
        tasks = DataflowRunSensor.partial(task_id="wait", default_args={"timeout": 5})
        tasks.expand(run_id=["r1"])


@pytest.mark.parametrize("cls", [*TASKS, *TRIGGERS])
def test_each_argument_has_its_kind(cls):
    assert cls.argument_kinds.keys() == arguments_of(cls).keys()


@pytest.mark.parametrize("cls", [*TASKS, *TRIGGERS])
def test_durations_may_be_timedeltas(cls):
    for name, parameter in arguments_of(cls).items():
        if "timedelta" in str(parameter.annotation):
            made = make(cls, **{name: timedelta(minutes=2)})

            assert getattr(made, name) == 120.0
            assert type(getattr(made, name)) is float


def test_hook_params_are_those_of_the_hook():
    parameters = [*inspect.signature(FlowServiceHook.__init__).parameters]

    assert parameters == ["self", *FlowServiceHook.argument_kinds]
    assert FlowServiceHook.argument_kinds.keys() - kinds.HOOK_ARGUMENTS.keys() == {
        "flowservice_conn_id"
    }


@pytest.mark.parametrize("outcome", CHOICES)
def test_the_choices_are_those_of_the_table(outcome):
    for choice in CHOICES[outcome]:
        make(RetriggerDataflowRunOperator, **{f"on_{outcome}": choice})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("on_partial", "accept"),
        ("on_empty", "fail"),
        ("min_records", 1),
        ("max_failed_records", 0),
        ("max_failed_share", 0.5),
    ],
)
def test_what_is_asked_of_the_records_needs_a_wait(name, value):
    with pytest.raises(ValueError, match=f"{name} is .*wait_for_completion=False"):
        make(RetriggerDataflowRunOperator, wait_for_completion=False, **{name: value})
    with pytest.raises(ValueError, match=f"{name} is .*wait_for_completion=False"):
        RetriggerDataflowRunOperator.partial(
            task_id="task", wait_for_completion=False, **{name: value}
        )


@pytest.mark.parametrize(
    "cls", [cls for cls, name in cases([*TASKS, *TRIGGERS]) if name == "flow_name"]
)
def test_flows_are_selected_in_one_way(cls):
    with pytest.raises(ValueError, match="flow_id and flow_name exclude each other"):
        make(cls, flow_id="f1", flow_name="orders")


def rendered(task, **values):
    """Set template fields as Airflow does before it runs a task."""
    for name, value in values.items():
        setattr(task, name, value)
    return task


def test_templates_are_checked_once_they_are_rendered(flowservice):
    task = make(DataflowRunSensor, run_id="{{ params.run_id }}")

    with pytest.raises(ValueError, match=r"run_id is 'None'.*rendered from '{{ params.run_id }}'"):
        run_to_the_end(rendered(task, run_id="None"))

    assert flowservice.requests == []


@pytest.mark.parametrize("cls", [RetriggerDataflowRunOperator, DataflowRunSensor])
def test_the_error_names_the_task_that_had_no_output(flowservice, cls):
    with DAG("outputs", schedule=None):
        upstream = ListDataflowRunsOperator(task_id="find_the_run")
        task = make(cls, run_id=upstream.output)

    with pytest.raises(ValueError, match="run_id is None.* It is the output of 'find_the_run'"):
        run_to_the_end(rendered(task, run_id=None))

    assert flowservice.requests == []


@pytest.mark.parametrize(
    "template",
    [
        "{{ params.run_id }}",
        "{{params.run_id}}",
        "{% if x %}y{% endif %}",
        lambda context, jinja_env: "r",
    ],
)
def test_what_nobody_has_rendered_is_not_sent(flowservice, template):
    task = make(RetriggerDataflowRunOperator, run_id=template)

    with pytest.raises(ValueError, match="run_id has not been rendered"):
        run_to_the_end(task)

    assert flowservice.requests == []


class Templated(RetriggerDataflowRunOperator):
    template_fields = (
        *RetriggerDataflowRunOperator.template_fields,
        "min_records",
        "timeout",
        "durable",
    )


def test_a_template_may_render_a_number_as_text(flowservice, failed_run):
    task = Templated(
        task_id="task",
        run_id=failed_run,
        min_records="{{ a }}",
        timeout="{{ b }}",
        durable="{{ c }}",
        poll_interval=0.01,
    )
    rendered(task, min_records="5", timeout="60", durable="False")

    run_to_the_end(task)

    assert (task.min_records, task.timeout, task.durable) == (5, 60.0, False)


@pytest.mark.parametrize(
    ("name", "value"), [("min_records", "many"), ("timeout", "nan"), ("durable", "no")]
)
def test_but_no_other_text(flowservice, name, value):
    task = Templated(
        task_id="task", run_id="r1", min_records="{{ a }}", timeout="{{ b }}", durable="{{ c }}"
    )

    with pytest.raises(ValueError, match=f"{name} is '?{value}'?, and must be"):
        run_to_the_end(
            rendered(task, **{"min_records": "1", "timeout": "1", "durable": "True", name: value})
        )

    assert flowservice.requests == []


@pytest.mark.parametrize(
    "cls",
    [
        RetriggerDataflowRunOperator,
        RetriggerDataflowRunsOperator,
        DataflowRunSensor,
        DataflowSensor,
    ],
)
@pytest.mark.parametrize(
    "task_context", [{}, context()], ids=["without a context", "of another task"]
)
def test_a_task_that_another_calls_is_refused_before_the_request(flowservice, cls, task_context):
    deferrable = {"deferrable": True} if "deferrable" in arguments_of(cls) else {}
    task = make(cls, **deferrable)

    with pytest.raises(
        ValueError, match="'task' is no task that Airflow runs.* Make it a task of the DAG"
    ):
        task.execute(task_context)

    assert flowservice.requests == []
