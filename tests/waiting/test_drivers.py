"""The two drivers of a wait, in a worker and on an event loop: they follow one flow alike."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice._waiting.drivers import wait_async, wait_blocking
from airflow_provider_flowservice._waiting.rules import WaitRules, wait_flow
from airflow_provider_flowservice.exceptions import (
    FlowServiceApiError,
    FlowServiceAuthError,
    FlowServiceNotFoundError,
    FlowServiceThrottledError,
    FlowServiceUnavailableError,
)
from airflow_provider_flowservice.runs import DataflowRun
from helpers import virtual_time
from helpers.fake_clock import FakeClock

GOES_ON = DataflowRun("r1", "f1", "inProgress")
FAILED = DataflowRun("r1", "f1", "failed")
NOT_FOUND = FlowServiceNotFoundError("not there", 404)
REJECTED = FlowServiceApiError("bad request", 400)
DOWN = FlowServiceUnavailableError("down", 503)
BUSY = FlowServiceThrottledError("too many", 429, retry_after=90)
REFUSED = FlowServiceAuthError("refused", 403)


class Service:
    """Shows one thing after the other, the last one for ever; a look takes as long as its delay."""

    def __init__(self, *shown):
        self.clock = FakeClock()
        self.delays = []
        self._shown = list(shown)

    def show(self, delay):
        self.clock.sleep(delay)
        self.delays.append(delay)
        assert len(self.delays) < 1000, "the wait does not end"
        shown = self._shown.pop(0) if len(self._shown) > 1 else self._shown[0]
        if isinstance(shown, BaseException) and not isinstance(shown, FlowServiceApiError):
            raise shown
        return shown


def in_a_worker(flow, service):
    return wait_blocking(flow, service.show)


def on_a_loop(flow, service):
    async def show(delay):
        return service.show(delay)

    return virtual_time.run(wait_async(flow, show))


@pytest.fixture(params=[in_a_worker, on_a_loop], ids=["worker", "event loop"])
def drive(request):
    """Return a function that waits as the rules say, and tells how it ended."""

    def wait(service, first_poll=0.0, deadline_in=None, **rules):
        deadline = None if deadline_in is None else service.clock() + deadline_in
        flow = wait_flow("r1", WaitRules(deadline=deadline, **rules), first_poll, service.clock)
        return request.param(flow, service)

    return wait


@pytest.mark.parametrize(
    ("shown", "arguments", "kind", "delays"),
    [
        ([FAILED], {}, "ended", [0]),
        ([FAILED], {"first_poll": 7}, "ended", [7]),
        ([GOES_ON, GOES_ON, GOES_ON, FAILED], {}, "ended", [0, 5, 10, 20]),
        ([GOES_ON, BUSY, DOWN, FAILED], {}, "ended", [0, 5, 90, 20]),
        ([GOES_ON], {"deadline_in": 12}, "late", [0, 5, 7]),
        ([GOES_ON, DOWN], {"deadline_in": 12}, "late", [0, 5, 7]),
        ([GOES_ON, DOWN], {"outage_timeout": 0}, "lost", [0, 5]),
        ([NOT_FOUND, NOT_FOUND, FAILED], {}, "ended", [0, 5, 10]),
        ([NOT_FOUND], {"missing_grace": 30}, "missing", [0, 5, 10, 20]),
        ([GOES_ON, REFUSED], {}, "refused", [0, 5]),
        ([GOES_ON, REJECTED], {}, "error", [0, 5]),
    ],
)
def test_a_wait_ends_as_the_rules_say(drive, shown, arguments, kind, delays):
    service = Service(*shown)

    result = drive(service, **arguments)

    assert (result.kind, result.subject) == (kind, "r1")
    assert service.delays == delays


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no ID of a run"),
        KeyboardInterrupt("the task is killed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_no_error_of_the_service_is_raised_as_it_is(drive, error):
    service = Service(GOES_ON, error)

    with pytest.raises(type(error)) as caught:
        drive(service)

    assert caught.value is error
    assert service.delays == [0, 5]
