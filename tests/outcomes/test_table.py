"""How a task ends: every cell of the table, in every way of waiting, as Airflow runs it."""

from __future__ import annotations

import contextlib
import copy
import json
import pickle
import runpy
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.serialization.serialized_objects import BaseSerialization

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._compat import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
)
from airflow_provider_flowservice._outcomes.no_retry import not_retried
from airflow_provider_flowservice._outcomes.table import (
    CHOICES,
    OPERATOR_ONLY,
    TABLE,
    OutcomePolicy,
    task_result,
)
from airflow_provider_flowservice.emulator import Fault, Lifecycle
from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator
from airflow_provider_flowservice.runs import RunSummary
from airflow_provider_flowservice.sensors.flowservice import DataflowRunSensor
from helpers.support import airflows_limit, both_ways, context, run_to_the_end

ROOT = Path(__file__).parents[2]

NO_PATIENCE = {"outage_timeout": 0, "hook_params": {"retries": 0}}
NO_TIME = timedelta(0)


@dataclass(frozen=True)
class Scene:
    """
    What makes a wait end in a certain way.

    :param plan: What the run does that is waited for.
    :param faults: What goes wrong with looks at it.
    :param arguments: Arguments of the task.
    :param error: What is raised if the task fails.
    """

    plan: Lifecycle = field(default_factory=Lifecycle)
    faults: tuple[dict[str, Any], ...] = ()
    arguments: dict[str, Any] = field(default_factory=dict)
    error: type[BaseException] = exceptions.DataflowRunIncompleteError


ENDLESS = Lifecycle(["inProgress"])
SCENES = {
    "success": Scene(),
    "rejected": Scene(Lifecycle(failed_records=3)),
    "empty": Scene(Lifecycle(records=0)),
    "partial": Scene(Lifecycle(["partialSuccess"], failed_records=3)),
    "too many rejected": Scene(
        Lifecycle(failed_records=3), arguments={"max_failed_share": 0.02, "max_failed_records": 5}
    ),
    "too few": Scene(Lifecycle(records=2), arguments={"min_records": 3}),
    "failed": Scene(Lifecycle(["failed"]), error=exceptions.DataflowRunFailedError),
    "non-retryable": Scene(
        Lifecycle(["failed"], error=("MAPPER-3700-400", "Mapper Transform Error")),
        error=exceptions.DataflowRunFailedError,
    ),
    "source refused": Scene(
        Lifecycle(
            ["failed"],
            error=("CONNECTOR-1001-500", "AADSTS7000222: The client secret has expired."),
        ),
        error=exceptions.SourceCredentialError,
    ),
    "late": Scene(ENDLESS, arguments={"timeout": 0}, error=exceptions.DataflowRunTimeoutError),
    "overdue": Scene(ENDLESS, arguments={"execution_timeout": NO_TIME}),
    "unknown": Scene(
        Lifecycle(["archived"]),
        arguments={"timeout": 0},
        error=exceptions.DataflowRunTimeoutError,
    ),
    "lost": Scene(
        ENDLESS, ({"status": 503},), arguments=NO_PATIENCE, error=exceptions.DataflowRunLostError
    ),
    "refused": Scene(
        ENDLESS, ({"status": 403, "body": {}},), error=exceptions.FlowServiceAuthError
    ),
    "error": Scene(ENDLESS, ({"status": 400, "body": {}},), error=AirflowException),
}

WAYS = {
    "poke": {},
    "reschedule": {"mode": "reschedule"},
    "deferred": {"deferrable": True},
    "by the trigger": {"deferrable": True},
}
# Instead of limits at which the first poll ends the wait, before it is deferred.
A_MOMENT = {
    "timeout": 1.0,
    "execution_timeout": timedelta(seconds=1),
    "missing_grace": 1.0,
}


def how_it_ended(task: Any, error: type[BaseException]) -> str:
    """Run a task to its end, and say in the table's words how Airflow takes that."""
    try:
        with limit_of(task):
            run_to_the_end(task)
    except AirflowSkipException:
        return "skipped"
    except AirflowTaskTimeout:
        return "timed out"
    except AirflowSensorTimeout:
        return "timed out, not retried"
    except error as failure:
        return "failed, not retried" if isinstance(failure, AirflowFailException) else "failed"
    return "success"


def limit_of(task: Any) -> contextlib.AbstractContextManager[None]:
    """Return Airflow's limit for a task that waits in this process."""
    is_limited = task.execution_timeout is not None and not task.deferrable
    return airflows_limit(0.3) if is_limited else contextlib.nullcontext()


