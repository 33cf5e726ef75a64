"""What the engine does once: actions that lead to a new run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from airflow_provider_flowservice._selection.eligibility import check_eligible
from airflow_provider_flowservice.runs import DataflowRun

if TYPE_CHECKING:
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook


class Action(Protocol):
    """An action that the user wants to be done once."""

    @property
    def key(self) -> str:
        """What stands for the action in stores; the ID of its source."""

    @property
    def label(self) -> str:
        """What the new run is to the user, such as ``new run of dataflow run r1``."""

    @property
    def suspects_any(self) -> bool:
        """Whether a run under way that does not show its window may well load the same data."""

    def source(self, hook: FlowServiceHook) -> DataflowRun:
        """Return the run that says which data the new one is to load."""

    def since_ms(self, source: DataflowRun) -> int | None:
        """Return the epoch milliseconds since when a run that has loaded this data makes it needless."""

    def target(self, hook: FlowServiceHook, source: DataflowRun, run_id: str) -> DataflowRun:
        """
        Return the run that a request is about.

        :param run_id: The source, or the latest run of the action, which has failed.
        """

    def check(self, hook: FlowServiceHook, target: DataflowRun, log: Any) -> None:
        """
        Refuse what is certainly impossible, before anything is sent.

        :raises FlowServiceError: It is impossible.
        """

    def send(
        self,
        hook: FlowServiceHook,
        target: DataflowRun,
        before_send: Callable[[], None] | None = None,
    ) -> str:
        """Send the request, and return the ID of the new run."""


@dataclass(frozen=True)
class Retrigger:
    """
    The re-trigger of a run, or of its latest failed re-trigger.

    :param run_id: ID of the run.
    """

    run_id: str

    suspects_any: ClassVar = True

    @property
    def key(self) -> str:
        """The ID of the run."""
        return self.run_id

    @property
    def label(self) -> str:
        """What the new run is to the user."""
        return f"new run of dataflow run {self.run_id}"

    def source(self, hook: FlowServiceHook) -> DataflowRun:
        """Read the run."""
        return hook.get_run(self.run_id)

    def since_ms(self, source: DataflowRun) -> int | None:
        """Return when the run was created: all runs that load its data since then repair it."""
        return source.created_at

    def target(self, hook: FlowServiceHook, source: DataflowRun, run_id: str) -> DataflowRun:
        """Return the run to re-trigger."""
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
