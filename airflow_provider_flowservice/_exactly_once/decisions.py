"""
Exactly once: what to do about a request that an earlier try may have sent.

Pure: what is stored and what the service shows goes in, a decision comes out. ARCHITECTURE.md has
the table.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal

from airflow_provider_flowservice._exactly_once.candidates import Candidates
from airflow_provider_flowservice._exactly_once.journal import Record
from airflow_provider_flowservice._exactly_once.siblings import Claim
from airflow_provider_flowservice._selection.windows import same_window
from airflow_provider_flowservice.runs import DataflowRun


@dataclass(frozen=True)
class Try:
    """
    Which try of the task this is.

    Airflow counts tries on when a task is cleared, and raises ``max_tries`` then; an automatic
    retry leaves it as it is.

    :param was_held_up: Whether it was held up for so long that another try may have begun.
    """

    number: int
    max_tries: int
    retries: int
    was_held_up: bool = False

    @property
    def is_automatic_retry(self) -> bool:
        """Whether this try has to finish what an earlier one may have started."""
        # `airflow tasks test` counts from 0 on some releases, such as 2.11.2 and 3.2.2.
        is_first = self.number <= 1
        # Numbers between 1 and this one come about when a DAG's author lowers `retries` while the
        # task is on its way.
        is_first_after_clear = self.number == self.max_tries - self.retries + 1
        return not (is_first or is_first_after_clear)

    @property
    def is_cleared(self) -> bool:
        """Whether a user has cleared the task, and so asked for it to be done again."""
        return self.max_tries > self.retries


@dataclass(frozen=True)
class Decision:
    """
    What to do next.

    :param action: ``read`` the stored run; ``search`` for the run an earlier request led to;
        ``send`` the request, or ``settle`` before it is sent; ``adopt`` or ``reattach`` to a run, and
        wait for it; ``return`` a run that has ended; ``stop``, since the new run cannot be
        identified. Among siblings, ``wait`` for them, ``yield`` the turn, or ``ask`` for it again.
    :param run_id: Run to send the request for, or to go on with.
    :param reason: For the log.
    """

    action: Literal[
        "read",
        "search",
        "send",
        "settle",
        "adopt",
        "reattach",
        "return",
        "stop",
        "wait",
        "yield",
        "ask",
    ]
    run_id: str = ""
    reason: str = ""


def begin(
    record: Record | None,
    source_run_id: str,
    this_try: Try,
    has_store: bool,
    is_legible: bool = True,
) -> Decision:
    """
    Decide what to do from what is stored.

    :param record: What is stored, if it can be read.
    :param has_store: Whether this Airflow stores anything.
    :param is_legible: Whether what is stored, if anything, can be read.
    """
    if record is not None and record.source_run_id == source_run_id:
        if record.new_run_id:
            return Decision("read", record.new_run_id)
        return Decision("search", reason="an earlier try may have sent the request")
    if record is None:
        # From 3.4 on, Airflow forgets on a Clear what was stored before, and the Clear of a task that
        # runs looks like an automatic retry.
        may_be_lost = this_try.is_cleared or not (has_store and is_legible)
        if may_be_lost and (this_try.is_automatic_retry or this_try.was_held_up):
            return Decision("search", reason="another try may have sent the request")
        if this_try.is_cleared or this_try.is_automatic_retry:
            return Decision("settle", source_run_id, "nothing is stored of an earlier request")
    return Decision("send", source_run_id, "no earlier try has sent a request")


def after_read(
    record: Record, run: DataflowRun | None, source: DataflowRun, this_try: Try, is_settled: bool
) -> Decision:
    """
    Decide what to do about the stored run.

    :param run: The stored run; ``None`` if the service does not show it.
    :param is_settled: Whether the service would show it by now if it existed.
    """
    new_run_id = record.new_run_id or ""
    is_cleared = this_try.max_tries != record.max_tries
    if run is None and is_cleared and is_settled:
        reason = f"run {new_run_id} is gone, and the task was cleared"
        return Decision("send", source.run_id, reason)
    if run is None:
        return Decision("reattach", new_run_id, "the service does not show it yet")
    if not record.is_certain and same_window(run, source) is False:
        return Decision("search", reason=f"run {new_run_id} has turned out to load another window")
    if not run.is_terminal:
        return Decision("reattach", new_run_id, f"it is {run.status or 'under way'}")
    if run.is_failed:
        # Not the source again: whether one run may be re-triggered twice is not documented.
        return Decision("send", new_run_id, f"run {new_run_id} ended as {run.status}")
    if is_cleared:
        reason = f"run {new_run_id} ended as {run.status}, and the task was cleared"
        return Decision("send", source.run_id, reason)
    return Decision("return", new_run_id, f"it has ended as {run.status}")


def after_search(
    candidates: Candidates, target_run_id: str, this_try: Try, has_record: bool
) -> Decision:
    """
    Decide what to do after the service was searched for the run an earlier request led to.

    :param target_run_id: Run to request it for if none was found.
    :param has_record: Whether it is stored that a request was about to be sent; if not, failed
        runs found are those of earlier tries.
    """
    failed = [] if has_record else [run for run in candidates.matching if run.is_failed]
    found = [run for run in candidates.matching if run not in failed]
    if not found and candidates.doubtful:
        return Decision("stop", reason="a run of another client does not show its window yet")
    if not found and failed:
        newest = max(failed, key=lambda run: run.created_at or 0)
        return Decision("send", newest.run_id, f"run {newest.run_id} ended as {newest.status}")
    if not found:
        return Decision("send", target_run_id, "no earlier request has led to a run")
    if len(found) > 1:
        return Decision("stop", reason="several runs have been created since the request")
    if has_record:
        return Decision("adopt", found[0].run_id, "it was created since the request")
    if this_try.is_cleared and found[0].is_terminal:
        return Decision("stop", reason="it may have ended before the task was cleared")
    return Decision("adopt", found[0].run_id, "it was created since the DAG run began")


def after_check(
    candidates: Candidates,
    target: DataflowRun,
    done_before: Collection[str],
    own_clients: Collection[str],
    suspects_any: bool = True,
) -> Decision:
    """
    Decide what to do after the service was searched for a run that another client or task has requested.

    :param candidates: Runs that may load the data of the target.
    :param done_before: Runs that do not count, since they had ended before the user asked for this.
    :param own_clients: What the service may call our own client.
    :param suspects_any: Whether a run that does not show its window yet may load the same data.
    """
    under_way = [run for run in candidates.matching if not run.is_terminal]
    loaded = [run for run in candidates.matching if run.is_successful or run.is_partial]
    done = [run for run in loaded if run.ingested_records != 0 and run.run_id not in done_before]
    for run in (*under_way, *done):
        if same_window(run, target) or run.run_id in candidates.shared_run_ids:
            return Decision("adopt", run.run_id, _origin(run, own_clients))
    if under_way and suspects_any:
        reason = "another run of the flow is under way and does not show its window yet"
        return Decision("stop", reason=reason)
    return Decision("send", target.run_id, "no other run that loads the same data was found")


def _origin(run: DataflowRun, own_clients: Collection[str]) -> str:
    """Say who has requested a run already, and what a user can do about it."""
    client = run.created_client
    who = "this connection's own client" if client in own_clients else f"the client {client}"
    if client is None:
        who = "a client that the service does not show"
    when = "at an unknown time"
    if run.created_at is not None:
        created_at = datetime.fromtimestamp(run.created_at / 1000, timezone.utc)
        when = f"at {created_at:%Y-%m-%d %H:%M:%S} UTC"
    again = "" if run.is_terminal else " once this one has ended"
    return (
        f"{who} created it {when}, and it loads the same data; a Clear of the task requests another "
        f"run{again}"
    )


def among_siblings(
    mine: Claim, others: Sequence[Claim], known_run_ids: Collection[str]
) -> Decision:
    """
    Decide whose turn it is among requests for the same data.

    The one-bit algorithm of Burns and Lynch: each asks before it looks at the others; it yields to
    those before it that ask, and waits until those after it have yielded.

    :param others: Claims of the others, without those that are known to be dead.
    :param known_run_ids: Runs that are not the new one.
    """
    done = [
        claim
        for claim in others
        if claim.new_run_id
        and claim.new_run_id not in known_run_ids
        # Others are from before a Clear of this task, which is to be done again.
        and claim.max_tries >= mine.max_tries
    ]
    if done:
        newest = max(done, key=lambda claim: claim.asked_ms)
        return Decision("adopt", newest.new_run_id or "")
    asking = [claim for claim in others if claim.state == "asks"]
    is_preceded = any(claim.rank < mine.rank for claim in asking)
    if mine.state == "yields":
        return Decision("wait" if is_preceded else "ask")
    if is_preceded:
        return Decision("yield")
    return Decision("wait" if asking else "send")
