"""
What a re-trigger is answered, and what becomes of the new run.

Pure: replies and times in, findings out.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from airflow_provider_flowservice._client.run_requests import (
    NOT_RETRIGGERABLE,
    UNKNOWN_OPERATION,
    may_have_started_a_run,
    read_started,
    reason_of_refusal,
)
from airflow_provider_flowservice._defaults import MISSING_GRACE, SETTLE_TIME
from airflow_provider_flowservice._json import identifier
from airflow_provider_flowservice._probe.findings import ISSUE, Finding, Question
from airflow_provider_flowservice._probe.keys import changed_paths, paths_naming
from airflow_provider_flowservice._probe.replies import Reply, shape_of
from airflow_provider_flowservice.exceptions import FlowServiceAnswerError, FlowServiceApiError
from airflow_provider_flowservice.runs import DataflowRun, is_known_status

OPS = ("re-trigger", "RE_TRIGGER")
"""The spellings of the action: of Adobe's tutorial, and of the published schema."""

OP = Question("op", "The service calls the action re-trigger.")
ANSWER = Question("answer", 'A re-trigger is HTTP 200 with {"id", "etag"} of the new run.')
READABLE = Question("readable", f"A new run is readable by its ID within {MISSING_GRACE:.0f} s.")
FIRST_STATUS = Question("first_status", "The first status of a new run is known to the package.")
FOUND = Question("found", "A filter on IDs finds a new run as soon as it is readable.")
LISTED = Question("listed", f"A new run is listed within {SETTLE_TIME:.0f} s (settle_time).")
NAMES_OLD = Question("names_old", "No field of a new run names the run that it repeats.")
OLD_RUN = Question("old_run", "A run that is re-triggered does not change.")
NEW_CLIENT = Question("new_client", "createdClient of the new run is our client ID or API key.")
SECOND = Question("second", "The service does not prevent a second re-trigger of the same run.")

WAYS = ("readable", "found", "listed")
"""In which ways a new run is looked for: by its ID, by a filter on IDs, and in a list of its flow."""

_OF_NEW_RUN = (READABLE, FIRST_STATUS, FOUND, LISTED, NAMES_OLD, OLD_RUN, NEW_CLIENT)
# 1401-400 may be one as well: the action is not supported.
_UNKNOWN_OPERATION = {
    "1401-400",
    *(code for code, reason in NOT_RETRIGGERABLE.items() if reason == UNKNOWN_OPERATION),
}
_AT_ONCE = 5.0
_STEP = 30
_MOST_PATHS = 20


class Outcome(NamedTuple):
    """
    What a request for a re-trigger came to.

    :param kind: ``unsent`` and ``refused`` if it certainly started nothing, ``unknown`` if that is because
        the service does not know the operation; ``uncertain`` if it may have started a run.
    :param run_id: The new run; empty if there is none, or none is known.
    """

    kind: Literal["started", "refused", "unknown", "unsent", "uncertain"]
    run_id: str = ""


@dataclass(frozen=True)
class Followed:
    """
    When a new run was seen first, in seconds since the request; ``None`` if it was not.

    :param limit: Seconds after which nothing was waited for any more.
    :param first: The run as it was seen first.
    :param last: The run as it was seen last.
    :param problems: Why the last request of a kind could not show it; empty if the run was missing.
    :param refused: Requests of which kinds the service refuses.
    """

    limit: float
    readable: float | None = None
    found: float | None = None
    listed: float | None = None
    first: Mapping[str, Any] | None = None
    last: Mapping[str, Any] | None = None
    problems: Mapping[str, str] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()

    @property
    def is_complete(self) -> bool:
        """Whether nothing more can be seen."""
        return all(name in self.refused or getattr(self, name) is not None for name in WAYS)


def outcome_of(reply: Reply, old_run_id: str) -> Outcome:
    """
    Return what a request for a re-trigger came to.

    :param old_run_id: The run that was to be re-triggered.
    """
    error = reply.error
    if error is None:
        try:
            return Outcome("started", read_started(reply.body, reply.tried, old_run_id).run_id)
        except FlowServiceAnswerError:
            return Outcome("uncertain")
    if may_have_started_a_run(error):
        return Outcome("uncertain")
    if error.sent == "no" or not isinstance(error, FlowServiceApiError):
        return Outcome("unsent")
    reasons = set(error.codes) & set(NOT_RETRIGGERABLE)
    is_refusal = reason_of_refusal(error, NOT_RETRIGGERABLE) is not None
    is_unknown = is_refusal and reasons <= _UNKNOWN_OPERATION
    return Outcome("unknown" if is_unknown else "refused")