def cells(ends: Callable[[str], bool]) -> list[Any]:
    return [
        pytest.param(end, choice, id=f"{end}={choice}" if choice else end)
        for end in TABLE
        for choice in CHOICES.get(end, (None,))
        if ends(end)
    ]


def arguments_of(scene: Scene, end: str, choice: str | None) -> dict[str, Any]:
    chosen = {f"on_{end}": choice} if choice else {}
    return {"hook_params": {"retries": 0}, **scene.arguments, **chosen}


def expected(end: str, choice: str | None, policy: OutcomePolicy) -> str:
    return task_result(
        end, replace(policy, **({f"on_{end}": choice} if choice else {}))
    ).removesuffix(" with a warning")


@pytest.mark.usefixtures("airflow_db")
@pytest.mark.parametrize("flags", [{}, {"soft_fail": True}, {"never_fail": True}], ids=str)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("end", "choice"), cells(lambda end: end not in OPERATOR_ONLY))
def test_the_sensor_ends_as_the_table_says(flowservice, end, choice, way, flags):
    if end == "missing":
        scene, run_id = Scene(error=exceptions.FlowServiceNotFoundError), "no-such-run"
        arguments = {"missing_grace": 0}
    else:
        scene, arguments = SCENES[end], arguments_of(SCENES[end], end, choice)
        plan = scene.plan
        run_id = flowservice.add_run(
            flowservice.add_flow(),
            plan.statuses[-1],
            records=plan.records,
            failed_records=plan.failed_records,
            error=plan.error,
        )
    is_late = way == "by the trigger"
    for fault in scene.faults:
        flowservice.fail(Fault(f"GET /runs/{run_id}", times=None, after=int(is_late), **fault))
    if is_late:
        limits = {name: A_MOMENT[name] for name in A_MOMENT.keys() & arguments}
        arguments |= limits
        if limits:  # until one passes, polls in virtual time would keep a core busy
            slow = Fault(f"GET /runs/{run_id}", kind="slow", delay=0.1, times=None, after=1)
            flowservice.fail(slow)
        if end != "missing":
            flowservice.script(run_id, ["inProgress", plan.statuses[-1]])
    elif end == "overdue" and way == "poke":
        arguments["poke_interval"] = 60  # interrupted while it sleeps
    elif end == "overdue":
        flowservice.fail(Fault(f"GET /runs/{run_id}", kind="slow", delay=1))
    task = DataflowRunSensor(
        task_id="wait", run_id=run_id, **{"poke_interval": 0.01, **arguments, **WAYS[way], **flags}
    )

    ended = how_it_ended(task, scene.error)

    assert ended == expected(end, choice, OutcomePolicy("sensor", **flags))
    assert flowservice.count(method="GET", path_regex=f"/runs/{run_id}") >= 1 + is_late


@pytest.mark.parametrize("durable", [True, False], ids=["durable", "not durable"])
@both_ways
@pytest.mark.parametrize(("end", "choice"), cells(lambda end: end in SCENES))
def test_the_operator_ends_as_the_table_says(flowservice, end, choice, deferrable, durable):
    scene, run_id = SCENES[end], flowservice.add_run(flowservice.add_flow(), "failed")
    flowservice.plan(run_id, scene.plan)
    for fault in scene.faults:  # not of the run to re-trigger, but of the new one
        flowservice.fail(Fault(f"GET /runs/(?!{run_id}|\\?)", times=None, **fault))
    task = RetriggerDataflowRunOperator(
        task_id="retrigger",
        run_id=run_id,
        poll_interval=0.01,
        deferrable=deferrable,
        durable=durable,
        **arguments_of(scene, end, choice),
    )

    ended = how_it_ended(task, scene.error)

    policy = OutcomePolicy("operator" if durable else "operator, durable=False")
    assert ended == expected(end, choice, policy)


@pytest.mark.parametrize("durable", [True, False], ids=["durable", "not durable"])
@pytest.mark.parametrize("choice", ["fail", "skip"])
def test_a_run_that_cannot_be_retriggered_ends_the_operator_so(flowservice, choice, durable):
    run_id = flowservice.add_run(flowservice.add_flow(), "success")
    task = RetriggerDataflowRunOperator(
        task_id="retrigger", run_id=run_id, durable=durable, on_ineligible=choice
    )

    ended = how_it_ended(task, exceptions.DataflowRunNotRetriggerableError)

    assert ended == expected("ineligible", choice, OutcomePolicy("operator"))


