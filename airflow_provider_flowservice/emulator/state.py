"""All flows and runs, and what happens to them."""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict, deque
from collections.abc import Iterable

from airflow_provider_flowservice.emulator import errors
from airflow_provider_flowservice.emulator.flows import Flow
from airflow_provider_flowservice.emulator.lifecycle import Lifecycle
from airflow_provider_flowservice.emulator.messages import JSON
from airflow_provider_flowservice.emulator.runs import Run
from airflow_provider_flowservice.emulator.settings import EmulatorSettings

_HOUR_MS = 3_600_000
_USUAL_DURATION_MS = 55_000


class State:
    """
    The memory of an emulator.

    Hold ``lock`` around every use.
    """

    def __init__(self, settings: EmulatorSettings) -> None:
        self.lock = threading.RLock()
        self.flows: dict[str, Flow] = {}
        self.runs: dict[str, Run] = {}
        self.retriggers: list[tuple[str, str]] = []
        self.starts: list[tuple[str, str]] = []
        self._settings = settings
        self._runs_by_flow: defaultdict[str, list[Run]] = defaultdict(list)
        self._plans: dict[str, deque[Lifecycle]] = {}

    def add_flow(self, flow: Flow) -> None:
        """Keep a new flow."""
        if flow.flow_id in self.flows:
            raise ValueError(f"There is a flow {flow.flow_id} already.")
        self.flows[flow.flow_id] = flow

    def add_run(
        self,
        flow_id: str,
        lifecycle: Lifecycle,
        run_id: str | None = None,
        created_at: int | None = None,
        window: tuple[int, int] | None = None,
        created_client: str = "acp_foundation_connectors",
        on_demand: bool = False,
        overrides: JSON | None = None,
        start_time: int | None = None,
    ) -> Run:
        """Keep a new run, which is at the first status of its lifecycle, or waits for its start."""
        now = self._settings.now_ms()
        created_at = now if created_at is None else created_at
        run = Run(
            flow=self.flows[flow_id],
            run_id=run_id or str(uuid.uuid4()),
            created_at=created_at,
            created_client=created_client,
            window=window or (created_at - _HOUR_MS, created_at),
            on_demand=on_demand,
            overrides=overrides or {},
            start_time=start_time,
            window_in=self._settings.on_demand_window,
        )
        if run.run_id in self.runs:
            raise ValueError(f"There is a run {run.run_id} already.")
        since = max(created_at, min(now, created_at + _USUAL_DURATION_MS))
        run.begin(lifecycle, max(since, run.started_at), self._settings.step_seconds)
        self.runs[run.run_id] = run
        self._runs_by_flow[flow_id].append(run)
        return run

    def plan(self, flow_or_run_id: str, lifecycles: Iterable[Lifecycle]) -> None:
        """Set what the next re-triggers of a run, or the next new runs of a flow, will do."""
        if flow_or_run_id not in self.flows and flow_or_run_id not in self.runs:
            raise KeyError(flow_or_run_id)
        self._plans[flow_or_run_id] = deque(lifecycles)

    def find_flow(self, flow_id: str, sandbox: str) -> Flow:
        """Return a flow of the sandbox, or refuse."""
        flow = self.flows.get(flow_id)
        if flow is None or flow.sandbox != sandbox:
            raise errors.not_found("flows", flow_id)
        return flow

    def find_run(self, run_id: str, sandbox: str) -> Run:
        """Return a run of the sandbox, or refuse. A poll of a hidden run counts."""
        run = self.runs.get(run_id)
        if run is None or run.flow.sandbox != sandbox:
            raise errors.not_found("runs", run_id)
        if run.is_hidden(self._settings.now_ms()):
            run.count_missed_poll()
            raise errors.not_found("runs", run_id)
        return run

    def runs_of(self, flow_id: str) -> list[Run]:
        """Return the runs of a flow in the order they were made."""
        return self._runs_by_flow.get(flow_id, [])

    def flow_document(self, flow: Flow) -> JSON:
        """Return the flow's JSON as of now."""
        now = self._settings.now_ms()
        visible = [run for run in self.runs_of(flow.flow_id) if not run.is_hidden(now)]
        last = max(visible, key=lambda run: run.created_at, default=None)
        return flow.document(last.document(now) if last else None)

    def retrigger(self, source: Run) -> Run:
        """Start a new run in place of another, or refuse."""
        self._check_retriggerable(source)
        run = self.add_run(
            source.flow.flow_id,
            self._next_lifecycle(source.flow.flow_id, source.run_id),
            window=source.window,
            created_client=self._settings.client_id,
            on_demand=source.on_demand,
        )
        self._hide(run)
        self.retriggers.append((source.run_id, run.run_id))
        return run

    def start(self, flow: Flow, start_time: int, window: tuple[int, int] | None) -> Run:
        """Start an on-demand run; times are seconds since the epoch."""
        run = self.add_run(
            flow.flow_id,
            self._next_lifecycle(flow.flow_id),
            window=(window[0] * 1000, window[1] * 1000) if window else None,
            created_client=self._settings.client_id,
            on_demand=window is not None,
            start_time=start_time * 1000,
        )
        self._hide(run)
        self.starts.append((flow.flow_id, run.run_id))
        return run

    def _hide(self, new: Run) -> None:
        hidden_for = self._settings.new_run_hidden_for
        unlisted_for = self._settings.new_run_unlisted_for
        if self._settings.step_seconds is None:
            new.hide(polls=int(hidden_for))
            new.keep_off_lists(polls=int(unlisted_for))
        else:
            new.hide(until=new.created_at + hidden_for * 1000)
            new.keep_off_lists(until=new.created_at + unlisted_for * 1000)

    def _check_retriggerable(self, run: Run) -> None:
        wrapped = self._settings.wrap_errors
        if not (run.flow.source and run.flow.batch):
            detail = "flowRunAction is not supported for the given source spec."
            raise errors.connector("1333-400", detail, wrapped=wrapped)
        if run.flow.state != "enabled":
            detail = (
                f"The flow is in {run.flow.state} state. It must be enabled to re-trigger a run."
            )
            raise errors.connector("1388-400", detail, wrapped=wrapped)
        now = self._settings.now_ms()
        if not (run.has_failed(now) or run.has_found_nothing(now)):
            detail = "The run is in an invalid state for re-triggering. Try again after some time."
            raise errors.connector("1387-400", detail, wrapped=wrapped)

    def _next_lifecycle(self, flow_id: str, source_run_id: str = "") -> Lifecycle:
        plan = self._plans.get(source_run_id) or self._plans.get(flow_id)
        if not plan:
            return Lifecycle()
        return plan.popleft() if len(plan) > 1 else plan[0]