def other_op(op: str) -> str:
    """Return the other spelling of the action."""
    return OPS[0] if op == OPS[1] else OPS[1]


def operation(tries: Mapping[str, tuple[Reply, Outcome]]) -> Finding:
    """
    Return which spelling of the action the service takes.

    :param tries: What each spelling came to, the package's own first.
    """
    own, *others = tries
    reply, outcome = tries[own]
    if outcome.kind == "started":
        return OP.fits(f"{own} is accepted")
    if outcome.kind != "unknown":
        return OP.not_seen(_told(reply, outcome))
    seen = f"{own} is refused: {reply.status_and_code}"
    for other in others:
        reply, outcome = tries[other]
        if outcome.kind == "started":
            setting = f'Set hook_params={{"retrigger_op": "{other}"}} of operators.'
            return OP.differs(f"{seen}; {other} is accepted", setting)
        seen += f"; {other}: {_told(reply, outcome)}"
    return OP.differs(seen, f"{ISSUE} No run can be re-triggered.")


def answer(reply: Reply, outcome: Outcome, search: str) -> Finding:
    """
    Return what the answer to a re-trigger looks like.

    :param search: How to find a run that may have been started.
    """
    if outcome.kind == "uncertain":
        advice = f"It was not sent again. {search}"
        seen = reply.status_and_code
        if reply.error is None:
            seen += f" {shape_of(reply.response)}"
            advice = f"{ISSUE} Operators search for the new run after each such answer. {advice}"
        return ANSWER.differs(f"{seen}: it names no new run, and may have started one", advice)
    if outcome.kind != "started":
        return ANSWER.not_seen(_told(reply, outcome))
    body = reply.body
    seen = f"HTTP {reply.http_status} {shape_of(reply.response)}"
    if reply.http_status == 200 and isinstance(body, Mapping) and set(body) == {"id", "etag"}:
        return ANSWER.fits(seen)
    return ANSWER.differs(seen, "Nothing to set: the package reads the new run's ID all the same.")


def nothing_new(why: str) -> Iterator[Finding]:
    """Yield that nothing of a new run could be seen."""
    for question in _OF_NEW_RUN:
        yield question.not_seen(why)


def findings(
    followed: Followed,
    old_before: Mapping[str, Any],
    old_after: Reply,
    own_clients: Collection[str],
) -> Iterator[Finding]:
    """
    Yield what became of a new run.

    :param old_before: The run that was re-triggered, as it was before.
    :param old_after: It as it was when the new run was listed.
    """
    yield _readable(followed)
    yield _first_status(followed)
    yield _found(followed)
    yield _listed(followed)
    yield _names_old(followed, identifier(old_before.get("id")))
    yield _old_run(old_before, old_after)
    yield _new_client(followed, own_clients)


def second(reply: Reply, outcome: Outcome, new_run_id: str, search: str) -> Finding:
    """
    Return what a second re-trigger of the same run is answered.

    :param new_run_id: The run that the first one has started.
    :param search: How to find a run that may have been started.
    """
    if outcome.kind == "started" and outcome.run_id != new_run_id:
        return SECOND.fits(f"it is accepted, and started run {outcome.run_id}")
    advice = f"Nothing to set: the package does not rely on it. {ISSUE}"
    if outcome.kind == "started":
        return SECOND.differs("it is answered with the same new run", advice)
    if outcome.kind == "uncertain":
        return SECOND.not_seen(f"{_told(reply, outcome)}, and may have started a run", search)
    if outcome.kind == "unsent":
        return SECOND.not_seen(_told(reply, outcome))
    return SECOND.differs(f"it is refused: {_told(reply, outcome)}", advice)


