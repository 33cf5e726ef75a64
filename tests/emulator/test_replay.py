"""Recordings that are played back, as a client meets them."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from urllib.parse import quote, urlsplit

import pytest

from airflow_provider_flowservice._recording.proxy import RecordingProxy
from airflow_provider_flowservice._recording.recorder import Recorder
from airflow_provider_flowservice.emulator import Replay
from airflow_provider_flowservice.emulator.messages import FLOW_SERVICE
from airflow_provider_flowservice.emulator.recording import (
    Exchange,
    RecordingError,
    head_line,
    read,
)
from airflow_provider_flowservice.exceptions import (
    DataflowRunNotRetriggerableError,
    FlowServiceAuthError,
    FlowServiceConnectionError,
    FlowServiceThrottledError,
    FlowServiceUnavailableError,
)
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from helpers.recordings import (
    ABOUT,
    CLIENT,
    exchange,
    run_answer,
    run_json,
    write_recording,
)

RUNS_SINCE = "GET /runs?property=createdAt%3E1700000000000&orderby=-createdAt&limit=100"
ACTION = "POST /runs/run-1/action?op=re-trigger"
FAILED, DONE = run_answer("run-1", "failed"), run_answer("run-1", "success")


@pytest.fixture
def play(tmp_path, monkeypatch):
    """Return a function that plays exchanges, and connects Airflow with them."""
    replays = []

    def play(*exchanges):
        replay = Replay(write_recording(tmp_path / "recording.jsonl", *exchanges))
        replay.start()
        replays.append(replay)
        monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", replay.connection_json)
        return replay

    FlowServiceHook.drop_tokens()
    yield play
    FlowServiceHook.drop_tokens()
    for replay in replays:
        replay.stop()


@pytest.fixture
def hook():
    return FlowServiceHook(retries=0)


def send(replay, method, path, body=None):
    """Send a request without a token, and return the response with its content."""
    connection = http.client.HTTPConnection(urlsplit(replay.url).netloc)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


# What the package's own client reads


def test_a_run_is_read_as_it_was_recorded(play, hook):
    replay = play(exchange("GET /runs/run-1", FAILED))

    run = hook.get_run("run-1")

    assert (run.run_id, run.flow_id, run.status) == ("run-1", "flow-1", "failed")
    assert replay.unanswered == []


def test_polls_go_on_after_the_last_answer(play, hook):
    running = run_answer("run-1", "inProgress")
    play(*(exchange("GET /runs/run-1", each) for each in (running, running, DONE)))

    statuses = [hook.get_run("run-1").status for _ in range(5)]

    assert statuses == ["inProgress", "inProgress", "success", "success", "success"]


def test_a_retrigger_is_answered_in_the_recorded_order(play, hook):
    throttled = exchange(ACTION, {}, 429, headers={"Retry-After": "7"})
    play(throttled, exchange(ACTION, {"id": "run-2", "etag": "etag-2"}))

    with pytest.raises(FlowServiceThrottledError) as caught:
        hook.retrigger_run("run-1")
    started = hook.retrigger_run("run-1")

    assert caught.value.retry_after == 7
    assert started.run_id == "run-2"


def test_the_pages_of_a_list_are_followed(play, hook):
    link = {"next": {"href": "/runs?limit=100&continuationToken=a%2Bb%3D"}}
    first = {"items": [run_json("run-1", "failed")], "_links": link}
    second = exchange(
        "GET /runs?limit=100&continuationToken=a%2Bb%3D&orderby=-createdAt",
        {"items": [run_json("run-2", "failed")], "_links": {}},
    )
    replay = play(exchange("GET /runs?orderby=-createdAt&limit=100", first), second)

    assert [run.run_id for run in hook.list_runs()] == ["run-1", "run-2"]
    assert replay.unanswered == []


def test_times_in_filters_do_not_count(play, hook):
    replay = play(exchange(RUNS_SINCE, FAILED))

    runs = list(hook.list_runs(created_after=int(time.time() * 1000)))

    assert [run.run_id for run in runs] == ["run-1"]
    assert replay.unanswered == []


def test_times_in_bodies_do_not_count(play, hook):
    times = {"startTime": 1_700_000_000, "windowStartTime": 1, "windowEndTime": 2}
    body = {"flowId": "flow-1", "params": times}
    replay = play(exchange("POST /runs", DONE, 201, request_body=body))

    started = hook.start_run("flow-1", window_start="2026-11-01", window_end="2026-11-02")
    with pytest.raises(FlowServiceUnavailableError, match="HTTP 501"):
        hook.start_run("flow-2", window_start="2026-11-01", window_end="2026-11-02")
    with pytest.raises(FlowServiceUnavailableError, match="HTTP 501"):
        hook.start_run("flow-1")

    assert started.run_id == "run-1"
    assert len(replay.unanswered) == 2


def test_an_answer_that_never_came_does_not_come(play, hook):
    play(exchange(ACTION, status=None), exchange(ACTION, {"id": "run-2"}))

    with pytest.raises(FlowServiceConnectionError) as caught:
        hook.retrigger_run("run-1")

    assert caught.value.sent != "no"
    assert hook.retrigger_run("run-1").run_id == "run-2"


def test_what_is_recorded_of_a_playback_is_the_recording(tmp_path, flowservice, monkeypatch):
    flow_id = flowservice.add_flow("Orders")
    for _ in range(3):
        flowservice.add_run(flow_id, "failed")

    def play_and_record(service, path):
        monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", service.connection_json)
        settings = FlowServiceHook().settings
        with Recorder(path, settings) as recorder, RecordingProxy(settings, recorder) as proxy:
            at_proxy = service.connection
            at_proxy["host"] = at_proxy["extra"]["ims_url"] = proxy.url
            monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", json.dumps(at_proxy))
            FlowServiceHook.drop_tokens()
            use(FlowServiceHook(retries=0))
        return read(path).exchanges

    def use(hook):
        run, *_ = hook.list_runs(created_after=1_600_000_000_000)
        hook.get_flow(run.flow_id)
        new_run_id = hook.retrigger_run(run.run_id).run_id
        while not hook.get_run(new_run_id).is_terminal:
            pass
        with pytest.raises(DataflowRunNotRetriggerableError):
            hook.retrigger_run(new_run_id)

    recorded = play_and_record(flowservice, tmp_path / "recording.jsonl")
    with Replay(tmp_path / "recording.jsonl") as replay:
        played = play_and_record(replay, tmp_path / "again.jsonl")

    def facts(exchange):
        return exchange.method, exchange.path, exchange.status, json.dumps(exchange.body)

    assert replay.unanswered == []
    assert len(recorded) > 5
    assert list(map(facts, played)) == list(map(facts, recorded))


# Which requests are the same


@pytest.mark.parametrize(
    "query",
    [
        "property=id==a,b&limit=2",
        "limit=2&property=id%3D%3Da%2Cb",
        "limit=%32&property=%69d==a,b",
    ],
)
def test_order_and_spelling_of_a_query_do_not_count(play, query):
    replay = play(exchange("GET /runs?property=id%3D%3Da%2Cb&limit=2", DONE))

    response, _ = send(replay, "GET", f"{FLOW_SERVICE}/runs?{query}")

    assert response.status == 200


@pytest.mark.parametrize("operator", ["<", ">", "<=", ">="])
def test_numbers_in_filters_do_not_count(play, operator):
    replay = play(
        exchange(f"GET /runs?property={quote(f'createdAt{operator}1700000000000')}", DONE)
    )

    response, _ = send(replay, "GET", f"{FLOW_SERVICE}/runs?property=createdAt{quote(operator)}5")

    assert response.status == 200


def test_the_spelling_of_a_path_does_not_count(play):
    replay = play(exchange("GET /runs/run%2D1", DONE))

    assert send(replay, "GET", f"{FLOW_SERVICE}/%72uns/run-1/")[0].status == 200


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /runs?property=a%3E1&property=b%3D%3D1",
        "GET /runs?property=a%3E1&property=a%3E1&property=b%3D%3D1&limit=2",
        "GET /runs?property=a%3E%3D1&property=b%3D%3D1&limit=2",
        "GET /runs?property=a%3E1&property=b%3D%3D2&limit=2",
        "GET /runs?property=a%3E1&property=b%3D%3D1&limit=3",
        "GET /runs?property=a%3Ex&property=b%3D%3D1&limit=2",
        "GET /flows?property=a%3E1&property=b%3D%3D1&limit=2",
        "POST /runs?property=a%3E1&property=b%3D%3D1&limit=2",
        "GET /runs/a%2Fb/c",
        "GET /runs?other=a%3E2",
    ],
)
def test_another_request_is_not_answered(play, request_line):
    replay = play(
        exchange("GET /runs?property=a%3E1&property=b%3D%3D1&limit=2", DONE),
        exchange("GET /runs/a/b%2Fc", DONE),
        exchange("GET /runs?other=a%3E1", DONE),
    )
    method, _, target = request_line.partition(" ")

    response, content = send(replay, method, FLOW_SERVICE + target)

    (seen,) = replay.unanswered
    assert (response.status, response.headers["Content-Type"]) == (501, "application/json")
    assert f"The recording holds no such request: {seen.line}" in content.decode()
    assert (seen.method, seen.path) == (method, FLOW_SERVICE + target.partition("?")[0])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"a": [1, {"startTime": 5}], "b": 2}', 200),
        (b'{"b":2,"a":[1,{"startTime":null}]}', 200),
        (b'{"b": 3, "a": [1, {"startTime": 1}]}', 501),
        (b'{"a": [{"startTime": 1}, 1], "b": 2}', 501),
        (b'{"a": [1, {}], "b": 2}', 501),
        (b"not JSON", 501),
        (None, 501),
    ],
)
def test_bodies_are_compared_as_json(play, body, status):
    recorded = {"b": 2, "a": [1, {"startTime": 1}]}
    replay = play(exchange("POST /x", {}, request_body=recorded))

    assert send(replay, "POST", f"{FLOW_SERVICE}/x", body)[0].status == status


def test_a_body_that_could_not_be_recorded_is_as_none(play):
    replay = play(exchange("POST /x", {}))

    for body in (None, b"null", b"not JSON", b"[" * 100_000):
        assert send(replay, "POST", f"{FLOW_SERVICE}/x", body)[0].status == 200


# What is answered


def test_the_answer_is_the_recorded_one(play):
    body = {"z": [1, 2.5, None, True], "a": {"text": "データ", "": "\ud800"}}
    headers = {
        "content-type": "application/problem+json;charset=utf-8",
        "Retry-After": "120",
        "x-request-id": "request-1",
        "X-RateLimit-Remaining": "3",
        "Date": "Tue, 14 Nov 2023 22:13:20 GMT",
        "Content-Length": "99999",
        "Content-Encoding": "gzip",
        "Transfer-Encoding": "chunked",
        "Connection": "close",
    }
    replay = play(exchange("GET /runs/run-1", body, 429, headers=headers))

    response, content = send(replay, "GET", f"{FLOW_SERVICE}/runs/run-1")

    told = Counter(name.lower() for name in response.headers)
    assert response.status == 429
    assert content == json.dumps(body, separators=(",", ":")).encode()
    assert response.headers["Content-Type"] == "application/problem+json;charset=utf-8"
    assert response.headers["Retry-After"] == "120"
    assert response.headers["x-request-id"] == "request-1"
    assert response.headers["x-ratelimit-remaining"] == "3"
    assert str(time.gmtime().tm_year) in response.headers["Date"]
    assert set(told) == {
        "content-length",
        "content-type",
        "date",
        "retry-after",
        "server",
        "x-ratelimit-remaining",
        "x-request-id",
    }
    assert set(told.values()) == {1}


@pytest.mark.parametrize("body", ["a text", 5, 0, False, "", [], {}])
def test_a_body_is_json_whatever_its_type(play, body):
    replay = play(exchange("GET /runs/run-1", body))

    response, content = send(replay, "GET", f"{FLOW_SERVICE}/runs/run-1")

    assert json.loads(content) == body
    assert response.headers["Content-Type"] == "application/json"


def test_a_refused_body_is_empty(play):
    replay = play(exchange("GET /runs/run-1", status=502, refused="no JSON"))

    response, content = send(replay, "GET", f"{FLOW_SERVICE}/runs/run-1")

    assert (response.status, content) == (502, b"")


def test_many_callers_at_once_get_each_answer_once(play):
    replay = play(*(exchange("GET /runs/run-1", {"id": number}) for number in range(40)))
    got = []

    def call():
        for _ in range(5):
            got.append(json.loads(send(replay, "GET", f"{FLOW_SERVICE}/runs/run-1")[1])["id"])

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(got) == list(range(40))


# Tokens


def test_a_recorded_token_is_played(play, hook):
    refusal = {"error": "invalid_client", "error_description": "invalid client_id parameter"}
    granted = {"access_token": "token-1-of-a-recording", "expires_in": 5000}
    token = "POST /ims/token/v3"
    play(exchange(token, refusal, 400), exchange(token, granted), exchange("GET /runs/run-1", DONE))

    with pytest.raises(FlowServiceAuthError, match="invalid client_id"):
        hook.get_run("run-1")

    assert hook.get_run("run-1").status == "success"
    assert 0 < hook.get_conn().get_token().lifetime <= 5000


def test_the_form_of_a_token_request_does_not_count(play):
    replay = play(exchange("POST /ims/token/v3", {"access_token": "token-1"}))

    for path, form in [("?client_id=a", b"client_secret=b"), ("?client_id=c", b'{"d": 1}')]:
        _, content = send(replay, "POST", f"/ims/token/v3{path}", form)
        assert json.loads(content) == {"access_token": "token-1"}


def test_a_token_that_was_not_recorded_is_granted(play):
    replay = play(exchange("POST /ims/token/v2", {}, 400))

    response, content = send(replay, "POST", "/ims/token/v3", b"grant_type=client_credentials")

    granted = json.loads(content)
    assert response.status == 200
    assert granted["access_token"]
    assert (granted["token_type"], granted["expires_in"]) == ("bearer", 86399)
    assert replay.unanswered == []


# As a service


def test_the_connection_is_that_of_the_recorded_client(play):
    replay = play()
    connection = replay.connection

    assert connection["login"] == CLIENT["client_id"]
    assert connection["host"] == connection["extra"].pop("ims_url") == replay.url
    assert connection["extra"] == {
        "org_id": CLIENT["org_id"],
        "sandbox_name": CLIENT["sandbox_name"],
    }
    assert FlowServiceHook().settings.sandbox_name == "sandbox-1"


def test_a_request_that_is_not_answered_is_kept_without_its_secrets(play):
    replay = play()
    heard = []
    replay.on_request(heard.append)

    send(replay, "GET", "/elsewhere?client_secret=planted&a=b%20c")

    assert [seen.line for seen in replay.unanswered] == ["GET /elsewhere?client_secret=***&a=b c"]
    assert [(seen.status, seen.path) for seen in heard] == [(501, "/elsewhere")]


def test_it_begins_anew_where_it_was_stopped(play):
    replay = play(exchange("GET /x", 1), exchange("GET /x", 2))
    url = replay.url
    send(replay, "GET", f"{FLOW_SERVICE}/x")
    replay.stop()
    with pytest.raises(ConnectionRefusedError):
        send(replay, "GET", f"{FLOW_SERVICE}/x")
    replay.start()

    assert replay.url == url
    assert send(replay, "GET", f"{FLOW_SERVICE}/x")[1] == b"2"


HEAD = head_line(ABOUT, CLIENT)


def test_a_last_line_that_was_cut_off_does_not_count(tmp_path):
    path = tmp_path / "recording.jsonl"
    whole = exchange("GET /runs", {"items": []}).as_line()
    path.write_text(f"{HEAD}\n{whole}\n{whole[:40]}")

    assert len(read(path).exchanges) == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "does not begin with its format"),
        (b"{}\n", "does not begin with its format"),
        (b"\xff\xfe\x00", "it is no text"),
        (b"[" * 100_000, "Line 1 .* is no JSON object"),
        (f"{HEAD}\n{{\n5\n".encode(), "Line 2 .* is no JSON object"),  # not the last line
        (f"{HEAD}\n5\n".encode(), "Line 2 .* is no JSON object"),
        (HEAD.replace('"version": 1', '"version": 2').encode(), "has version 2"),
        (HEAD.replace("org_id", "org").encode(), "org_id"),
        (HEAD.replace('"sandbox-1"', "5").encode(), "5 is no text"),
        (HEAD.replace('"Names', '5, "Names').encode(), "5 is no text"),
        (f"{HEAD}\n{{}}\n".encode(), "request"),
    ],
)
def test_what_is_no_recording_is_refused_with_the_reason(tmp_path, content, why):
    path = tmp_path / "recording.jsonl"
    path.write_bytes(content)

    with pytest.raises(RecordingError, match=why):
        Replay(path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": 1},
        {"path": None},
        {"query": {}},
        {"request_headers": 5},
        {"request_headers": {"a": 1}},
        {"status": "200"},
        {"status": 200, "headers": {"a": None}},
        {"status": 200, "headers": []},
    ],
)
def test_an_exchange_of_wrong_types_is_refused(tmp_path, wrong):
    facts = {"method": "GET", "path": "/", **wrong}
    path = write_recording(tmp_path / "recording.jsonl", Exchange(**facts))

    with pytest.raises(RecordingError, match="no recording that can be read"):
        Replay(path)


# The command


def command(*arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-m", "airflow_provider_flowservice.emulator", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_the_command_plays_a_recording_and_says_what_it_is(tmp_path):
    path = write_recording(
        tmp_path / "recording.jsonl",
        exchange("GET /runs/run-1", FAILED),
        exchange("GET /runs/run-2", FAILED),
        exchange("GET /runs", FAILED),
        exchange("GET /x\x1b[2J", FAILED),
    )
    with command("--replay", str(path), "--verbose") as process:
        try:
            text = "".join(iter(process.stdout.readline, "Ctrl-C ends it.\n"))
            address = text.partition(" on http://")[2].split()[0]
            connection = http.client.HTTPConnection(address)
            connection.request("GET", f"{FLOW_SERVICE}/runs/run-3")
            status = connection.getresponse().status
            connection.close()
            process.send_signal(signal.SIGTERM)
            rest, _ = process.communicate(timeout=60)
        finally:
            process.kill()  # one that hangs is not to hang the tests

    assert (status, process.returncode) == (501, 0)
    assert rest == f"501 GET {FLOW_SERVICE}/runs/run-3\nStopped.\n"
    assert ABOUT[0] in text
    assert "Exchanges: 4\n    1  GET /runs\n    2  GET /runs/{id}\n" in text
    assert all(line.isprintable() for line in text.splitlines())
    assert 'export AIRFLOW_CONN_FLOWSERVICE_DEFAULT=\'{"conn_type"' in text
    assert CLIENT["client_id"] in text


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--step-seconds", "5"], "argument --step-seconds: not allowed with argument --replay"),
        (["--no-seed"], "argument --no-seed: not allowed with argument --replay"),
        ([], "argument --replay: Line 1 of "),
    ],
)
def test_the_command_says_why_it_cannot_play(tmp_path, arguments, why):
    path = tmp_path / "recording.jsonl"
    path.write_text("no recording")

    with command("--replay", str(path), *arguments) as process:
        _, error = process.communicate(timeout=60)

    assert process.returncode == 2
    assert why in error
