"""
Re-triggers a run, once or twice, and follows the new run.

A request that may have started a run is never sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from airflow_provider_flowservice._json import identifier
from airflow_provider_flowservice._probe import new_run
from airflow_provider_flowservice._probe.ask import Asker
from airflow_provider_flowservice._probe.findings import Finding
from airflow_provider_flowservice._probe.new_run import Followed, Outcome
from airflow_provider_flowservice._probe.replies import Reply
from airflow_provider_flowservice.exceptions import FlowServiceNotFoundError
from airflow_provider_flowservice.runs import DataflowRun

LIMIT = 300.0
"""Seconds for which a new run is followed."""

_OFTEN = 60.0
_FAST, _SLOW = 1.0, 5.0


@dataclass(frozen=True)
class Wanted:
    """
    What to re-trigger.

    :param old: The run as it is before.
    :param op: The service's name for the action.
    :param once: Whether to leave out the second re-trigger.
    :param own_clients: What the service may call the connection's own client.
    :param place: Where a person sees the runs of its flow.
    """

    old: Mapping[str, Any]
    op: str
    once: bool
    own_clients: Collection[str]
    place: str

    @property
    def run(self) -> DataflowRun:
        """The run to re-trigger."""
        return DataflowRun.from_api(self.old)


def findings(asker: Asker, wanted: Wanted, tell: Callable[[str], None]) -> Iterator[Finding]:
    """
    Re-trigger a run, and yield what the service does.

    :param tell: Is told each new run at once.
    """
    sent_mono = asker.clock.mono()
    search = _search(wanted, asker.clock.now())
    tries = {wanted.op: _send(asker, wanted, wanted.op, search, tell)}
    if tries[wanted.op][1].kind == "unknown":
        other = new_run.other_op(wanted.op)
        sent_mono = asker.clock.mono()
        tries[other] = _send(asker, wanted, other, search, tell)
    op, (reply, outcome) = list(tries.items())[-1]
    yield new_run.operation(tries)
    yield new_run.answer(reply, outcome, search)
    if outcome.kind != "started":
        yield from new_run.nothing_new("no new run is known")
        yield new_run.SECOND.not_seen("the first one has started no run that is known")
        return
    tell(f"Following the new run until lists show it, for at most {LIMIT:.0f} s.")
    followed = _follow(asker, wanted, outcome.run_id, sent_mono)
    old_after = asker.get_run(wanted.run.run_id)
    yield from new_run.findings(followed, wanted.old, old_after, wanted.own_clients)
    if wanted.once:
        yield new_run.SECOND.not_seen("--once leaves it out")
    elif followed.listed is None:
        yield new_run.SECOND.not_seen("not sent, since the new run is not listed")
    else:
        search = _search(wanted, asker.clock.now())
        reply, again = _send(asker, wanted, op, search, tell)
        yield new_run.second(reply, again, outcome.run_id, search)


def _send(
    asker: Asker, wanted: Wanted, op: str, search: str, tell: Callable[[str], None]
) -> tuple[Reply, Outcome]:
    old_run_id = wanted.run.run_id
    try:
        reply = asker.post(f"/runs/{quote(old_run_id, safe='')}/action", [("op", op)])
    except KeyboardInterrupt:
        tell(f"The re-trigger of run {old_run_id} may have started a run. {search}")
        raise
    outcome = new_run.outcome_of(reply, old_run_id)
    if outcome.kind == "started":
        tell(f"Run {old_run_id} was re-triggered as {outcome.run_id}.")
    elif outcome.kind == "uncertain":
        tell(f"The re-trigger of run {old_run_id} may have started a run. It is not sent again.")
    return reply, outcome


def _search(wanted: Wanted, now: float) -> str:
    """Say how to find a run that a request may have started."""
    since = datetime.fromtimestamp(now, timezone.utc)
    flow = wanted.run.flow_id or "(not shown)"
    return (
        f"Look for a run of flow {flow} created since {since:%Y-%m-%d %H:%M:%S} UTC: {wanted.place}"
    )


def _follow(asker: Asker, wanted: Wanted, new_run_id: str, sent_mono: float) -> Followed:
    """Look for a new run by its ID, by a filter and in a list, until all show it."""
    followed = Followed(LIMIT)
    while True:
        followed = _look(asker, wanted, new_run_id, sent_mono, followed)
        seconds = asker.clock.mono() - sent_mono
        if followed.is_complete or seconds >= LIMIT:
            return followed
        asker.clock.sleep(_FAST if seconds < _OFTEN else _SLOW)


def _look(
    asker: Asker, wanted: Wanted, new_run_id: str, sent_mono: float, followed: Followed
) -> Followed:
    """Look for a new run in each way in which it was not seen yet."""
    run = wanted.run
    filters = [f"flowId=={run.flow_id}"] if run.flow_id else []
    if run.created_at is not None:  # as a search for a new run asks
        filters.append(f"createdAt>{run.created_at - 1}")
    ways: dict[str, Callable[[], Reply]] = {
        "readable": lambda: asker.get_run(new_run_id),
        "found": lambda: asker.list_runs(f"id=={new_run_id}", params=[("limit", "1")]),
        "listed": lambda: asker.list_runs(*filters),
    }
    for way, ask in ways.items():
        if way in followed.refused or getattr(followed, way) is not None:
            continue
        reply = ask()
        seconds = asker.clock.mono() - sent_mono
        is_missing = isinstance(reply.error, FlowServiceNotFoundError)
        problems = {**followed.problems, way: "" if is_missing else reply.problem}
        followed = replace(followed, problems=problems)
        if reply.is_refused and way != "readable":
            followed = replace(followed, refused=followed.refused | {way})
        for item in reply.items or ():
            if identifier(item.get("id")).lower() == new_run_id.lower():
                seen: dict[str, Any] = {way: seconds, "last": item}
                followed = replace(followed, first=followed.first or item, **seen)
    return followed
