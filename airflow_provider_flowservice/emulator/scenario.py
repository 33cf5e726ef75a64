"""Flows and runs of an emulator, as a test sets them up and reads them."""

from __future__ import annotations

import copy
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from airflow_provider_flowservice.emulator.flows import Flow, Frequency
from airflow_provider_flowservice.emulator.lifecycle import Lifecycle
from airflow_provider_flowservice.emulator.messages import JSON
from airflow_provider_flowservice.emulator.settings import EmulatorSettings
from airflow_provider_flowservice.emulator.state import State


class Scenario(EmulatorSettings):
    """Gives access to the memory of an emulator, from any thread."""

    def __init__(
        self, step_seconds: float | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(step_seconds, clock)
        self._state = State(self)

    def add_flow(
        self,
        name: str = "Orders nightly",
        state: str = "enabled",
        batch: bool = True,
        source: bool = True,
        flow_id: str | None = None,
        sandbox: str = "staging",
        source_account_works: bool = True,
        frequency: Frequency = "hour",
        delta_column: str | None = None,
        **overrides: Any,
    ) -> str:
        """
        Add a flow and return its id.

        :param batch: Whether it has a schedule; a streaming source has none.
        :param source: Whether it is a source, and not a destination.
        :param source_account_works: What the service says of the source's account when it tests it.
        :param frequency: How often it is scheduled; ``once`` allows on-demand runs.
        :param delta_column: Column that tells which rows of its tables are new; empty lets the
            first on-demand run name it. Without one the flow reads files.
        :param overrides: Top-level fields of its JSON to replace; ``...`` takes a field away.
        """
        flow_id = flow_id or str(uuid.uuid4())
        flow = Flow(
            flow_id,
            name,
            state,
            batch,
            source,
            sandbox,
            self.org_id,
            self.now_ms(),
            overrides,
            source_account_works,
            frequency,
            delta_column,
        )
        with self._state.lock:
            self._state.add_flow(flow)
        return flow_id

    def add_run(
        self,
        flow_id: str,
        status: str = "failed",
        run_id: str | None = None,
        created_at: int | None = None,
        records: int | None = None,
        failed_records: int = 0,
        error: tuple[str, str] | None = None,
        window: tuple[int, int] | None = None,
        created_client: str = "acp_foundation_connectors",
        ended: Lifecycle | None = None,
        on_demand: bool = False,
        **overrides: Any,
    ) -> str:
        """
        Add a run and return its id.

        :param created_at: When it was created, in milliseconds since the epoch; by default now.
        :param records: Records read; by default 100 if it succeeded.
        :param failed_records: Records rejected, out of those read.
        :param error: Code and message of the error, if it failed. With a code that starts with
            ``CONNECTOR-2``, ``INGEST-`` or ``MAPPER-`` it failed while processing, and its JSON has
            no end and no sizes.
        :param window: Start and end of the data it covers, in milliseconds since the epoch.
        :param ended: What it has come to, such as ``Lifecycle.rejects(3, of=1200)``, instead of
            status, records and error.
        :param on_demand: Whether somebody asked for it. Then it has its window in ``params``, in
            seconds and as text, and its activities show none.
        :param overrides: Top-level fields of its JSON to replace; ``...`` takes a field away.
        """
        lifecycle = (
            replace(ended, statuses=ended.statuses[-1:])
            if ended
            else Lifecycle((status,), records, failed_records, error)
        )
        with self._state.lock:
            run = self._state.add_run(
                flow_id,
                lifecycle,
                run_id,
                created_at,
                window,
                created_client,
                on_demand,
                overrides,
            )
        return run.run_id

    def add_failed_run(self, then: Sequence[Lifecycle | Sequence[str]] = ()) -> str:
        """
        Add a failed run of a flow of its own, and return its id.

        :param then: What the next re-triggers of it will do, or of the runs that come of it.
        """
        flow_id = self.add_flow()
        self.plan(flow_id, *then)
        return self.add_run(flow_id, "failed")

    def plan(self, flow_or_run_id: str, *lifecycles: Lifecycle | Sequence[str]) -> None:
        """
        Set what the next re-triggers of a run, or the next new runs of a flow, will do.

        Each takes the next lifecycle, and the last one repeats. New runs are re-triggers of any run,
        and on-demand runs. A plan of a run goes before one of its flow. Without a plan a new run is ``inProgress``, then ``success``.
        """
        ready = [each if isinstance(each, Lifecycle) else Lifecycle(each) for each in lifecycles]
        with self._state.lock:
            self._state.plan(flow_or_run_id, ready)

    def script(self, run_id: str, statuses: Sequence[str]) -> None:
        """Set the statuses a run goes through from now on. The last one stays."""
        with self._state.lock:
            self._state.runs[run_id].script(statuses, self.now_ms(), self.step_seconds)

    def run(self, run_id: str) -> JSON:
        """Return a run's JSON as the next poll will see it. This is not a poll."""
        with self._state.lock:
            return copy.deepcopy(self._state.runs[run_id].document(self.now_ms()))

    def flow(self, flow_id: str) -> JSON:
        """Return a flow's JSON."""
        with self._state.lock:
            return copy.deepcopy(self._state.flow_document(self._state.flows[flow_id]))

    @property
    def flow_ids(self) -> list[str]:
        """IDs of all flows, in the order they were added."""
        with self._state.lock:
            return list(self._state.flows)

    def run_ids(self, flow_id: str) -> list[str]:
        """Return the ids of a flow's runs, in the order they were made."""
        with self._state.lock:
            return [run.run_id for run in self._state.runs_of(flow_id)]
