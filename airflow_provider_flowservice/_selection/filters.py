"""
Filters flows and runs by the user's arguments.

Pure: arguments, flows and runs in, runs out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase

from airflow_provider_flowservice._selection.eligibility import judge
from airflow_provider_flowservice._selection.windows import repeats_in
from airflow_provider_flowservice.flows import Dataflow
from airflow_provider_flowservice.runs import DataflowRun, meaning_of

# Most names of flows in a message.
_MOST_NAMES = 3


@dataclass(frozen=True)
class FlowChoice:
    """
    A filter for flows: by ID, or by name among the flows that load from a source.

    :param flow_ids: IDs of flows of any kind; ``None`` to filter by name.
    :param flow_name: Name, or a pattern with ``*`` and ``?``, in upper or lower case; ``None`` for
        all.
    :param all_kinds: Whether to include the service's own flows and flows to destinations.
    :param option: What the user knows ``flow_name`` as.
    :param way_out: How the user includes those flows.
    """

    flow_ids: frozenset[str] | None = None
    flow_name: str | None = None
    all_kinds: bool = False
    option: str = "flow_name"
    way_out: str = "Set all_kinds=True to include them."

    @classmethod
    def of(
        cls, flow_id: str | Iterable[str] | None, flow_name: str | None, all_kinds: bool
    ) -> FlowChoice:
        """Return the filter for the user's arguments."""
        if flow_id is None:
            return cls(None, flow_name, all_kinds)
        return cls(frozenset([flow_id] if isinstance(flow_id, str) else flow_id))

    def admits(self, flow_id: str, flow: Dataflow | None) -> bool:
        """Return whether a flow matches; ``flow`` is ``None`` if the service hides it."""
        if self.flow_ids is not None:
            return flow_id in self.flow_ids
        if flow is None or not (self.all_kinds or _is_source(flow)):
            return False
        if self.flow_name is None:
            return True
        name, pattern = flow.name.lower(), self.flow_name.lower()
        # A name may contain brackets, which are special in a pattern.
        return name == pattern or fnmatchcase(name, pattern)

    def mismatch(self, flows: Iterable[Dataflow]) -> str | None:
        """
        Return why ``flow_name`` matches no flow, and what to do; ``None`` if it matches, or is not set.

        :param flows: All flows of the sandbox.
        """
        flows = list(flows)
        if self.flow_name is None or _admitted(self, flows):
            return None
        setting = f"{self.option}={self.flow_name!r}"
        if others := _admitted(replace(self, all_kinds=True), flows):
            return (
                f"{setting} matches only flows to destinations or the service's own: "
                f"{_quoted(others)}. {self.way_out}"
            )
        advice = f"Correct {self.option}, or the sandbox name in the connection."
        names = _admitted(replace(self, flow_name=None), flows)
        if not names:
            kind = "flow" if self.all_kinds else "flow that loads from a source"
            return f"{setting} matches no flow: the sandbox shows no {kind}. {advice}"
        return (
            f"{setting} matches no flow of the sandbox. The nearest names are "
            f"{_quoted(_nearest(self.flow_name, names))}. {advice}"
        )


@dataclass(frozen=True)
class RunChoice:
    """
    A filter for runs.

    :param statuses: Accepted meanings of the status, see :func:`meaning_of`.
    :param created_before: Epoch milliseconds before which the runs were created; ``None`` for all.
    :param newest_per_flow: Whether to keep only the newest run of each flow.
    :param retriggerable_only: Whether to leave out runs that certainly cannot be re-triggered.
    :param unless_loaded_since: Whether to leave out runs whose flow has succeeded since.
    :param unless_created_by: Clients whose runs are left out.
    """

    statuses: frozenset[str]
    created_before: int | None = None
    newest_per_flow: bool = False
    retriggerable_only: bool = False
    unless_loaded_since: bool = False
    unless_created_by: Collection[str] = ()

    def choose(
        self, runs: Iterable[DataflowRun], flows: Mapping[str, Dataflow]
    ) -> list[DataflowRun]:
        """
        Return the runs that match, the oldest first.

        :param runs: All runs of the flows since the earliest creation time.
        """
        chosen = []
        for flow_id, history in histories(runs).items():
            flow = flows.get(flow_id)
            is_settled = self._settled_in(history)
            wanted = [
                run
                for index, run in enumerate(history)
                if self._admits(run, flow) and not is_settled(index)
            ]
            chosen += wanted[-1:] if self.newest_per_flow else wanted
        return sorted(chosen, key=_age)

    def _admits(self, run: DataflowRun, flow: Dataflow | None) -> bool:
        if meaning_of(run.status) not in self.statuses:
            return False
        if run.created_client in self.unless_created_by:
            return False
        if self.created_before is not None and _age(run) >= self.created_before:
            return False
        return not (self.retriggerable_only and judge(run, flow).refusal)

    def _settled_in(self, history: Sequence[DataflowRun]) -> Callable[[int], bool]:
        """Return whether a later run of its flow has replaced a run that loaded no data, by its index."""
        repeats_of = repeats_in(history)
        successes = [index for index, run in enumerate(history) if run.is_successful]

        def is_settled(index: int) -> bool:
            run = history[index]
            if run.is_successful and run.ingested_records != 0:
                return False
            # If a re-trigger failed as well, it stands for both.
            if repeats_of(index):
                return True
            return self.unless_loaded_since and bool(successes) and successes[-1] > index

        return is_settled


def histories(runs: Iterable[DataflowRun]) -> dict[str, list[DataflowRun]]:
    """Return the runs of each flow by its ID, the oldest first."""
    by_flow: defaultdict[str, list[DataflowRun]] = defaultdict(list)
    for run in sorted(runs, key=_age):
        by_flow[run.flow_id].append(run)
    return dict(by_flow)


def statuses_of(status: str | Iterable[str]) -> frozenset[str]:
    """Return the meanings of the user's statuses."""
    return frozenset(map(meaning_of, [status] if isinstance(status, str) else status))


def _admitted(choice: FlowChoice, flows: Iterable[Dataflow]) -> list[str]:
    """Return the names of the flows that a filter admits."""
    return sorted({flow.name for flow in flows if choice.admits(flow.flow_id, flow)})


def _nearest(pattern: str, names: Sequence[str]) -> list[str]:
    """Return the names that resemble a pattern the most, however little."""
    by_key = {name.lower(): name for name in names}
    wanted = pattern.lower().strip("*?")
    return [by_key[key] for key in get_close_matches(wanted, by_key, _MOST_NAMES, cutoff=0.0)]


def _quoted(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_MOST_NAMES]))
    more = len(names) - _MOST_NAMES
    return f"{shown} and {more} more" if more > 0 else shown


def _age(run: DataflowRun) -> int:
    return run.created_at or 0


def _is_source(flow: Dataflow) -> bool:
    """Return whether a flow loads from a source; if the service does not say, by its schedule."""
    if flow.is_source is None:
        return flow.has_schedule and not flow.is_destination
    return flow.is_source
