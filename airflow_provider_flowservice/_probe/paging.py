"""
How a list goes on: links to the next page, and what their tokens carry.

Pure: replies in, findings out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from airflow_provider_flowservice._client.responses import next_href
from airflow_provider_flowservice._json import identifier
from airflow_provider_flowservice._probe.findings import ISSUE, Finding, Question
from airflow_provider_flowservice._probe.replies import Reply
from airflow_provider_flowservice.runs import DataflowRun

NEXT_LINK = Question(
    "next_link", "The link to the next page is relative to the service (/runs?...)."
)
NEXT_PAGE = Question("next_page", "Beside a token, the filter sent again still holds.")
TOKEN_ALONE = Question("token_alone", "A continuation token carries the filter by itself.")

_NAMES_OF_THE_FIRST = ("property", "orderby", "limit", "count")
_PLAIN = re.compile(r"[A-Za-z0-9_-]")
_INCOMPLETE = f"{ISSUE} Lists of more than a page would be incomplete, or an error."


class Choice(NamedTuple):
    """
    A flow whose runs are listed page by page.

    :param first: The ID of its newest run.
    :param is_telling: Whether the next run of the sandbox is one of another flow.
    """

    flow_id: str
    first: str
    is_telling: bool


def choose_flow(runs: Sequence[DataflowRun]) -> Choice | None:
    """
    Choose a flow with two runs, so that a lost filter would show.

    A token that carries no filter leads to the second run of the sandbox, or to the one after the flow's
    first.

    :param runs: The runs of the sandbox, the newest first.
    """
    choices = []
    for index, run in enumerate(runs):
        mine = [other for other in runs if other.flow_id == run.flow_id]
        if run.flow_id and run is mine[0] and len(mine) > 1:
            strangers = (runs[1], runs[index + 1] if index + 1 < len(runs) else run)
            is_telling = all(other.flow_id != run.flow_id for other in strangers)
            choices.append(Choice(run.flow_id, run.run_id, is_telling))
    return max(choices, key=lambda choice: choice.is_telling, default=None)


def next_link(reply: Reply | None, why: str = "") -> Finding:
    """
    Return the form of the link to the next page.

    :param reply: Of a list with ``limit=1``, of which there are two runs.
    """
    if reply is None:
        return NEXT_LINK.not_seen(why)
    if reply.items is None:
        return NEXT_LINK.not_seen(reply.problem)
    href = next_href(reply.body)
    if not href:
        if len(reply.items) > 1:
            return NEXT_LINK.not_seen(f"{len(reply.items)} runs came for limit=1, and no link")
        return NEXT_LINK.differs("there is no link, though there are more runs", _INCOMPLETE)
    if not isinstance(href, str):
        return NEXT_LINK.differs(f"the link is no text, but a {type(href).__name__}", _INCOMPLETE)
    path, _, query = href.partition("?")
    values = "".join(part.partition("=")[2] for part in token_query(query).split("&"))
    special = sorted({char for char in values if not _PLAIN.match(char)})
    seen = f"{_form_of(path)}; its token has {' '.join(special) or 'letters and digits only'}"
    if not query:
        return NEXT_LINK.differs(f"{_form_of(path)}, without a query", _INCOMPLETE)
    if path == "/runs":
        return NEXT_LINK.fits(seen)
    return NEXT_LINK.differs(seen, "Nothing to set: of a link, only the query counts.")


def next_page(choice: Choice, reply: Reply | None, why: str = "") -> Finding:
    """Return whether the next page is one, if it is asked for as the package does."""
    return _page(NEXT_PAGE, choice, reply, why, _INCOMPLETE)


def token_alone(choice: Choice, reply: Reply | None, why: str = "") -> Finding:
    """Return whether a token carries the filter, if it is sent alone."""
    advice = "Nothing to set: the package sends the filter again beside the token."
    finding = _page(TOKEN_ALONE, choice, reply, why, advice)
    is_single = reply is not None and len(reply.items or ()) == 1
    if finding.verdict == "as assumed" and is_single and not choice.is_telling:
        return TOKEN_ALONE.not_seen("the next run of the sandbox is of the same flow")
    return finding


def token_query(query: str) -> str:
    """Return a query as it is, without the parameters of the first page."""
    parts = query.partition("#")[0].split("&")
    return "&".join(part for part in parts if part.partition("=")[0] not in _NAMES_OF_THE_FIRST)


def _page(
    question: Question, choice: Choice, reply: Reply | None, why: str, advice: str
) -> Finding:
    if reply is None:
        return question.not_seen(why)
    if reply.items is None:
        if reply.is_refused:
            return question.differs(f"refused: {reply.status_and_code}", advice)
        return question.not_seen(reply.problem)
    if problem := _problem_of(choice, reply):
        return question.differs(problem, advice)
    return question.fits("the next run of the flow came")


def _problem_of(choice: Choice, reply: Reply) -> str:
    items: Sequence[Any] = reply.items or ()
    if not items:
        return "an empty page came"
    if any(identifier(item.get("flowId")) != choice.flow_id for item in items):
        return "runs of other flows came"
    if any(identifier(item.get("id")) == choice.first for item in items):
        return "the first page came again"
    return ""


def _form_of(path: str) -> str:
    if "://" in path:
        return "absolute"
    if path.startswith("/data/"):
        return "relative to the host (/data/...)"
    if path.startswith("/"):
        return "relative to the service"
    return "relative to the page" if path else "a query only"
