"""
What single resources, filters and the fields of runs look like.

Pure: replies in, findings out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_flowservice._client.responses import LARGEST_PAGE
from airflow_provider_flowservice._json import identifier, line, milliseconds
from airflow_provider_flowservice._probe.findings import ISSUE, Finding, Question
from airflow_provider_flowservice._probe.keys import is_documented, unread_keys
from airflow_provider_flowservice._probe.replies import Reply, shape_of
from airflow_provider_flowservice.exceptions import (
    FlowServiceApiError,
    FlowServiceNotFoundError,
)
from airflow_provider_flowservice.runs import DataflowRun, is_known_status

RUN_ENVELOPE = Question("run_envelope", 'A single run comes as {"items": [run]}.')
FLOW_ENVELOPE = Question("flow_envelope", 'A single flow comes as {"items": [flow]}.')
ID_FILTER = Question("id_filter", "A filter on several IDs (id==a,b) returns these runs.")
PAGE_SIZE = Question("page_size", f"A page holds {LARGEST_PAGE} runs if so many are asked for.")
CREATED_FILTER = Question(
    "created_filter", "createdAt>T returns all runs created since, and no other."
)
TWO_FILTERS = Question("two_filters", "Several filters must all match (flowId==X, createdAt>T).")
ORDER = Question("order", "-createdAt lists the newest runs first, and +createdAt the oldest.")
STATUS_CASE = Question("status_case", "Upper and lower case are the same in a status filter.")
FIELDS = Question("fields", "Each run shows an ID, a flow and a createdAt that can be read.")
STATUSES = Question("statuses", "All statuses are known to the package.")
KEYS = Question("keys", "Runs show no keys but those that Adobe documents.")
OWN_CLIENT = Question(
    "own_client", "createdClient of a run that this credential started is its client ID or API key."
)
MISSING_RUN = Question("missing_run", "A run that does not exist is HTTP 404 with FLOW-1439-404.")

_BOTH_READ = "Nothing to set: the package reads this form, too."
_SINGLY = (
    "deferred waits then read each run by itself. With hundreds of waits, set poll_interval higher."
)
_MOST_KEYS = 30


def envelope(question: Question, reply: Reply | None, why: str = "") -> Finding:
    """
    Return how a single resource is wrapped.

    :param why: Why there is no reply.
    """
    if reply is None:
        return question.not_seen(why)
    if reply.error is not None:
        return question.not_seen(f"{reply.tried}: {reply.status_and_code}")
    body = reply.body
    items = body.get("items") if isinstance(body, Mapping) else body
    if isinstance(items, list) and len(items) != 1:
        seen = f"a list of {len(items)}"
        return question.differs(seen, f"{ISSUE} The package takes such an answer for an error.")
    if isinstance(items, list):
        if isinstance(body, Mapping):
            return question.fits("so it does")
        return question.differs("a list without envelope", _BOTH_READ)
    if isinstance(body, Mapping) and isinstance(body.get("id"), str):
        return question.differs("the bare resource, without envelope", _BOTH_READ)
    seen = shape_of(reply.response)
    return question.differs(seen, f"{ISSUE} The package cannot read such an answer.")


def id_filter(asked: Sequence[str], reply: Reply | None, why: str = "") -> Finding:
    """Return whether a filter on several IDs returns the runs that were asked for."""
    if reply is None:
        return ID_FILTER.not_seen(why)
    if reply.is_refused:
        seen = f"refused: {reply.status_and_code}"
        if reply.http_status == 400:
            return ID_FILTER.differs(seen, f"Nothing to set: {_SINGLY}")
        advice = f"{ISSUE} DataflowRunEventTrigger then fails; {_SINGLY}"
        return ID_FILTER.differs(seen, advice)
    if reply.items is None:
        return ID_FILTER.not_seen(reply.problem)
    came = _ids(reply.items)
    found = [run_id for run_id in asked if run_id in came]
    if len(found) == len(asked) and len(came) == len(asked):
        return ID_FILTER.fits(f"{len(found)} of {len(asked)} came")
    seen = f"{len(found)} of {len(asked)} came"
    if others := len(came - set(asked)):
        seen += f", and {others} others: the filter is not honoured"
    elif asked[0] in found and len(found) == 1:
        seen += ": only the first ID counts"
    return ID_FILTER.differs(seen, f"Nothing to set: {_SINGLY}")


def page_size(hundred: Reply, more: Reply, asked: int) -> Finding:
    """
    Return how many runs come on one page.

    :param hundred: Of a list of all runs with the package's limit.
    :param more: Of the same list with a larger limit.
    :param asked: That limit.
    """
    count = len(hundred.items or ())
    beyond = f"limit={asked}: "
    if more.items is None:
        beyond += f"refused, {more.problem}" if more.is_refused else more.problem
    else:
        beyond += f"{len(more.items)} runs"
    if count > LARGEST_PAGE:
        seen = f"{count} runs came for limit={LARGEST_PAGE}; {beyond}"
        return PAGE_SIZE.differs(seen, "Nothing to set: the package takes what comes.")
    if count == LARGEST_PAGE:
        return PAGE_SIZE.fits(f"{count} runs came; {beyond}")
    if hundred.has_next:
        advice = (
            "Nothing to set: the package follows the links, and waits ask for as many runs at a time "
            "as come."
        )
        return PAGE_SIZE.differs(f"{count} runs came, with a link to more; {beyond}", advice)
    return PAGE_SIZE.not_seen(f"the sandbox shows only {_number(count, 'run')}; {beyond}")


def created_filter(
    question: Question,
    bound_ms: int,
    expected: Collection[str],
    reply: Reply | None,
    why: str = "",
    flow_id: str = "",
) -> Finding:
    """
    Return whether a filter on the creation returns what it should.

    :param bound_ms: Epoch milliseconds after which the runs were created.
    :param expected: IDs of runs that have to be there.
    :param flow_id: Flow whose runs were asked for as well.
    """
    if reply is None:
        return question.not_seen(why)
    if reply.items is None and not reply.is_refused:
        return question.not_seen(reply.problem)
    advice = (
        f"{ISSUE} Lists of runs, DataflowRunEventTrigger and the search after a lost response need "
        "this filter."
    )
    if reply.items is None:
        return question.differs(f"refused: {reply.status_and_code}", advice)
    created = {identifier(item.get("id")): _created(item) for item in reply.items}
    older = [run_id for run_id, at_ms in created.items() if at_ms is not None and at_ms <= bound_ms]
    flows = {identifier(item.get("flowId")) for item in reply.items}
    missing = [run_id for run_id in expected if run_id not in created]
    problems = []
    if older:
        problems.append(f"{_number(len(older), 'run')} not newer than the bound came")
    if flow_id and flows - {flow_id}:
        problems.append("runs of other flows came")
    if missing:
        problems.append(f"{_number(len(missing), 'newer run')} did not come")
    if problems:
        return question.differs("; ".join(problems), advice)
    return question.fits(f"{_number(len(created), 'run')} came, the expected among them")


def order(newest: Sequence[Mapping[str, Any]], oldest: Reply | None) -> Finding:
    """
    Return whether lists are in the order that was asked for.

    :param newest: Runs as they came for ``-createdAt``.
    :param oldest: Reply for ``+createdAt``.
    """
    falling = [at_ms for at_ms in map(_created, newest) if at_ms is not None]
    if len(set(falling)) < 2:
        return ORDER.not_seen("it takes two runs with different times of creation")
    if falling != sorted(falling, reverse=True):
        advice = (
            f"{ISSUE} DataflowSensor and the search after a lost response read the newest first."
        )
        return ORDER.differs("-createdAt is not in falling order", advice)
    if oldest is None or oldest.items is None:
        seen = f"-createdAt is; +createdAt: {oldest.problem if oldest else 'not asked'}"
        if oldest is None or not oldest.is_refused:
            return ORDER.not_seen(seen)
        return ORDER.differs(seen, "Nothing to set: the package asks for -createdAt only.")
    rising = [at_ms for at_ms in map(_created, oldest.items) if at_ms is not None]
    if rising != sorted(rising) or not rising or rising[0] > falling[-1]:
        seen = "-createdAt is; +createdAt does not begin with the oldest"
        return ORDER.differs(seen, "Nothing to set: the package asks for -createdAt only.")
    return ORDER.fits("so they are")


def status_case(
    status: str, other: str, same: Reply | None, changed: Reply | None, why: str = ""
) -> Finding:
    """
    Return whether a filter on the status minds upper and lower case.

    :param status: A status as the service wrote it.
    :param other: The same in another case.
    :param same: Reply to a filter on the former.
    :param changed: Reply to a filter on the latter.
    """
    if same is None or changed is None:
        return STATUS_CASE.not_seen(why)
    if same.items is None:
        return STATUS_CASE.not_seen(f"=={status}: {same.problem}")
    if not same.items:
        advice = f"{ISSUE} Do not use status= of FlowServiceHook.list_runs; nothing else needs it."
        return STATUS_CASE.differs(f"=={status} finds nothing, though there are such runs", advice)
    if changed.items is None and not changed.is_refused:
        return STATUS_CASE.not_seen(f"=={other}: {changed.problem}")
    if changed.items:
        return STATUS_CASE.fits(f"=={status} and =={other} both find runs")
    came = "is refused" if changed.items is None else "finds nothing"
    advice = (
        f"Write {status} in status= of FlowServiceHook.list_runs and in filters. Nothing else to set: "
        "operators and sensors compare statuses themselves, in any case."
    )
    return STATUS_CASE.differs(f"=={status} finds runs, =={other} {came}", advice)


def fields(items: Sequence[Mapping[str, Any]]) -> Finding:
    """Return in how many runs a field that the package needs cannot be read; not its values."""
    if not items:
        return FIELDS.not_seen("there are no runs")
    counts = {
        "id": sum(not identifier(item.get("id")) for item in items),
        "flowId": sum(not identifier(item.get("flowId")) for item in items),
        "createdAt": sum(_created(item) is None for item in items),
    }
    parts = [
        f"{name}: in {count} of {_number(len(items), 'run')}"
        for name, count in counts.items()
        if count
    ]
    if parts:
        advice = (
            f"{ISSUE} A list of runs with one that has no ID is an error. A run without createdAt may "
            "be taken for a new one."
        )
        return FIELDS.differs(f"missing, or in another form: {'; '.join(parts)}", advice)
    return FIELDS.fits(f"in {_number(len(items), 'run')}")


def statuses(runs: Iterable[DataflowRun], scope: str) -> Finding:
    """
    Return which statuses runs have.

    :param scope: Which runs these are.
    """
    found = Counter(run.status for run in runs)
    if not found:
        return STATUSES.not_seen(f"there are no runs {scope}")
    seen = ", ".join(f"{status or '(none)'} {number}" for status, number in found.most_common(20))
    seen = f"{scope}: {seen}"
    if unknown := [status for status in found if not is_known_status(status)]:
        advice = (
            f"{ISSUE} A run in status {', '.join(map(repr, sorted(unknown)[:5]))} counts as under way: "
            "waits for it end at their timeout."
        )
        return STATUSES.differs(seen, advice)
    return STATUSES.fits(seen)


def keys(items: Sequence[Mapping[str, Any]]) -> Finding:
    """Return which keys of runs the package does not read; not their values."""
    if not items:
        return KEYS.not_seen("there are no runs")
    unread = unread_keys(items)
    new = [path for path in unread if not is_documented(path)]
    rest = f"{_number(len(unread) - len(new), 'documented key')} not needed"
    if not new:
        return KEYS.fits(f"in {_number(len(items), 'run')}: {rest}")
    more = f" and {len(new) - _MOST_KEYS} more" if len(new) > _MOST_KEYS else ""
    seen = f"not read, and not documented: {', '.join(new[:_MOST_KEYS])}{more}; {rest}"
    return KEYS.differs(seen, f"Nothing to set: they are ignored. {ISSUE} They may be of use.")


def own_client(runs: Sequence[DataflowRun], own_clients: Collection[str]) -> Finding:
    """Return whether runs name the connection's own client as their creator."""
    own = sum(run.created_client in own_clients for run in runs)
    others = {run.created_client for run in runs if run.created_client} - set(own_clients)
    if own:
        return OWN_CLIENT.fits(f"{_number(own, 'run')} of {len(runs)}")
    named = f"{_number(len(others), 'other client')} named"
    why = f"none of {_number(len(runs), 'run')}, {named}: perhaps the credential started none"
    return OWN_CLIENT.not_seen(why, "See it with --retrigger.")


