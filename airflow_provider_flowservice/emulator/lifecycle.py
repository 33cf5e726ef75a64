"""What a run goes through, and what it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Lifecycle:
    """
    The statuses a run goes through, and what it comes to.

    :param statuses: Statuses in order; the last one stays.
    :param records: Records read; by default 100 if the run succeeds.
    :param failed_records: Records rejected, out of those read.
    :param error: Code and message of the error, if the run fails.
    :param step_seconds: Seconds each status lasts; by default the emulator's setting.
    """

    statuses: Sequence[str] = ("inProgress", "success")
    records: int | None = None
    failed_records: int = 0
    error: tuple[str, str] | None = None
    step_seconds: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.statuses, str) or not self.statuses:
            raise ValueError(f"A lifecycle is a list of statuses, not {self.statuses!r}.")
