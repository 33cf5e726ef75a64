"""Which runs load the same data, by the windows that they show. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from airflow_provider_flowservice.runs import DataflowRun

NO_WINDOW = (0, 0)
"""What a run is asked to load if it is asked for no window."""


def same_window(run: DataflowRun, other: DataflowRun) -> bool | None:
    """
    Whether two runs load the data of the same window; ``None`` if they do not show it.

    The window that an on-demand run was asked to load need not be the one it shows later to the
    millisecond; of these, only windows without a common moment prove something.
    """
    for mine, theirs in (
        (run.asked_window, other.asked_window),
        (run.used_window, other.used_window),
    ):
        if mine and theirs:
            return mine == theirs
    if run.window is None or other.window is None:
        return None
    if run.window == other.window:
        return True
    is_apart = run.window[1] <= other.window[0] or other.window[1] <= run.window[0]
    return False if is_apart else None


def repeats_in(runs: Sequence[DataflowRun]) -> Callable[[int], list[DataflowRun]]:
    """
    Return a function that returns the repeats of a run: later runs of its flow with the same window.

    :param runs: All runs of a flow, the oldest first; the function takes the index of one.
    """
    by_window: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for index, run in enumerate(runs):
        for window in {run.window, run.asked_window} - {None}:
            by_window[window].append(index)  # type: ignore[index]

    def repeats_of(index: int) -> list[DataflowRun]:
        run = runs[index]
        alike = {
            i for window in (run.window, run.asked_window) if window for i in by_window[window]
        }
        return [runs[i] for i in sorted(alike) if i > index and same_window(runs[i], run)]

    return repeats_of