@pytest.mark.parametrize("durable", [True, False], ids=["durable", "not durable"])
@pytest.mark.parametrize(
    ("end", "fault", "error"),
    [
        ("missing", {"status": 404, "body": {}}, exceptions.FlowServiceNotFoundError),
        ("refused", {"status": 401, "body": {}}, exceptions.FlowServiceAuthError),
        ("error", {"status": 503}, exceptions.FlowServiceUnavailableError),
    ],
)
def test_what_fails_before_the_run_is_there_ends_the_operator_alike(
    flowservice, end, fault, error, durable
):
    run_id = flowservice.add_run(flowservice.add_flow(), "failed")
    flowservice.fail(Fault("GET /runs", times=None, **fault))
    task = RetriggerDataflowRunOperator(
        task_id="retrigger", run_id=run_id, durable=durable, hook_params={"retries": 0}
    )

    ended = how_it_ended(task, error)

    assert ended == expected(end, None, OutcomePolicy("operator"))
    assert flowservice.retriggers == []


def test_an_ambiguous_retrigger_may_be_tried_again(flowservice):
    flow_id = flowservice.add_flow()
    run_id = flowservice.add_run(flow_id, "failed")
    since = flowservice.now_ms() + 1000
    flowservice.add_run(
        flow_id, "inProgress", created_at=since, created_client=flowservice.client_id
    )
    task = RetriggerDataflowRunOperator(task_id="retrigger", run_id=run_id, settle_time=0)

    ended = how_it_ended(task, exceptions.RetriggerAmbiguousError)

    assert ended == expected("ambiguous", None, OutcomePolicy("operator"))


@pytest.mark.parametrize("end", ["rejected", "empty", "partial"])
def test_a_success_that_is_none_is_a_warning_in_the_log(flowservice, end, logged):
    run_id = flowservice.add_run(flowservice.add_flow(), "failed")
    flowservice.plan(run_id, SCENES[end].plan)
    task = RetriggerDataflowRunOperator(
        task_id="retrigger", run_id=run_id, poll_interval=0.01, on_partial="accept"
    )

    run_to_the_end(task)

    said = {"rejected": "3 records rejected", "empty": "No record", "partial": "in part"}[end]
    (line,) = [line for line in logged().splitlines() if said in line]
    assert "warn" in line.lower()


@both_ways
def test_each_error_of_the_run_is_logged_once(flowservice, deferrable, logged):
    errors = [{"code": f"CONNECTOR-100{i}-500", "message": f"cause {i}"} for i in range(3)]
    metrics = {"statusSummary": {"status": "failed", "errors": errors}}
    run_id = flowservice.add_run(flowservice.add_flow(), metrics=metrics, activities=[])
    task = DataflowRunSensor(task_id="wait", run_id=run_id, deferrable=deferrable)

    with pytest.raises(exceptions.DataflowRunFailedError, match="CONNECTOR-1000-500: cause 0"):
        run_to_the_end(task)

    written = logged()
    assert [written.count(error["message"]) for error in errors] == [1, 1, 1]


def test_an_operator_leaves_it_to_its_retry_policy_what_is_retried():
    with_policy = OutcomePolicy("operator, durable=False", has_retry_policy=True)

    not_retried = {end for end in TABLE if task_result(end, with_policy) == "failed, not retried"}

    assert not_retried == {
        "late",
        "lost",
        "unknown",
    }  # where a second run would start beside the first


def test_a_sensor_fails_for_good_in_spite_of_a_retry_policy():
    policy = OutcomePolicy("sensor", has_retry_policy=True)

    assert [task_result(end, policy) for end in TABLE] == [
        task_result(end, OutcomePolicy("sensor")) for end in TABLE
    ]


@pytest.mark.parametrize(
    ("limits", "is_enough"),
    [
        ({"max_failed_records": 3}, True),
        ({"max_failed_records": 2}, False),
        ({"max_failed_share": 0.03}, True),
        ({"max_failed_share": 0.029}, False),
        ({"max_failed_share": 0}, False),
        ({"min_records": 97}, True),
        ({"min_records": 98}, False),
    ],
)
def test_limits_are_met_when_they_are_just_reached(flowservice, limits, is_enough):
    run_id = flowservice.add_run(flowservice.add_flow(), "success", failed_records=3)
    task = DataflowRunSensor(task_id="wait", run_id=run_id, **limits)

    ended = how_it_ended(task, exceptions.DataflowRunIncompleteError)

    assert ended == ("success" if is_enough else "failed, not retried")


