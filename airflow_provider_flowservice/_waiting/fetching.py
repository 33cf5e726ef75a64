"""
Fetches runs on behalf of many waits.

It minds what one wait cannot: whether the service shows many runs at once, and whether the connection
has changed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from airflow_provider_flowservice._client.retries import (
    RetryLimits,
    error_of,
    is_transient,
    log_retry,
)
from airflow_provider_flowservice._waiting.poll import poll_runs
from airflow_provider_flowservice._waiting.rules import Seen
from airflow_provider_flowservice.exceptions import FlowServiceAnswerError, FlowServiceAuthError
from airflow_provider_flowservice.runs import DataflowRun

if TYPE_CHECKING:
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

log = logging.getLogger(__name__)

# Runs the hook asks for with one request at most.
_MOST_RUNS = 100
# Seconds for which nothing is asked at most, however long the service asks to wait.
_LONGEST_QUIET = 300.0
# Seconds for which a connection is not read again.
_HOOK_AGE = 60.0
# Requests for single runs after which no others are sent, when all responses made no sense.
_ENOUGH_NONSENSE = 3
# Seconds until it is tried anew whether the service shows many runs at once.
_DOUBT = 900.0


class Backoff:
    """The time until which a service with a transient error is left alone, by all requests alike."""

    def __init__(self) -> None:
        self._until = 0.0

    def extend(self, seconds: float) -> None:
        """Send nothing for so many seconds from now."""
        self._until = max(self._until, _now() + min(seconds, _LONGEST_QUIET))

    async def wait(self) -> None:
        """Wait until the service may be asked again."""
        # Meanwhile another request may have met an error, too.
        while (seconds := self._until - _now()) > 0:  # noqa: ASYNC110  # no event, a time
            await asyncio.sleep(seconds)


class RunFetcher:
    """
    Asks the service behind one connection, in worker threads.

    :param new_hook: Makes a hook, which has not read its connection yet.
    :param threads: Requests at a time.
    """

    def __init__(self, new_hook: Callable[[], FlowServiceHook], threads: int) -> None:
        self.backoff = Backoff()
        self._hook = _RenewedHook(new_hook)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="flowservice")
        self._shown_at_once = _MOST_RUNS
        self._doubted_at = 0.0

    @property
    def max_batch_size(self) -> int:
        """Number of runs to ask for with one request."""
        if self._shown_at_once < _MOST_RUNS and _now() - self._doubted_at > _DOUBT:
            self._shown_at_once = _MOST_RUNS
        return self._shown_at_once

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False)

    async def fetch(self, run_ids: Sequence[str]) -> dict[str, Seen | Exception]:
        """
        Look at runs, with one request if the service can show them at once.

        :return: What was seen of each run, or the error that concerns it.
        :raises FlowServiceError: What is met by all runs alike: no answer, or a refused credential.
        """
        if len(run_ids) == 1:
            return {run_ids[0]: await self._fetch_one(run_ids[0])}
        found: Mapping[str, DataflowRun] = {}
        refusal = ""
        try:
            found = await self._ask(run_ids)
        except Exception as error:  # perhaps about one of them: each is asked for
            if _is_met_by_all(error):
                raise
            refusal = f" It says: {error}"
        # A run that is missing among others is looked at by itself before that is believed.
        singly = await self._fetch_singly(run_id for run_id in run_ids if run_id not in found)
        kept_back = sum(isinstance(seen, DataflowRun) for seen in singly.values())
        if kept_back > len(run_ids) / 10:
            self._doubt(len(found), len(run_ids), refusal)
        return {**found, **singly}

    async def _fetch_singly(self, run_ids: Iterable[str]) -> dict[str, Seen | Exception]:
        singly: dict[str, Seen | Exception] = {}
        for run_id in run_ids:
            seen = singly[run_id] = await self._fetch_one(run_id)
            # If the first few responses all make no sense, more requests would not either.
            if (
                len(singly) == _ENOUGH_NONSENSE
                and isinstance(seen, FlowServiceAnswerError)
                and all(isinstance(each, FlowServiceAnswerError) for each in singly.values())
            ):
                raise seen
        return singly

    async def _fetch_one(self, run_id: str) -> Seen | Exception:
        try:
            return (await self._ask([run_id]))[run_id]
        except Exception as error:  # raised in the wait for this run
            if _is_met_by_all(error):
                raise
            return error

    def _doubt(self, shown: int, asked: int, refusal: str) -> None:
        """Ask for no more runs at once than the service has shown."""
        most = max(1, shown)
        if most != self._shown_at_once:
            message = (
                "The service showed %d of %d runs that it has. It is asked for %d at a time.%s"
            )
            log.warning(message, shown, asked, most, refusal)
        self._shown_at_once, self._doubted_at = most, _now()

    async def _ask(self, run_ids: Sequence[str]) -> Mapping[str, DataflowRun]:
        """Ask, and again after transient errors, as the hook would; but hold no thread meanwhile."""
        _, limits = await self._hook.get(self._in_thread)

        def stop(state: RetryCallState) -> bool:
            if not limits.stop(state):
                return False
            error = error_of(state)
            self.backoff.extend(max(limits.backoff, getattr(error, "retry_after", None) or 0.0))
            return True

        def before_sleep(state: RetryCallState) -> None:
            log_retry(state)
            self.backoff.extend(state.upcoming_sleep)

        async def sleep(_: float) -> None:
            await self.backoff.wait()

        retrying = AsyncRetrying(
            stop=stop,
            wait=limits.wait,
            retry=retry_if_exception(is_transient),
            before_sleep=before_sleep,
            sleep=sleep,
            reraise=True,
        )
        seen: Mapping[str, DataflowRun] = await retrying(self._ask_once, run_ids)
        return seen

    async def _ask_once(self, run_ids: Sequence[str]) -> Mapping[str, DataflowRun]:
        hook, _ = await self._hook.get(self._in_thread)
        try:
            seen: Mapping[str, DataflowRun] = await self._in_thread(poll_runs, hook, run_ids)
        except FlowServiceAuthError:
            # The connection may have another credential by now.
            renewed, _ = await self._hook.get(self._in_thread, refused=hook)
            if renewed is hook:
                raise
            seen = await self._in_thread(poll_runs, renewed, run_ids)
        return seen

    async def _in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        # asyncio.to_thread would not do: on Airflow 3.0 and 3.1 a hook there cannot read its
        # connection. Threads of its own, so that a service that hangs holds up no other triggers.
        run = sync_to_async(call, thread_sensitive=False, executor=self._threads)
        return await run(*arguments)


class _RenewedHook:
    """The hook of all, which follows changes of its connection."""

    def __init__(self, new_hook: Callable[[], FlowServiceHook]) -> None:
        self._new_hook = new_hook
        self._hook: FlowServiceHook | None = None
        self._limits = RetryLimits()
        self._read_at = 0.0
        self._lock = asyncio.Lock()

    async def get(
        self, in_thread: Callable[..., Any], refused: FlowServiceHook | None = None
    ) -> tuple[FlowServiceHook, RetryLimits]:
        """
        Return the hook, and how hard to try with it.

        :param in_thread: Calls a function in a worker thread.
        :param refused: A hook whose credential was refused.
        """
        async with self._lock:
            is_old = _now() - self._read_at > _HOOK_AGE
            if self._hook is None or self._hook is refused or is_old:
                self._hook = await in_thread(self._renewed)
                self._read_at = _now()
            return self._hook, self._limits

    def _renewed(self) -> FlowServiceHook:
        """Read the connection, and keep the hook with its sockets unless it has changed."""
        wanted, old = self._new_hook(), self._hook
        # A request is retried in _ask, where no thread sleeps meanwhile.
        hook = wanted.without_retries()
        try:
            if old and hook.settings == old.settings:
                return old
            hook.get_conn()
        except Exception as error:
            if old is None:
                raise
            # Waits do not fail because Airflow's database is away for a moment.
            log.warning("The connection cannot be read again and stays as it was: %s", error)
            return old
        self._limits = wanted.retry_limits
        return hook


def _is_met_by_all(error: Exception) -> bool:
    return isinstance(error, FlowServiceAuthError) or is_transient(error)


def _now() -> float:
    return asyncio.get_running_loop().time()
