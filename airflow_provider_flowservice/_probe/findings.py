"""Findings: what the package assumes, what the service does, and what to set if it differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Verdict = Literal["as assumed", "differs", "not seen"]

ISSUE = "Open an issue with this row."
"""Where no setting helps."""


@dataclass(frozen=True)
class Finding:
    """
    What the service does about one assumption.

    :param name: What scripts call the assumption.
    :param seen: What the service did, or why that could not be seen.
    :param advice: What the package does about a difference, and what to set.
    """

    name: str
    assumption: str
    verdict: Verdict
    seen: str
    advice: str = ""


class Question(NamedTuple):
    """
    An assumption of the package, about which a finding is to be made.

    :param name: What scripts call it.
    :param assumption: It in words.
    """

    name: str
    assumption: str

    def fits(self, seen: str, advice: str = "") -> Finding:
        """Return the finding that the service does what is assumed."""
        return Finding(self.name, self.assumption, "as assumed", seen, advice)

    def differs(self, seen: str, advice: str) -> Finding:
        """Return the finding that it does something else."""
        return Finding(self.name, self.assumption, "differs", seen, advice)

    def not_seen(self, why: str, advice: str = "") -> Finding:
        """Return the finding that it could not be seen."""
        return Finding(self.name, self.assumption, "not seen", why, advice)
