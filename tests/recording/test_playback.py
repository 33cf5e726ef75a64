"""What was recorded of a whole re-trigger is played back to the same client, byte for byte."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest
import requests

from airflow_provider_flowservice.__main__ import main
from airflow_provider_flowservice._recording.proxy import RecordingProxy
from airflow_provider_flowservice._recording.recorder import Recorder
from airflow_provider_flowservice.emulator import FlowServiceEmulator, Lifecycle, Replay
from airflow_provider_flowservice.emulator.playback import request_of
from airflow_provider_flowservice.emulator.recording import read
from airflow_provider_flowservice.emulator.seed import SEEDED_FAILED_RUN_ID
from airflow_provider_flowservice.exceptions import DataflowRunFailedError
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator
from helpers.support import both_ways, context, run_to_the_end


@pytest.fixture
def use(monkeypatch):
    """Return a function that makes a service the one of the default connection."""

    def use(service, url=None):
        FlowServiceHook.drop_tokens()
        there = service.connection
        if url:
            there = {**there, "host": url, "extra": {**there["extra"], "ims_url": url}}
        monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", json.dumps(there))

    yield use
    FlowServiceHook.drop_tokens()


@contextmanager
def recording(service, path, use):
    """Record what is sent to a service through its connection."""
    use(service)
    settings = FlowServiceHook().settings
    with Recorder(path, settings) as recorder, RecordingProxy(settings, recorder) as proxy:
        use(service, proxy.url)
        yield


def told(exchange):
    """Return what has to be the same in each playback."""
    headers = {k: v for k, v in exchange.headers.items() if k not in ("Date", "Server")}
    return exchange.method, exchange.path, exchange.status, headers, json.dumps(exchange.body)


def retriggered_run(path):
    """Return the other name of the run that was re-triggered."""
    posts = (each for each in read(path).exchanges if each.path.endswith("/action"))
    return next(posts).path.split("/")[-2]


def test_the_probe_sees_the_same_in_a_recording_of_it(tmp_path, use, capsys):
    def findings(out, run_id):
        probe = ["probe", "--retrigger", run_id, "--yes", "--json"]
        status = main(["record", "--out", str(out), *probe])
        return status, json.loads(capsys.readouterr().out)["findings"]

    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    with FlowServiceEmulator(seed=True, step_seconds=3600) as emulator:
        use(emulator)
        status, found = findings(first, SEEDED_FAILED_RUN_ID)
        assert len(emulator.retriggers) == 2
    with Replay(first) as replay:
        use(replay)
        again, found_again = findings(second, retriggered_run(first))
        assert replay.unanswered == []

    assert (status, again) == (0, 0)
    verdicts = [(each["name"], each["verdict"]) for each in found]
    assert [(each["name"], each["verdict"]) for each in found_again] == verdicts
    exchanges = read(first).exchanges
    assert [each.query for each in exchanges if each.path.endswith("/action")] == [
        "op=re-trigger"
    ] * 2
    assert [*map(told, read(second).exchanges)] == [*map(told, exchanges)]


@both_ways
@pytest.mark.parametrize("ended", ["success", "failed"])
def test_an_operator_ends_alike_in_a_recording_of_it(tmp_path, use, deferrable, ended):
    def run(run_id):
        ti_context = context()
        operator = RetriggerDataflowRunOperator(
            task_id="task", run_id=run_id, deferrable=deferrable, poll_interval=0.1
        )
        if ended == "failed":
            with pytest.raises(DataflowRunFailedError):
                run_to_the_end(operator, ti_context)
        else:
            run_to_the_end(operator, ti_context)
        return ti_context["ti"].xcoms

    path, again = tmp_path / "tenant.jsonl", tmp_path / "again.jsonl"
    with FlowServiceEmulator(seed=True) as emulator, recording(emulator, path, use):
        emulator.plan(SEEDED_FAILED_RUN_ID, Lifecycle(("inProgress", "inProgress", ended)))
        first = run(SEEDED_FAILED_RUN_ID)
        assert len(emulator.retriggers) == 1
    with Replay(path) as replay, recording(replay, again, use):
        second = run(retriggered_run(path))
        assert replay.unanswered == []

    assert first.keys() == second.keys()
    summary, summary_again = first["summary"], second["summary"]
    same = summary.keys() - {key for key in summary if key.endswith(("_id", "_ids", "_url"))}
    same -= {"error_message"}  # it keeps Adobe's words only
    assert {key: summary_again[key] for key in same} == {key: summary[key] for key in same}
    assert summary_again["status"] == ended
    assert summary_again["run_id"] != summary["run_id"]
    assert [*map(told, read(again).exchanges)] == [*map(told, read(path).exchanges)]


def test_the_bytes_of_each_body_are_those_of_the_recording(tmp_path, use):
    path = tmp_path / "tenant.jsonl"
    with FlowServiceEmulator(seed=True, step_seconds=3600) as emulator:
        use(emulator)
        probe = ["probe", "--retrigger", SEEDED_FAILED_RUN_ID, "--yes", "--once"]
        main(["record", "--out", str(path), *probe])

    exchanges = read(path).exchanges
    with Replay(path) as replay:
        for exchange in exchanges:
            request = request_of(exchange)
            url = f"{replay.url}{request.path}?{request.raw_query}"
            response = requests.request(request.method, url, data=request.body, timeout=5)

            assert response.status_code == exchange.status
            assert response.content == json.dumps(exchange.body, separators=(",", ":")).encode()
    assert [each.query for each in exchanges if each.path.endswith("/action")] == ["op=re-trigger"]
