"""What the engine does once: actions that lead to a new run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_flowservice._exactly_once.clock import SKEW_MS
from airflow_provider_flowservice._exactly_once.journal import Record
from airflow_provider_flowservice._selection.eligibility import check_eligible, check_startable
from airflow_provider_flowservice._selection.windows import NO_WINDOW, same_window
from airflow_provider_flowservice.runs import DataflowRun

if TYPE_CHECKING:
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook


# Milliseconds after which a run under way no longer counts as one that the same request has led to.
_LONGEST_RUN_MS = 24 * 60 * 60_000


@dataclass(frozen=True)
class Retrigger:
    """
    The re-trigger of a run, or of its latest failed re-trigger.

    :param run_id: ID of the run.
    """

    run_id: str

    suspects_any: ClassVar = True
    """Whether a run under way that does not show its window may well load the same data."""

    asked_ms: ClassVar = 0
    """Epoch milliseconds; what has been loaded before is to be loaded again."""

    @property
    def key(self) -> str:
        """What stands for the action in stores; the ID of its source."""
        return self.run_id

    @property
    def label(self) -> str:
        """What the new run is to the user."""
        return f"new run of dataflow run {self.run_id}"

    def source(self, hook: FlowServiceHook) -> DataflowRun:
        """Return the run that says which data the new one is to load, which was created after it."""
        return hook.get_run(self.run_id)

    def target(self, hook: FlowServiceHook, source: DataflowRun, run_id: str) -> DataflowRun:
        """
        Return the run that a request is about.

        :param run_id: The source, or the latest run of the action, which has failed.
        """
        return source if run_id == source.run_id else hook.get_run(run_id)

    def check(self, hook: FlowServiceHook, target: DataflowRun, log: Any) -> None:
        """Refuse a run that certainly cannot be re-triggered."""
        check_eligible(hook, log, target)

    def send(
        self,
        hook: FlowServiceHook,
        target: DataflowRun,
        before_send: Callable[[], None] | None = None,
    ) -> str:
        """Re-trigger the run."""
        return hook.retrigger_run(target.run_id, before_send=before_send).run_id


@dataclass(frozen=True)
class Start:
    """
    The start of a run on demand.

    :param flow_id: ID of its flow.
    :param window: Start and end of the data to load, in epoch seconds; ``None`` to ask for no window.
    :param began_ms: Epoch milliseconds when the DAG run began.
    :param start_time: Epoch seconds when the run is to begin; ``None``, or a time that has passed since
        the DAG run began, for now.
    :param delta_column: See :meth:`FlowServiceHook.start_run`.
    :param now: Returns the epoch seconds.
    """

    flow_id: str
    window: tuple[int, int] | None
    began_ms: int
    start_time: int | None = None
    delta_column: Mapping[str, str] | None = None
    now: Callable[[], float] = time.time

    # Runs for other windows of the same flow are usual, and show what they were asked to load.
    suspects_any: ClassVar = False

    @property
    def asked_ms(self) -> int:
        """When the DAG run began, by a clock that may be behind."""
        return self.began_ms - SKEW_MS

    @property
    def key(self) -> str:
        """Flow and window."""
        return f"{self.flow_id} {'..'.join(map(str, self.window or ()))}"

    @property
    def label(self) -> str:
        """What the new run is to the user."""
        times = [f"{_utc(seconds):%Y-%m-%dT%H:%M:%SZ}" for seconds in self.window or ()]
        return f"run of flow {self.flow_id}" + (f" from {' to '.join(times)}" if times else "")

    def source(self, hook: FlowServiceHook | None = None) -> DataflowRun:
        """Return the run as it is asked for; one for the same window may have been requested before."""
        window = self.window and (self.window[0] * 1000, self.window[1] * 1000)
        return DataflowRun(
            self.key,
            self.flow_id,
            status="",
            created_at=self.began_ms - _LONGEST_RUN_MS,
            window=window,
            is_window_asked=True,
            asked_window=window or NO_WINDOW,
        )

    def target(self, hook: FlowServiceHook, source: DataflowRun, run_id: str) -> DataflowRun:
        """Return the run as it is asked for, also after one has failed."""
        return source

    def check(self, hook: FlowServiceHook, target: DataflowRun, log: Any) -> None:
        """Refuse a time that had passed, and a flow of which certainly no run can be started."""
        if self.start_time is not None and self.start_time < self.began_ms // 1000:
            raise ValueError(
                f"start_time is {_utc(self.start_time)}, which had passed when the DAG run began: leave "
                "it out to start now."
            )
        check_startable(hook, log, self.flow_id)

    def send(
        self,
        hook: FlowServiceHook,
        target: DataflowRun,
        before_send: Callable[[], None] | None = None,
    ) -> str:
        """Start the run."""
        start, end = map(_utc, self.window) if self.window else (None, None)
        begin = None
        if self.start_time is not None and self.start_time > self.now():
            begin = _utc(self.start_time)
        return hook.start_run(
            self.flow_id,
            window_start=start,
            window_end=end,
            start_time=begin,
            delta_column=self.delta_column,
            before_send=before_send,
        ).run_id

    def may_lead_to(self, run: DataflowRun) -> bool:
        """Return whether a run may be what the start leads to, by its flow and window."""
        is_other = same_window(run, self.source()) is False
        return run.flow_id == self.flow_id and not is_other

    def as_begun(self, record: Record) -> Start:
        """
        Return the start that an earlier try has begun, whose window may have been another one.

        :param record: What that try has stored.
        """
        flow_id, _, window = record.source_run_id.rpartition(" ")
        if flow_id != self.flow_id:
            return self
        start, _, end = window.partition("..")
        return replace(self, window=(int(start), int(end)) if window else None)


Action = Retrigger | Start


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
