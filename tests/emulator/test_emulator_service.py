"""The emulator as a whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from airflow_provider_flowservice.emulator import FlowServiceEmulator, recorder, seed
from airflow_provider_flowservice.emulator.messages import Reply
from airflow_provider_flowservice.emulator.server import Server


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "example.com", ""])
def test_only_loopback_is_served(host):
    with pytest.raises(ValueError, match="loopback"):
        FlowServiceEmulator(host)


def test_a_restart_keeps_memory_port_and_tokens(emulator, client, flow_id):
    client.get(f"/flows/{flow_id}")
    emulator.stop()
    for error in (ConnectionError, ConnectionRefusedError):  # hung up on, then not let in
        with pytest.raises(error):
            client.get(f"/flows/{flow_id}")
        client.connection.close()
    emulator.start()

    assert client.get(f"/flows/{flow_id}")


def test_a_connection_that_is_gone_before_it_is_accepted_blocks_nothing():
    server = Server(("127.0.0.1", 0), lambda _: Reply(None))

    with pytest.raises(TimeoutError):  # which its loop takes for no connection
        server.get_request()

    server.server_close()


def test_the_connection_reads_the_same_in_all_forms(emulator):
    emulator.client_secret = "a/b+c%:@ d"
    connection = emulator.connection
    uri = urlsplit(emulator.connection_uri)

    assert json.loads(emulator.connection_json) == connection
    assert connection["host"] == emulator.url == unquote(uri.hostname)
    assert unquote(uri.username) == connection["login"]
    assert unquote(uri.password) == connection["password"]
    assert dict(parse_qsl(uri.query)) == connection["extra"]


def test_no_value_of_the_connection_is_too_short_for_airflow_to_mask(emulator):
    # Airflow warns about each process that reads a shorter value, secret or not.
    connection = emulator.connection
    values = (connection["login"], connection["password"], *connection["extra"].values())

    assert min(map(len, values)) >= 5


def test_requests_are_seen_without_their_secrets(emulator, client):
    heard = []
    emulator.on_request(heard.append)
    client.get("/runs", "id==a", "id==b")
    (seen,) = emulator.requests

    assert (seen.method, seen.path) == ("GET", "/data/foundation/flowservice/runs")
    assert seen.query == [("property", "id==a"), ("property", "id==b")]
    assert seen.headers["authorization"] == "Bearer ***"
    assert (seen.headers["x-sandbox-name"], seen.status) == ("staging", 200)
    assert heard == [seen]


def test_counts_outlive_details(monkeypatch, make_client):
    monkeypatch.setattr(recorder, "KEPT", 2)
    with FlowServiceEmulator() as emulator:
        client = make_client(emulator)
        flow_id = emulator.add_flow()
        for _ in range(3):
            client.get(f"/flows/{flow_id}")

        assert len(emulator.requests) == 2
        assert emulator.count("GET /flows/{id}") == 3
        assert emulator.count(method="GET", path_regex="^/data/.*/flows/") == 3
        assert emulator.count(method="POST") == 0


def test_many_callers_at_once_each_start_one_run(emulator, make_client, flow_id):
    runs = [emulator.add_run(flow_id) for _ in range(40)]
    answers = {}

    def call(run_id):
        answers[run_id] = make_client(emulator).retrigger(run_id)[1]["id"]

    threads = [threading.Thread(target=call, args=(run_id,)) for run_id in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(emulator.retriggers) == sorted(answers.items())


def test_seeded_runs_do_what_they_say(make_client):
    with FlowServiceEmulator(seed=True) as emulator:
        client = make_client(emulator)
        answers = {
            run_id: client.retrigger(run_id)
            for flow_id in emulator.flow_ids
            for run_id in emulator.run_ids(flow_id)
        }
        started = {
            run_id: answer["id"] for run_id, (status, answer) in answers.items() if status == 200
        }
        ends = {}
        for run_id, new_id in started.items():
            client.status_of(new_id)
            ends[run_id] = client.status_of(new_id)

    assert ends == {
        seed.SEEDED_FAILED_RUN_ID: "success",
        seed.SEEDED_REJECTING_RUN_ID: "success",
        seed.SEEDED_NON_RETRYABLE_RUN_ID: "failed",
        seed.SEEDED_EMPTY_RUN_ID: "success",
    }


def test_the_seeded_running_run_ends(make_client):
    with FlowServiceEmulator(seed=True) as emulator:
        client = make_client(emulator)
        statuses = [client.status_of(seed.SEEDED_RUNNING_RUN_ID) for _ in range(20)]

    assert (statuses[0], statuses[-1]) == ("inProgress", "success")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_told_to_end(end):
    command = [sys.executable, "-m", "airflow_provider_flowservice.emulator", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        lines = list(iter(process.stdout.readline, "Ctrl-C ends it.\n"))
        process.send_signal(end)
        try:
            rest, _ = process.communicate(timeout=60)
        finally:
            process.kill()  # one that hangs is not to hang the tests

    text = "".join(lines)
    assert (process.returncode, rest) == (0, "Stopped.\n")
    assert "NOT Adobe's service" in text
    assert seed.SEEDED_FAILED_RUN_ID in text
    assert "export AIRFLOW_CONN_FLOWSERVICE_DEFAULT='{" in text
    assert "flowservice://" in text


def test_the_command_says_why_it_cannot_serve(emulator):
    port = emulator.url.rpartition(":")[2]
    command = [sys.executable, "-m", "airflow_provider_flowservice.emulator", "--port", port]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    assert ended.returncode == 2
    assert f"cannot serve 127.0.0.1:{port}" in ended.stderr


def test_the_emulator_needs_nothing_but_python():
    code = (
        "import sys, airflow_provider_flowservice.emulator\n"
        "assert not {'airflow', 'requests'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
