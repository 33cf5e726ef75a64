"""
What the runs of some time came to, which have failed, and what to do about those.

Pure: runs and flows in, values out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from airflow_provider_flowservice._outcomes import advice
from airflow_provider_flowservice._selection.eligibility import judge
from airflow_provider_flowservice._selection.filters import histories
from airflow_provider_flowservice._selection.windows import repeats_in
from airflow_provider_flowservice.flows import Dataflow
from airflow_provider_flowservice.runs import DataflowRun, meaning_of

_HOW = "Re-trigger it with RetriggerDataflowRunOperator, or with Retry in Experience Platform."
_ENABLE = "Enable its flow, then re-trigger the run."
_ALIKE = "it would fail alike until its cause is removed"
_NO_WAY = "Mend what the error names; this run cannot be re-triggered."
_OUTCOMES = {"failed": "failed", "partial": "succeeded in part", "success": "loaded no record"}


@dataclass(frozen=True)
class Verdict:
    """
    Whether a failed run can be re-triggered, and what to do about it.

    :param retrigger: ``loaded`` and ``repeated`` if it has been re-triggered already, with success or
        not; ``refused`` if it certainly cannot be; ``later`` if it would fail alike for now.
    :param reason: The same in words.
    :param later_run_id: The run that loads the same data.
    """

    retrigger: Literal["possible", "doubtful", "later", "refused", "loaded", "repeated"]
    reason: str
    advice: str
    later_run_id: str | None = None


@dataclass(frozen=True)
class Failure:
    """A failed run."""

    run: DataflowRun
    flow: Dataflow
    verdict: Verdict
    url: str

    @property
    def facts(self) -> dict[str, Any]:
        """The failure as JSON."""
        names = {"flow_name": self.flow.name, "url": self.url}
        return {**self.run.summary, **names, **asdict(self.verdict)}


@dataclass(frozen=True)
class Counts:
    """How many runs of a flow there are, and how many have ended in which way."""

    flow_id: str
    flow_name: str
    total: int
    success: int
    failed: int
    partial: int


@dataclass(frozen=True)
class Report:
    """
    What the runs came to.

    :param failures: The failed runs, the oldest first.
    :param counts: Those of each flow that has runs, by the flows' names.
    """

    failures: list[Failure]
    counts: list[Counts]


def report(
    runs: Iterable[DataflowRun],
    flows: Mapping[str, Dataflow],
    url_of: Callable[[str, str], str],
) -> Report:
    """
    Make the report.

    :param runs: All runs of the flows since some time.
    :param flows: The flows by their IDs.
    :param url_of: Returns the address of a run, for the IDs of its flow and of itself.
    """
    failures, counts = [], []
    for flow_id, history in histories(runs).items():
        flow = flows[flow_id]
        counts.append(_count(flow, history))
        repeats_of = repeats_in(history)
        for index, run in enumerate(history):
            if run.is_failed:
                verdict = judge_failure(run, flow, repeats_of(index))
                failures.append(Failure(run, flow, verdict, url_of(flow_id, run.run_id)))
    failures.sort(key=lambda failure: failure.run.created_at or 0)
    counts.sort(key=lambda each: (each.flow_name.lower(), each.flow_id))
    return Report(failures, counts)


def judge_failure(run: DataflowRun, flow: Dataflow, repeats: Sequence[DataflowRun]) -> Verdict:
    """
    Say whether a failed run can be re-triggered, and what to do about it.

    :param repeats: Later runs that load the same data, the oldest first.
    """
    for other in reversed(repeats):
        if other.is_successful and other.ingested_records != 0:
            text = f"loaded since by run {other.run_id}"
            return Verdict("loaded", text, "Nothing: its data is there.", other.run_id)
    if repeats:
        return _repeated(repeats[-1])
    needs = advice.on_failure(run)
    rows = advice.on_rejected_rows(run)
    eligibility = judge(run, flow)
    if eligibility.refusal:
        default = _ENABLE if flow.state.lower() == "disabled" else _NO_WAY
        return Verdict("refused", eligibility.refusal, _sentences(needs or default, rows))
    what = _sentences(needs or _HOW, rows)
    if advice.fails_alike(run):
        return Verdict("later", _ALIKE, what)
    if eligibility.doubts:
        return Verdict("doubtful", "; ".join(eligibility.doubts), what)
    return Verdict("possible", "", what)


def _repeated(other: DataflowRun) -> Verdict:
    outcome = _OUTCOMES.get(meaning_of(other.status), "is under way")
    reason = f"re-triggered already as {other.run_id}, which {outcome}"
    todo = f"{'See' if other.is_terminal else 'Wait for'} run {other.run_id}."
    return Verdict("repeated", reason, todo, other.run_id)


def _count(flow: Dataflow, runs: list[DataflowRun]) -> Counts:
    found = Counter(meaning_of(run.status) for run in runs)
    numbers = (found[meaning] for meaning in ("success", "failed", "partial"))
    return Counts(flow.flow_id, flow.name, len(runs), *numbers)


def _sentences(*texts: str) -> str:
    return " ".join(filter(None, texts))