def _readable(followed: Followed) -> Finding:
    advice = (
        "Set missing_grace of DataflowRunSensor higher. The operators' own waits have no such "
        f"setting. {ISSUE}"
    )
    if followed.readable is None:
        return _not_within(READABLE, followed, "readable", advice)
    if followed.readable > MISSING_GRACE:
        return READABLE.differs(f"after {followed.readable:.0f} s", advice)
    return READABLE.fits(f"after {followed.readable:.1f} s")


def _first_status(followed: Followed) -> Finding:
    if followed.first is None:
        return FIRST_STATUS.not_seen("the new run was not seen")
    status = _read(followed.first).status
    if is_known_status(status):
        return FIRST_STATUS.fits(status or "(none yet)")
    advice = f"{ISSUE} It counts as under way, which is right unless such a run has ended."
    return FIRST_STATUS.differs(status, advice)


def _found(followed: Followed) -> Finding:
    advice = "Nothing to set: a run that the filter leaves out is read by its ID."
    if followed.found is None:
        return _not_within(FOUND, followed, "found", advice)
    seen = f"after {followed.found:.1f} s"
    if followed.found - (followed.readable or 0.0) > _AT_ONCE:
        return FOUND.differs(seen, advice)
    return FOUND.fits(seen)


def _listed(followed: Followed) -> Finding:
    if followed.listed is None:
        least = math.ceil(2 * followed.limit)
        advice = (
            f"Set settle_time={least} or more of operators that re-trigger or start runs. {ISSUE}"
        )
        return _not_within(LISTED, followed, "listed", advice)
    if followed.listed <= SETTLE_TIME:
        return LISTED.fits(f"after {followed.listed:.1f} s")
    # Twice what was seen once, since the next time may be worse.
    least = math.ceil(2 * followed.listed / _STEP) * _STEP
    advice = (
        f"Set settle_time={least} of operators that re-trigger or start runs. Sooner, a run that a lost "
        "request has started is not found, and is started once more."
    )
    return LISTED.differs(f"after {followed.listed:.0f} s", advice)


def _names_old(followed: Followed, old_run_id: str) -> Finding:
    if followed.last is None:
        return NAMES_OLD.not_seen("the new run was not seen")
    if paths := paths_naming(followed.last, old_run_id):
        advice = f"Nothing to set. {ISSUE} The search after a lost response could rely on it."
        return NAMES_OLD.differs(f"named by {', '.join(paths[:_MOST_PATHS])}", advice)
    return NAMES_OLD.fits("so far, none does")


def _old_run(before: Mapping[str, Any], after: Reply) -> Finding:
    items = after.items
    if items is None or len(items) != 1:
        return OLD_RUN.not_seen(after.problem or f"{len(items or ())} runs came")
    paths = changed_paths(before, items[0])
    if not paths:
        return OLD_RUN.fits("it has not changed")
    advice = f"Nothing to set, unless its status differs. {ISSUE}"
    return OLD_RUN.differs(f"changed: {', '.join(paths[:_MOST_PATHS])}", advice)


def _new_client(followed: Followed, own_clients: Collection[str]) -> Finding:
    if followed.last is None:
        return NEW_CLIENT.not_seen("the new run was not seen")
    client = _read(followed.last).created_client
    if client in own_clients:
        return NEW_CLIENT.fits("so it is")
    if client is None:
        return NEW_CLIENT.differs("there is none", "Nothing to set: such runs count as our own.")
    advice = (
        f"{ISSUE} After a lost response, a new run is found by its window only. Until it shows one, "
        "the task may stop and name it: set adopt_run_id then."
    )
    return NEW_CLIENT.differs("it is another one", advice)


def _not_within(question: Question, followed: Followed, way: str, advice: str) -> Finding:
    if problem := followed.problems.get(way):
        return question.not_seen(problem)
    return question.differs(f"not within {followed.limit:.0f} s", advice)


def _told(reply: Reply, outcome: Outcome) -> str:
    error = reply.error
    reason = None
    if isinstance(error, FlowServiceApiError):
        reason = reason_of_refusal(error, NOT_RETRIGGERABLE)
    words = {"unsent": "not sent: ", "uncertain": "uncertain: "}.get(outcome.kind, "")
    return f"{words}{reply.status_and_code}" + (f": {reason}" if reason else "")


def _read(item: Mapping[str, Any]) -> DataflowRun:
    return DataflowRun.from_api(item)
