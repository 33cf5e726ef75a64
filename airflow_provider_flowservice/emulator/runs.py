"""A run and the statuses it goes through."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from airflow_provider_flowservice.emulator import run_json
from airflow_provider_flowservice.emulator.flows import Flow
from airflow_provider_flowservice.emulator.lifecycle import Lifecycle
from airflow_provider_flowservice.emulator.messages import JSON

FAILURES = frozenset({"failed", "failure", "error", "cancelled", "canceled", "aborted"})
_WAITS = -1


class Run:
    """
    A run of a flow.

    :param created_at: When it was created, in milliseconds since the epoch.
    :param created_client: Client id of its creator.
    :param window: Start and end of the data it covers, in milliseconds since the epoch.
    :param on_demand: Whether somebody asked for it, with this window.
    :param start_time: When somebody asked it to start, in milliseconds since the epoch.
    :param window_in: Where it shows the window that somebody asked for.
    :param overrides: Top-level fields to put over those of its JSON; ``...`` takes a field away.
    """

    def __init__(
        self,
        flow: Flow,
        run_id: str,
        created_at: int,
        created_client: str,
        window: tuple[int, int],
        on_demand: bool,
        overrides: JSON,
        start_time: int | None,
        window_in: Literal["params", "metrics", "nowhere"],
    ) -> None:
        self.flow = flow
        self.run_id = run_id
        self.created_at = created_at
        self.created_client = created_client
        self.window = window
        self.on_demand = on_demand
        # A client that wants it to start now asks for the next full second.
        self.started_at = created_at
        if start_time is not None and start_time >= created_at + 1000:
            self.started_at = start_time
        self.etag = f'"{uuid.uuid4()}"'
        self.batch_id = f"01EMULATOR{uuid.uuid5(uuid.NAMESPACE_OID, run_id).hex[:16].upper()}"
        self.lifecycle = Lifecycle()
        self._overrides = overrides
        self._start_time = start_time
        self._window_in = window_in
        self._since = created_at
        self._waits_until = self.started_at if self.started_at > created_at else 0
        self._step_ms: float | None = None
        self._position = 0
        self._hidden_polls = 0
        self._hidden_until = 0.0
        self._unlisted_polls = 0
        self._unlisted_until = 0.0
        self._shown: tuple[int, JSON] | None = None

    def begin(self, lifecycle: Lifecycle, since: int, step_seconds: float | None) -> None:
        """
        Go through a lifecycle from its first status.

        :param since: When the first status began, in milliseconds since the epoch.
        :param step_seconds: Seconds each status lasts; ``None`` means one per poll.
        """
        if lifecycle.step_seconds is not None:
            step_seconds = lifecycle.step_seconds
        self.lifecycle = lifecycle
        self._since = since
        self._step_ms = None if step_seconds is None else step_seconds * 1000
        self._position = 0
        self._shown = None

    def script(self, statuses: Sequence[str], since: int, step_seconds: float | None) -> None:
        """Go through other statuses from now on, to the same result."""
        lifecycle = replace(self.lifecycle, statuses=tuple(statuses))
        self._waits_until = 0
        self.begin(lifecycle, since, step_seconds)

    def hide(self, polls: int = 0, until: float = 0.0) -> None:
        """Cannot be found for some polls, or until a time in milliseconds since the epoch."""
        self._hidden_polls = polls
        self._hidden_until = until

    def is_hidden(self, now: int) -> bool:
        """Tell whether the run cannot be found yet."""
        return self._hidden_polls > 0 or now < self._hidden_until

    def count_missed_poll(self) -> None:
        """Count a poll that did not find the run."""
        self._hidden_polls = max(0, self._hidden_polls - 1)

    def keep_off_lists(self, polls: int = 0, until: float = 0.0) -> None:
        """Is in no list for some polls of lists, or until a time in milliseconds since the epoch."""
        self._unlisted_polls = polls
        self._unlisted_until = until

    def is_unlisted(self, now: int) -> bool:
        """Tell whether lists do not show the run yet."""
        return self._unlisted_polls > 0 or now < self._unlisted_until

    def count_missed_listing(self) -> None:
        """Count a list that left the run out."""
        self._unlisted_polls = max(0, self._unlisted_polls - 1)

    def count_poll(self, now: int) -> None:
        """Count a poll that saw the run: the next one sees its next status."""
        if now < self._waits_until:
            return
        if self._step_ms is None and self._position + 1 < len(self.lifecycle.statuses):
            self._position += 1
            self._since = now

    def status(self, now: int) -> str:
        """Return the current status."""
        return self._status_at(self._index(now))

    def has_failed(self, now: int) -> bool:
        """Tell whether the run has ended in failure."""
        return self.status(now).lower() in FAILURES

    def has_found_nothing(self, now: int) -> bool:
        """Tell whether the run succeeded with nothing to ingest."""
        return self.status(now).lower() == "success" and self.lifecycle.ingests_nothing

    def document(self, now: int) -> JSON:
        """Return the run's JSON as of now. It is shared: copy it before you change it."""
        index = self._index(now)
        if self._shown is None or self._shown[0] != index:
            self._shown = (index, self._render(index))
        return self._shown[1]

    def _index(self, now: int) -> int:
        if now < self._waits_until:
            return _WAITS
        if self._step_ms is None:
            return self._position
        last = len(self.lifecycle.statuses) - 1
        if self._step_ms <= 0:
            return last
        return max(0, min(last, int((now - self._since) // self._step_ms)))

    def _status_at(self, index: int) -> str:
        return "scheduled" if index == _WAITS else self.lifecycle.statuses[index]

    def _render(self, index: int) -> JSON:
        changed_at = self._since + int((self._step_ms or 0) * index)
        if index == _WAITS:
            changed_at = self.created_at
        facts = run_json.Facts(
            status=self._status_at(index),
            started_at=self.started_at,
            changed_at=changed_at,
            window=None if self.on_demand else self.window,
            batch_id=self.batch_id,
            lifecycle=self.lifecycle,
        )
        document = {**self._identity(changed_at), **run_json.outcome(self.flow, facts)}
        if self.on_demand and self._window_in == "params":
            document["params"] = self._params()
        if self.on_demand and self._window_in == "metrics":
            run_json.show_window(document["metrics"], self.window)
        document.update(self._overrides)
        return {key: value for key, value in document.items() if value is not ...}

    def _identity(self, changed_at: int) -> JSON:
        return {
            "id": self.run_id,
            "createdAt": self.created_at,
            "updatedAt": changed_at,
            "createdBy": f"{self.created_client}@AdobeID",
            "updatedBy": "acp_foundation_connectors@AdobeID",
            "createdClient": self.created_client,
            "updatedClient": "acp_foundation_connectors",
            "sandboxId": self.flow.sandbox_id,
            "sandboxName": self.flow.sandbox,
            "imsOrgId": self.flow.org_id,
            "flowId": self.flow.flow_id,
            "flowSpec": {"id": self.flow.spec_id, "version": "1.0"},
            "providerRefId": f"M-{self.flow.flow_id}-incremental-0:{self.run_id}",
            "etag": self.etag,
        }

    def _params(self) -> JSON:
        # Seconds, and text: unlike all other times of a run.
        names = ("startTime", "windowStartTime", "windowEndTime")
        times = zip(names, (self._start_time, *self.window), strict=True)
        return {name: str(time // 1000) for name, time in times if time is not None}
