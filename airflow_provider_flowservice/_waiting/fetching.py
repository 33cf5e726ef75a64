"""
Fetches runs for many waits.

The fetcher keeps what concerns all waits: the number of runs the service returns per request, a
common backoff, and a hook that follows changes of the connection.
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
    is_transient,
    log_retry,
    retry_after_of,
)
from airflow_provider_flowservice._waiting.poll import poll_runs, read_connection
from airflow_provider_flowservice._waiting.rules import Seen
from airflow_provider_flowservice.exceptions import FlowServiceAnswerError, FlowServiceAuthError
from airflow_provider_flowservice.runs import DataflowRun

if TYPE_CHECKING:
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

log = logging.getLogger(__name__)

# Most runs per request of the hook.
_MOST_RUNS = 100
# Longest backoff in seconds, even if Retry-After asks for more.
_LONGEST_BACKOFF = 300.0
# Seconds after which the connection is read again.
_HOOK_AGE = 60.0
# Single requests after which the fetcher stops if all responses made no sense.
_MOST_INVALID = 3
# Seconds until the fetcher tries full batches again, after the service returned only some runs.
_SMALL_BATCHES = 900.0


class Backoff:
    """A pause for all requests after a transient error."""

    def __init__(self) -> None:
        self._until_mono = 0.0

    def extend(self, seconds: float) -> None:
        """Pause for at least this many seconds from now."""
        self._until_mono = max(self._until_mono, _now() + min(seconds, _LONGEST_BACKOFF))

    async def wait(self) -> None:
        """Wait until the pause is over."""
        # The error of another request may extend the pause meanwhile.
        while (seconds := self._until_mono - _now()) > 0:  # noqa: ASYNC110  # a time, no event
            await asyncio.sleep(seconds)


class RunFetcher:
    """Fetches runs from the service of one connection, in so many worker threads."""

    def __init__(self, new_hook: Callable[[], FlowServiceHook], threads: int) -> None:
        self.backoff = Backoff()
        self._hook = _SharedHook(new_hook)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="flowservice")
        self._batch_size = _MOST_RUNS
        self._limited_mono = 0.0

    @property
    def max_batch_size(self) -> int:
        """Most runs to fetch with one request."""
        if self._batch_size < _MOST_RUNS and _now() - self._limited_mono > _SMALL_BATCHES:
            self._batch_size = _MOST_RUNS
        return self._batch_size

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False)

    async def fetch(self, run_ids: Sequence[str]) -> dict[str, Seen | Exception]:
        """
        Fetch runs, with one request if the service returns them together.

        :param run_ids: At most ``max_batch_size``.
        :return: Each run, or the error that concerns it.
        :raises FlowServiceError: An error that concerns all runs, such as a refused credential.
        """
        if len(run_ids) == 1:
            return {run_ids[0]: await self._fetch_one(run_ids[0])}
        found: Mapping[str, DataflowRun] = {}
        refusal = ""
        try:
            found = await self._request(run_ids)
        except Exception as error:  # perhaps about one run, so each is fetched
            if _concerns_all_runs(error):
                raise
            refusal = f" Its error: {error}"
        # A run that is missing in the response counts as missing only after a request of its own.
        singly = await self._fetch_singly(run_id for run_id in run_ids if run_id not in found)
        left_out = sum(isinstance(seen, DataflowRun) for seen in singly.values())
        if left_out > len(run_ids) / 10:
            self._limit_batch_size(len(found), len(run_ids), refusal)
        return {**found, **singly}

    async def _fetch_singly(self, run_ids: Iterable[str]) -> dict[str, Seen | Exception]:
        singly: dict[str, Seen | Exception] = {}
        for run_id in run_ids:
            seen = singly[run_id] = await self._fetch_one(run_id)
            # If the first few responses all make no sense, further ones would not either.
            if (
                len(singly) == _MOST_INVALID
                and isinstance(seen, FlowServiceAnswerError)
                and all(isinstance(each, FlowServiceAnswerError) for each in singly.values())
            ):
                raise seen
        return singly

    async def _fetch_one(self, run_id: str) -> Seen | Exception:
        try:
            return (await self._request([run_id]))[run_id]
        except Exception as error:  # raised in the wait for this run
            if _concerns_all_runs(error):
                raise
            return error

    def _limit_batch_size(self, shown: int, requested: int, refusal: str) -> None:
        """Fetch no more runs per request than the service has returned."""
        size = max(1, shown)
        if size != self._batch_size:
            message = (
                "The service returned %d of %d existing runs. "
                "The triggerer now requests at most %d at a time.%s"
            )
            log.warning(message, shown, requested, size, refusal)
        self._batch_size, self._limited_mono = size, _now()

    async def _request(self, run_ids: Sequence[str]) -> Mapping[str, DataflowRun]:
        """Request runs, and retry as the hook would, but without a thread that sleeps."""
        _, limits = await self._hook.get(self._in_thread)

        def stop(state: RetryCallState) -> bool:
            if not limits.stop(state):
                return False
            self.backoff.extend(max(limits.backoff, retry_after_of(state)))
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
        seen: Mapping[str, DataflowRun] = await retrying(self._request_once, run_ids)
        return seen

    async def _request_once(self, run_ids: Sequence[str]) -> Mapping[str, DataflowRun]:
        hook, _ = await self._hook.get(self._in_thread)
        try:
            seen: Mapping[str, DataflowRun] = await self._in_thread(poll_runs, hook, run_ids)
        except FlowServiceAuthError:
            # The connection may hold another credential by now.
            renewed, _ = await self._hook.get(self._in_thread, refused=hook)
            if renewed is hook:
                raise
            seen = await self._in_thread(poll_runs, renewed, run_ids)
        return seen

    async def _in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        # Not asyncio.to_thread, in which a hook cannot read its connection on Airflow 3.0 and 3.1.
        # The threads are the fetcher's own, so that a service that hangs delays no other triggers.
        run = sync_to_async(call, thread_sensitive=False, executor=self._threads)
        return await run(*arguments)


class _SharedHook:
    """The hook of a fetcher, which follows changes of its connection."""

    def __init__(self, new_hook: Callable[[], FlowServiceHook]) -> None:
        self._new_hook = new_hook
        self._hook: FlowServiceHook | None = None
        self._limits = RetryLimits()
        self._read_mono = 0.0
        self._lock = asyncio.Lock()

    async def get(
        self, in_thread: Callable[..., Any], refused: FlowServiceHook | None = None
    ) -> tuple[FlowServiceHook, RetryLimits]:
        """Return the hook and its limits for retries; another hook than the ``refused`` one."""
        async with self._lock:
            is_old = _now() - self._read_mono > _HOOK_AGE
            if self._hook is None or self._hook is refused or is_old:
                self._hook = await in_thread(self._renewed)
                self._read_mono = _now()
            return self._hook, self._limits

    def _renewed(self) -> FlowServiceHook:
        """Read the connection again, and keep the hook and its sockets if nothing has changed."""
        new, old = self._new_hook(), self._hook
        # `_request` retries instead of the hook, so that no thread sleeps meanwhile.
        hook = new.without_retries()
        try:
            if old and hook.settings == old.settings:
                return old
            read_connection(hook)
        except Exception as error:
            if old is None:
                raise
            # A short outage of Airflow's database must not fail the waits.
            log.warning(
                "The trigger cannot read the connection again and keeps using the old one: %s",
                error,
            )
            return old
        self._limits = new.retry_limits
        return hook


def _concerns_all_runs(error: Exception) -> bool:
    return isinstance(error, FlowServiceAuthError) or is_transient(error)


def _now() -> float:
    return asyncio.get_running_loop().time()
