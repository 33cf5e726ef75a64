"""The emulated service without sockets: what tests do to it, and what they see of it."""

from __future__ import annotations

import time
from collections.abc import Callable

from airflow_provider_flowservice.emulator.backend import Backend
from airflow_provider_flowservice.emulator.faults import Fault
from airflow_provider_flowservice.emulator.messages import JSON
from airflow_provider_flowservice.emulator.recorder import Seen
from airflow_provider_flowservice.emulator.scenario import Scenario


class InMemoryService(Scenario):
    """
    A Flow Service with its token service, in memory only. Tests may use it from any thread.

    :param base_url: Returns the URL it is served at, for absolute links.
    """

    def __init__(
        self,
        base_url: Callable[[], str],
        step_seconds: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(step_seconds, clock)
        self._backend = Backend(self, self._state, base_url)

    def issue_token(self) -> str:
        """Return a token that is good now, without asking the token service over HTTP."""
        with self._state.lock:
            return self._backend.ims.issue("openid,AdobeID")

    def revoke_tokens(self) -> None:
        """Make all tokens issued so far invalid."""
        with self._state.lock:
            self._backend.ims.revoke_all()

    # What happened to it

    @property
    def retriggers(self) -> list[tuple[str, str]]:
        """Source run and new run of each re-trigger that took effect, in order."""
        with self._state.lock:
            return list(self._state.retriggers)

    @property
    def starts(self) -> list[tuple[str, str]]:
        """Flow and new run of each on-demand run that was started, in order."""
        with self._state.lock:
            return list(self._state.starts)

    @property
    def requests(self) -> list[Seen]:
        """The last requests, oldest first."""
        return self._backend.recorder.requests()

    def count(
        self, route: str | None = None, *, method: str | None = None, path_regex: str | None = None
    ) -> int:
        """
        Count all requests of a route, or those with a method and a path that matches.

        :param route: Such as ``POST /runs/{id}/action``.
        :param path_regex: Searched in the full path, without the query.
        """
        if route:
            return self._backend.recorder.routes()[route]
        return self._backend.recorder.count(method, path_regex)

    def summary(self) -> JSON:
        """Return the counts of requests by route, of token requests and of runs started."""
        routes = self._backend.recorder.routes()
        return {
            "requests": dict(sorted(routes.items())),
            "token_requests": self.count(method="POST", path_regex="^/ims/token"),
            "retriggers": len(self.retriggers),
            "starts": len(self.starts),
        }

    def on_request(self, listener: Callable[[Seen], None]) -> None:
        """Call a function with each request from now on, in the thread that serves it."""
        self._backend.on_request = listener

    def clear_requests(self) -> None:
        """Forget the requests seen, and their counts."""
        self._backend.recorder.clear()

    # What goes wrong

    def fail(self, fault: Fault) -> None:
        """Switch a fault on."""
        self._backend.faults.add(fault)

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self._backend.faults.clear()
