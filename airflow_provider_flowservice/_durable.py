"""
Exactly once: what to do about a re-trigger that an earlier try may have begun.

Pure: what is stored and what the service shows goes in, a decision comes out. ARCHITECTURE.md has
the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from airflow_provider_flowservice.runs import DataflowRun

# Milliseconds by which the service's clock may be behind the worker's.
CLOCK_SKEW = 120_000


@dataclass(frozen=True)
class Try:
    """
    Which try of the task this is.

    Airflow counts tries on when a task is cleared, and raises ``max_tries`` then; an automatic
    retry leaves it as it is.
    """

    number: int
    max_tries: int
    retries: int

    @property
    def is_automatic_retry(self) -> bool:
        """Whether an earlier try has begun what this one is to finish."""
        return self.number > self.max_tries - self.retries + 1

    @property
    def is_cleared(self) -> bool:
        """Whether a user has cleared the task, and so asked for it to be done again."""
        return self.max_tries != self.retries


@dataclass(frozen=True)
class Record:
    """
    What is stored about a re-trigger: the intent before it is sent, the new run after.

    :param source_run_id: Run the user wants to be re-triggered.
    :param target_run_id: Run the request names: the source, or its latest failed successor.
    :param max_tries: Of the task when it was written.
    :param requested_at: Epoch milliseconds just before the request was sent.
    :param new_run_id: The new run, once known.
    :param known_run_ids: All runs that earlier requests of this task have led to.
    """

    source_run_id: str
    target_run_id: str
    max_tries: int
    requested_at: int
    new_run_id: str | None = None
    known_run_ids: tuple[str, ...] = ()

    def with_run(self, new_run_id: str) -> Record:
        """Return the record once the new run is known."""
        known = tuple(dict.fromkeys((*self.known_run_ids, new_run_id)))
        return replace(self, new_run_id=new_run_id, known_run_ids=known)

    def to_json(self) -> dict[str, Any]:
        """Write the record as JSON values."""
        return {**vars(self), "known_run_ids": list(self.known_run_ids)}

    @classmethod
    def from_json(cls, value: object) -> Record | None:
        """Read a record back; ``None`` for anything that is none."""
        if not isinstance(value, Mapping):
            return None
        kinds: dict[str, Any] = {
            "source_run_id": str,
            "target_run_id": str,
            "max_tries": int,
            "requested_at": int,
            "new_run_id": str | None,
            "known_run_ids": list,
        }
        if not all(isinstance(value.get(name), kind) for name, kind in kinds.items()):
            return None
        known = tuple(map(str, value["known_run_ids"]))
        return cls(**{**{name: value[name] for name in kinds}, "known_run_ids": known})


@dataclass(frozen=True)
class Candidates:
    """
    Runs on the service that may be the one a request has led to.

    :param matching: Runs that are it, as far as can be told.
    :param doubtful: Runs of another client that show no window, so that nothing speaks for or
        against them.
    """

    matching: tuple[DataflowRun, ...] = ()
    doubtful: tuple[DataflowRun, ...] = ()

    @property
    def all(self) -> tuple[DataflowRun, ...]:
        """All of them, to be named in an error."""
        return (*self.matching, *self.doubtful)


@dataclass(frozen=True)
class Decision:
    """
    What to do next.

    :param action: ``look`` at the stored run; ``search`` for the run an earlier request led to;
        ``send`` the request; ``adopt`` or ``reattach`` to a run, and wait for it; ``return`` a run
        that has ended; ``stop``, since it cannot be told.
    :param run_id: Run to send the request for, or to go on with.
    :param reason: For the log.
    """

    action: Literal["look", "search", "send", "adopt", "reattach", "return", "stop"]
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
            return Decision("look", record.new_run_id)
        return Decision("search", reason="an earlier try may have re-triggered it")
    if record is None and this_try.is_automatic_retry and not (has_store and is_legible):
        return Decision("search", reason="an earlier try may have re-triggered it")
    return Decision("send", source_run_id, "no try has begun this yet")


def after_look(record: Record, run: DataflowRun | None, this_try: Try) -> Decision:
    """
    Decide what to do about the stored run.

    :param run: The stored run; ``None`` if the service does not show it.
    """
    new_run_id = record.new_run_id or ""
    if run is None:
        return Decision("reattach", new_run_id, "the service does not show it yet")
    if not run.is_terminal:
        return Decision("reattach", new_run_id, f"it is {run.status or 'under way'}")
    is_cleared = this_try.max_tries != record.max_tries
    if run.is_successful and not is_cleared:
        return Decision("return", new_run_id, "it has succeeded")
    if run.is_successful:
        return Decision(
            "send", record.source_run_id, f"run {new_run_id} succeeded, and the task was cleared"
        )
    # Not the source again: whether one run may be re-triggered twice is not documented.
    return Decision("send", new_run_id, f"run {new_run_id} ended as {run.status}")


def after_search(candidates: Candidates, target_run_id: str, has_record: bool) -> Decision:
    """
    Decide what to do after the service was searched for the run an earlier request led to.

    :param target_run_id: Run to re-trigger if none was found.
    :param has_record: Whether it is stored that a request was about to be sent; if not, failed
        runs found are those of earlier tries.
    """
    if candidates.doubtful and not candidates.matching:
        return Decision("stop", reason="a run of another client does not show its window yet")
    failed = [run for run in candidates.matching if run.is_failed]
    others = [run for run in candidates.matching if not run.is_failed]
    if has_record and len(candidates.matching) == 1:
        return Decision("adopt", candidates.matching[0].run_id, "it was created since the request")
    if not has_record and len(others) == 1:
        return Decision("adopt", others[0].run_id, "it was created since the DAG run began")
    if not candidates.matching:
        return Decision("send", target_run_id, "no earlier request has led to a run")
    if not has_record and not others:
        newest = max(failed, key=lambda run: run.created_at or 0)
        return Decision("send", newest.run_id, f"run {newest.run_id} ended as {newest.status}")
    return Decision("stop", reason="several runs have been created since the request")


def after_check(candidates: Candidates, target: DataflowRun, is_cleared: bool) -> Decision:
    """
    Decide what to do after the service was searched for somebody else's re-trigger of the run.

    :param candidates: Runs created since the target.
    :param target: Run to re-trigger.
    :param is_cleared: Whether a user asked for the task to be done again, so that what is done
        already does not count.
    """
    under_way = [run for run in candidates.matching if not run.is_terminal]
    loaded = [run for run in candidates.matching if run.is_successful or run.is_partial]
    done = [] if is_cleared else [run for run in loaded if run.ingested_records != 0]
    for run in (*under_way, *done):
        if run.window is not None and run.window == target.window:
            return Decision("adopt", run.run_id, "somebody else has re-triggered the run already")
    if under_way:
        return Decision(
            "stop",
            reason="a re-trigger of the same flow is under way and does not show its window yet",
        )
    return Decision("send", target.run_id, "nobody else has re-triggered it")


def find_candidates(
    runs: Iterable[DataflowRun],
    target: DataflowRun,
    since: int,
    own_clients: Iterable[str],
    known_run_ids: Iterable[str],
) -> Candidates:
    """
    Pick the runs that a request may have led to.

    :param runs: Runs of the target's flow.
    :param target: Run the request named.
    :param since: Epoch milliseconds before which none can have been created.
    :param own_clients: What the service may call our own client.
    :param known_run_ids: Runs whose origin is known, such as those of sibling tasks.
    """
    matching, doubtful = [], []
    known, clients = {target.run_id, *known_run_ids}, set(own_clients)
    for run in runs:
        if run.run_id in known or (run.created_at is not None and run.created_at < since):
            continue
        has_windows = run.window is not None and target.window is not None
        if has_windows and run.window != target.window:
            continue
        is_ours = run.created_client is None or run.created_client in clients
        if has_windows or is_ours:
            matching.append(run)
        elif not run.is_terminal:
            doubtful.append(run)
    return Candidates(tuple(matching), tuple(doubtful))
