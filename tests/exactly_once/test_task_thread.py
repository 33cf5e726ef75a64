"""Calls that worker threads hand to the task's own thread."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from airflow_provider_flowservice._exactly_once.task_thread import TaskThread, TaskThreadStore
from helpers.state_store import StateStore


class Killed(BaseException):
    """As Airflow ends a task."""


@pytest.fixture
def pool():
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def thread():
    with closing(TaskThread()) as thread:
        yield thread


def test_calls_of_all_workers_are_made_in_the_tasks_thread(pool, thread):
    def work(number):
        return [(thread.call(threading.get_ident), thread.call(pow, number, 2)) for _ in range(20)]

    workers = [pool.submit(work, number) for number in range(8)]
    thread.serve(workers)

    own = threading.get_ident()
    assert [worker.result() for worker in workers] == [[(own, n * n)] * 20 for n in range(8)]


def test_the_tasks_thread_calls_by_itself(thread):
    assert thread.call(threading.get_ident) == threading.get_ident()


def test_without_workers_there_is_nothing_to_wait_for(thread):
    thread.serve([])


def test_an_error_of_a_call_goes_to_its_worker(pool, thread):
    worker = pool.submit(thread.call, int, "no number")
    thread.serve([worker])

    with pytest.raises(ValueError, match="no number"):
        worker.result()


def test_a_call_in_which_the_task_is_killed_is_made_again(pool, thread):
    made = []

    def call():
        made.append(True)
        if len(made) == 1:
            raise Killed
        return "stored"

    worker = pool.submit(thread.call, call)
    with pytest.raises(Killed):
        thread.serve([worker])
    thread.serve([worker])

    assert worker.result() == "stored"


def test_nobody_waits_for_a_thread_that_has_closed(pool):
    thread, is_asked = TaskThread(), threading.Event()

    def killed():
        is_asked.set()
        raise Killed

    worker = pool.submit(thread.call, killed)
    with pytest.raises(Killed):
        thread.serve([worker])
    thread.close()
    late = pool.submit(thread.call, print)

    for refused in (worker, late):
        with pytest.raises(RuntimeError, match="has ended"):
            refused.result(10)


def test_sleep_ends_with_the_task(pool, thread):
    sleeping = pool.submit(thread.sleep, 60)
    thread.sleep(0)
    thread.wake()

    with pytest.raises(RuntimeError, match="has ended"):
        sleeping.result(10)


def test_a_store_is_called_in_the_tasks_thread(pool, thread):
    store = StateStore()
    served = TaskThreadStore(store, thread)

    def work():
        served.set("a", {"n": 1}, retention=None)
        served.set("b", 2)
        served.delete("b")
        return served.get("a"), served.get("b")

    worker = pool.submit(work)
    thread.serve([worker])

    assert worker.result() == ({"n": 1}, None)