def missing_run(reply: Reply) -> Finding:
    """Return how the service says that there is no such run."""
    if reply.response is None:
        return MISSING_RUN.not_seen(reply.problem)
    seen = f"{reply.status_and_code}, {shape_of(reply.response)}"
    if isinstance(reply.error, FlowServiceNotFoundError):
        if reply.error.code == "FLOW-1439-404":
            return MISSING_RUN.fits(seen)
        advice = "Nothing to set: each 404 in JSON counts as a missing run."
        return MISSING_RUN.differs(seen, advice)
    if reply.items is not None and not reply.items:
        return MISSING_RUN.differs(seen, "Nothing to set: an empty answer counts as a missing run.")
    if isinstance(reply.error, FlowServiceApiError) and reply.error.is_transient:
        advice = (
            f"{ISSUE} A missing run then counts as an outage: missing_grace has no effect, and a wait "
            "for one ends after outage_timeout, which can be set lower."
        )
        return MISSING_RUN.differs(seen, advice)
    advice = (
        f"{ISSUE} A wait for a new run fails if the service does not show it at once: set retries of "
        "the task, with a retry_delay of a minute or more."
    )
    return MISSING_RUN.differs(seen, advice)


def _ids(items: Iterable[Mapping[str, Any]]) -> set[str]:
    return {identifier(item.get("id")) for item in items}


def _created(item: Mapping[str, Any]) -> int | None:
    return milliseconds(item.get("createdAt"))


def _number(count: int, what: str) -> str:
    return f"{count} {line(what)}{'' if count == 1 else 's'}"