def test_a_run_that_shows_no_number_does_not_meet_a_minimum(flowservice):
    metrics = {"statusSummary": {"status": "success"}}
    run_id = flowservice.add_run(flowservice.add_flow(), "success", metrics=metrics, activities=[])
    task = DataflowRunSensor(task_id="wait", run_id=run_id, min_records=1)

    assert how_it_ended(task, exceptions.DataflowRunIncompleteError) == "failed, not retried"


@pytest.mark.parametrize(
    ("codes", "ends"),
    [
        ([], "failed"),
        (["CONNECTOR-1001-500"], "failed"),
        (["133", "CONNECTOR-2001-500"], "failed"),
        (["CONNECTOR-2001-500"], "failed"),
        (["CTOR-2001-500"], "failed"),
        (["CTOR-2001-500", "INGEST-1205-400"], "failed, not retried"),
        (["CONNECTOR-1001-500", "INGEST-1205-400"], "failed"),
        (["", "INGEST-1205-400"], "failed, not retried"),
        ([""], "failed"),
        (["INGEST-1212-400", "MAPPER-3700-400", "CONNECTOR-2001-500"], "failed, not retried"),
        (["ACTIVATION_BATCH-0000-FAILED"], "failed, not retried"),
        (["133", "ACTIVATION_BATCH-0000-FAILED"], "failed, not retried"),
        (["SOMETHING-NEW-500"], "failed"),
    ],
    ids=str,
)
def test_a_failure_is_retried_unless_all_its_causes_are_non_retryable(flowservice, codes, ends):
    errors = [{"code": code, "message": "no"} for code in codes]
    metrics = {"statusSummary": {"status": "failed", "errors": errors}}
    flow_id = flowservice.add_flow()
    run_id = flowservice.add_run(flow_id, "failed", metrics=metrics, activities=[])
    task = RetriggerDataflowRunOperator(
        task_id="retrigger", run_id="any", adopt_run_id=run_id, poll_interval=0.01
    )

    assert how_it_ended(task, exceptions.DataflowRunFailedError) == ends


@pytest.mark.parametrize(
    "travel",
    [
        lambda error: pickle.loads(pickle.dumps(error)),
        copy.copy,
        copy.deepcopy,
        lambda error: error,
    ],
)
def test_an_error_for_good_keeps_its_name_its_facts_and_its_kind(travel):
    error = exceptions.FlowServiceNotFoundError("no", 404, "FLOW-1439-404", "request-1")

    final = travel(not_retried(error))

    assert isinstance(final, exceptions.FlowServiceNotFoundError)
    assert isinstance(final, AirflowFailException)
    assert not_retried(final) is final
    assert (str(final), final.args, vars(final)) == ("no", ("no",), vars(error))
    # The last line of a traceback is the public name, and the message.
    *_, last = traceback.format_exception(final)
    assert last == "airflow_provider_flowservice.exceptions.FlowServiceNotFoundError: no\n"


def test_an_error_for_good_can_be_sent_by_airflow():
    final = not_retried(exceptions.FlowServiceAuthError("no", 403))

    sent = json.loads(json.dumps(BaseSerialization.serialize(final, strict=True)))
    arrived = BaseSerialization.deserialize(sent)

    assert isinstance(arrived, exceptions.FlowServiceAuthError)
    assert str(arrived) == "no"


def test_the_documented_table_is_the_one_that_decides():
    written = (ROOT / "docs" / "reference" / "outcomes.md").read_text()

    assert runpy.run_path(str(ROOT / "dev" / "outcome_table.py"))["document"]() == written


@both_ways
@pytest.mark.parametrize("statuses", [["success"], ["failed"]], ids=str)
def test_what_is_left_in_xcom_is_small_and_the_same_however_a_task_waits(
    flowservice, deferrable, statuses
):
    run_id = flowservice.add_run(flowservice.add_flow(), "failed")
    flowservice.plan(run_id, Lifecycle(statuses, failed_records=3))
    task_context = context()
    task = RetriggerDataflowRunOperator(
        task_id="retrigger", run_id=run_id, poll_interval=0.01, deferrable=deferrable
    )

    with contextlib.suppress(exceptions.DataflowRunFailedError):
        run_to_the_end(task, task_context)

    xcoms = task_context["ti"].xcoms
    ((_, new_run_id),) = flowservice.retriggers
    assert set(xcoms) == {"attempts", "summary", "_link_DataflowRunLink"}
    assert set(xcoms["summary"]) == set(RunSummary.__annotations__)
    assert xcoms["summary"]["status"] == statuses[-1]
    assert xcoms["attempts"] == [new_run_id]
    assert len(json.dumps(xcoms)) < 2000
