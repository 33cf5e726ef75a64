"""The Airflow releases the package is tested on."""

from __future__ import annotations

from dataclasses import dataclass

PYTHONS = ("3.12", "3.11", "3.13", "3.10")
"""Every Python supported, the most wanted first."""

BENCH_PYTHONS = PYTHONS[:3]
"""Those that the newest peers in the benchmarks support."""


@dataclass(frozen=True)
class Row:
    """
    One Airflow of the test matrix.

    :param airflow: Its version.
    :param pythons: Those it supports and we do; the first one is the row's own, others stand in.
    :param pinned_at: Its dependencies are the newest of this day, soon after its release.
    :param is_lowest: Whether those the package names itself are the oldest it allows instead.
    """

    airflow: str
    pythons: tuple[str, ...]
    pinned_at: str
    is_lowest: bool = False

    @property
    def name(self) -> str:
        """Name of the row's environment and constraints file."""
        return f"airflow-{self.airflow}"


# Together the rows cover each Python.
MATRIX = (
    Row("2.11.0", ("3.10", "3.11", "3.12"), "2025-07-01", is_lowest=True),
    Row("2.11.2", ("3.10", "3.11", "3.12"), "2026-03-16"),
    Row("3.0.6", ("3.11", "3.12", "3.10"), "2025-09-01"),
    Row("3.1.8", ("3.12", "3.11", "3.13", "3.10"), "2026-03-14"),
    Row("3.2.2", ("3.13", "3.12", "3.11", "3.10"), "2026-06-02"),
    Row("3.3.2", ("3.13", "3.12", "3.11", "3.10"), "2026-09-20"),
)
