"""Asks the service what the package assumes, and shows what differs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._commands import AS_ASSUMED, DIFFERS, NOT_SEEN, WRONG_ARGUMENTS
from airflow_provider_flowservice._commands.connection import reach
from airflow_provider_flowservice._commands.quiet import say
from airflow_provider_flowservice._commands.table import table
from airflow_provider_flowservice._exactly_once.clock import WALL_CLOCK, Clock
from airflow_provider_flowservice._json import identifier, line
from airflow_provider_flowservice._probe import ask, retrigger
from airflow_provider_flowservice._probe.findings import Finding
from airflow_provider_flowservice._probe.replies import Reply
from airflow_provider_flowservice._selection.eligibility import judge
from airflow_provider_flowservice.flows import Dataflow
from airflow_provider_flowservice.runs import DataflowRun

if TYPE_CHECKING:
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

_LONGEST_MESSAGE = 2000
_HEAD = ("", "The package assumes", "The tenant", "What to set, and what the package does")
_WIDTHS = (10, 26, 28, 27)
_MARKS = {"differs": "DIFFERS"}  # to be found among the others


@dataclass(frozen=True)
class RetriggerOption:
    """
    What `--retrigger` asks for.

    :param is_confirmed: Whether nobody has to be asked.
    :param once: Whether to leave out the second re-trigger.
    """

    run_id: str
    is_confirmed: bool = False
    once: bool = False


def probe(
    conn_id: str,
    option: RetriggerOption | None = None,
    as_json: bool = False,
    via: str | None = None,
    clock: Clock = WALL_CLOCK,
) -> tuple[int, str]:
    """
    Ask the service; an error is printed.

    :param option: The run to re-trigger; ``None`` to read only.
    :param as_json: Whether to report in one JSON document instead of a table.
    :param via: See :func:`open_hook`.
    :return: Exit status, 0 if nothing differs, 1 if something does, 2 if nobody could confirm the
        re-trigger or would, 3 if the service could not be asked; and the report.
    """
    if option and not option.is_confirmed and not sys.stdin.isatty():
        say("--retrigger asks for confirmation on a terminal; without one it needs --yes.")
        return WRONG_ARGUMENTS, ""

    def read(hook: FlowServiceHook) -> tuple[ask.Asker, Reply, retrigger.Wanted | None]:
        asker = ask.Asker(hook.get_conn(), clock)
        return asker, asker.first_list(), _wanted(asker, hook, option) if option else None

    reached = reach(conn_id, via, read)
    if reached is None:
        return NOT_SEEN, ""
    hook, (asker, first, wanted) = reached
    if option and wanted:
        _say_what_is_sent(asker, hook, wanted)
        if not option.is_confirmed and not _is_confirmed():
            say("Nothing was re-triggered.")
            return WRONG_ARGUMENTS, ""
    found = list(ask.findings(asker, first, hook.settings.own_clients))
    if wanted:
        found += retrigger.findings(asker, wanted, say)
    found += ask.traffic_findings(asker)
    found = [_cleaned(each, asker) for each in found]
    status = DIFFERS if any(each.verdict == "differs" for each in found) else AS_ASSUMED
    sandbox = hook.settings.sandbox_name
    if as_json:
        document = {"sandbox": sandbox, "findings": [asdict(each) for each in found]}
        return status, json.dumps(document, indent=2)
    return status, "\n".join(_lines(found, sandbox))


def _wanted(asker: ask.Asker, hook: FlowServiceHook, option: RetriggerOption) -> retrigger.Wanted:
    """
    Read the run to re-trigger.

    :raises FlowServiceError: It cannot be read.
    """
    reply = asker.get_run(option.run_id)
    if reply.error is not None:
        raise reply.error
    shown = [item for item in reply.items or () if _is(item, option.run_id)]
    if len(shown) != 1:
        raise exceptions.FlowServiceAnswerError(f"{reply.tried}: the response is not this run.")
    flow_id = identifier(shown[0].get("flowId"))
    place = hook.get_run_url(flow_id, option.run_id).rpartition("/")[0]
    own_clients = hook.settings.own_clients
    return retrigger.Wanted(shown[0], hook.retrigger_op, option.once, own_clients, place)


def _say_what_is_sent(asker: ask.Asker, hook: FlowServiceHook, wanted: retrigger.Wanted) -> None:
    run = wanted.run
    flow = _flow(asker, run)
    requests = "one request" if wanted.once else "two requests"
    facts = {
        "sandbox": hook.settings.sandbox_name,
        "flow": f"{flow.name!r} ({run.flow_id})" if flow else run.flow_id or "not shown",
        "run": run.run_id,
        "status": run.status or "not shown",
    }
    if refusal := judge(run, flow).refusal:
        facts["note"] = f"operators would not re-trigger it: {refusal}"
    for name, text in facts.items():
        say(f"{name:<10}{text}")
    say(f"The probe will send {requests} to re-trigger this run, for real.")
    if not wanted.once:
        say("If the service accepts both, the data may be loaded twice; --once sends one only.")


def _is_confirmed() -> bool:
    print("Type yes to send: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() == "yes"


def _flow(asker: ask.Asker, run: DataflowRun) -> Dataflow | None:
    items = asker.get_flow(run.flow_id).items if run.flow_id else None
    with suppress(ValueError):
        return Dataflow.from_api(items[0]) if items else None
    return None


def _is(item: Mapping[str, Any], run_id: str) -> bool:
    return identifier(item.get("id")).lower() == run_id.lower()


def _cleaned(finding: Finding, asker: ask.Asker) -> Finding:
    seen, advice = (
        asker.clean(line(text, _LONGEST_MESSAGE)) for text in (finding.seen, finding.advice)
    )
    return replace(finding, seen=seen, advice=advice)


def _lines(found: Sequence[Finding], sandbox: str) -> Iterator[str]:
    rows = [
        (_MARKS.get(each.verdict, each.verdict), each.assumption, each.seen, each.advice)
        for each in found
    ]
    yield from table([_HEAD, *rows], _WIDTHS)
    counts = {
        verdict: sum(each.verdict == verdict for each in found)
        for verdict in ("as assumed", "differs", "not seen")
    }
    numbers = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    yield f"Sandbox {sandbox!r}: {numbers}."
