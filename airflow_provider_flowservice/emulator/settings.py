"""What can be set on an emulator while it serves."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal


class EmulatorSettings:
    """Settings of an emulator, each with its default. All may be changed at any time."""

    # For the tests of DAGs

    client_id: str = "emulator-client-id"
    client_secret: str = "emulator-secret-5f3c9a"
    org_id: str = "A1B2C3D4E5F6A7B8C9D0E1F2@AdobeOrg"

    #: The key that ``x-api-key`` must carry, when it is not the client id.
    api_key: str | None = None

    #: Seconds for which a new token is valid.
    token_lifetime: float = 86399

    #: Sandboxes that exist and that the credential may use.
    sandboxes: list[str]

    #: Whether the credential lacks a role. The word chooses the body; ``True`` is "flowservice".
    #: With "manage" it may read all the same.
    forbidden: bool | Literal["flowservice", "gateway", "manage"] = False

    #: How long a new run cannot be found: polls, or seconds if statuses go by time.
    new_run_hidden_for: float = 0

    #: Seconds each status of a run lasts; ``None`` moves a run on by one status per poll.
    step_seconds: float | None = None

    #: Current time in seconds since the epoch.
    clock: Callable[[], float]

    # For the tests of this package's own client, which has to cope with every form of an answer

    #: How ``GET`` of a single thing is wrapped.
    envelope: Literal["items", "bare"] = "items"

    #: How the link to the next page is written.
    paging: Literal["relative", "data", "absolute"] = "relative"

    #: ``False`` refuses filters on ``id``; "first" ignores all values but the first.
    honour_id_filter: bool | Literal["first"] = True

    #: How long lists and filters do not show a new run that can be read by its ID already: polls, or
    #: seconds if statuses go by time.
    new_run_unlisted_for: float = 0

    #: Whether refusals to start a run come wrapped in ``FLOW-1100-400``.
    wrap_errors: bool = False

    #: Where new on-demand runs show their window: in ``params``, only in their metrics once they
    #: have ended, or nowhere.
    on_demand_window: Literal["params", "metrics", "nowhere"] = "params"

    #: Whether a flow that is enabled or disabled already refuses to be so again.
    refuse_same_state: bool = False

    #: What answers a re-trigger. A new run starts in every case.
    retrigger_answer: Literal[
        "id_etag", "items", "full_run", "201", "same_id", "no_id", "empty"
    ] = "id_etag"

    #: What answers a call for an on-demand run, with HTTP 201; "200" is "id_etag" with HTTP 200. A
    #: new run starts in every case.
    start_answer: Literal["items", "id_etag", "full_run", "200", "no_id", "empty"] = "items"

    def __init__(
        self, step_seconds: float | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.sandboxes = ["prod", "staging"]
        self.step_seconds = step_seconds
        self.clock = clock

    def now_ms(self) -> int:
        """Return the current time in milliseconds."""
        return int(self.clock() * 1000)
