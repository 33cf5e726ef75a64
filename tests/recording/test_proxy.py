"""The proxy passes requests and responses on as they are, and records them."""

from __future__ import annotations

import gzip
import json
import os
import socket
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from airflow_provider_flowservice._recording.proxy import RecordingProxy
from airflow_provider_flowservice._recording.recorder import Recorder, Response
from airflow_provider_flowservice.emulator import Fault, FlowServiceEmulator
from airflow_provider_flowservice.emulator.messages import FLOW_SERVICE, Request
from airflow_provider_flowservice.emulator.recording import read
from airflow_provider_flowservice.exceptions import FlowServiceConnectionError
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from helpers.canned_server import CannedServer, http_answer, raw_server


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tenant.jsonl"


@pytest.fixture
def recording(path, settings):
    """Return a function that records what is sent to a proxy in front of a server."""

    @contextmanager
    def recording(url):
        there = replace(settings, base_url=url, ims_url=url, request_timeout=5.0)
        with Recorder(path, there) as recorder, RecordingProxy(there, recorder) as proxy:
            yield proxy

    return recording


def test_a_dags_connection_leads_through_it(recording, path, monkeypatch):
    with FlowServiceEmulator() as emulator, recording(emulator.url) as proxy:
        run_id = emulator.add_run(emulator.add_flow("Acme orders"), "failed")
        there = {**emulator.connection, "host": proxy.url}
        there["extra"] = {**there["extra"], "ims_url": proxy.url}
        monkeypatch.setenv("AIRFLOW_CONN_THERE", json.dumps(there))

        new = FlowServiceHook("there").retrigger_run(run_id)

        assert emulator.retriggers == [(run_id, new.run_id)]
    token, post = read(path).exchanges
    assert (token.path, token.request_body) == ("/ims/token/v3", None)
    assert token.body["access_token"] == "(removed)"
    assert post.method == "POST"
    assert post.query == "op=re-trigger"
    old_id, new_id = post.path.split("/")[-2], post.body["id"]
    assert old_id != new_id
    assert {old_id[:24], new_id[:24]} == {"aaaaaaaa-0000-4000-8000-"}
    text = path.read_text()
    private = [run_id, new.run_id, emulator.client_secret, emulator.client_id, emulator.org_id]
    assert [each for each in [*private, "eyJ", "staging"] if each in text] == []


def test_a_request_arrives_byte_for_byte(recording):
    target = "/data/foundation/flowservice/runs?continuationToken=a%3d%2B+/==&property=id%3D%3Dx"
    with CannedServer(lambda _: http_answer(200, {})) as server, recording(server.url) as proxy:
        # The client, too, would write it in its own way.
        host, port = proxy.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(
                f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
            )
            while connection.recv(4096):
                pass

    assert server.seen[0].removeprefix("GET ").lower() == target.lower()


@pytest.mark.parametrize(
    "target", ["@acme.com/runs", ".acme.com/runs", "[/runs", "http://acme.com/"]
)
def test_a_target_that_is_no_path_is_not_forwarded(recording, path, target):
    with CannedServer(lambda _: http_answer(200, {})) as server, recording(server.url) as proxy:
        host, port = proxy.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert connection.recv(4096) == b""

    assert server.seen == []
    (exchange,) = read(path).exchanges
    assert exchange.status is None
    assert "acme" not in path.read_text()


def test_a_response_comes_as_it_is_but_for_its_packing(recording, path):
    content = b'{ "status" : "failed" }'
    headers = {
        "Content-Encoding": "gzip",
        "Content-Type": "application/problem+json",
        "Date": "Sun, 06 Nov 1994 08:49:37 GMT",
        "Retry-After": "7",
        "X-Acme": "acme",
    }
    answer = http_answer(503, gzip.compress(content), headers)
    with CannedServer(lambda _: answer) as server, recording(server.url) as proxy:
        response = requests.get(f"{proxy.url}{FLOW_SERVICE}/runs", timeout=5)

    assert (response.status_code, response.content) == (503, content)
    assert response.headers["Date"] == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert response.headers["X-Acme"] == "acme"
    assert "Content-Encoding" not in response.headers
    (exchange,) = read(path).exchanges
    assert (exchange.status, exchange.body) == (503, {"status": "failed"})
    assert {name.title(): value for name, value in exchange.headers.items()} == {
        "Content-Type": "application/problem+json",
        "Date": "Sun, 06 Nov 1994 08:49:37 GMT",
        "Retry-After": "7",
    }


def test_a_credential_of_this_machine_is_not_sent(recording, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password something")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with CannedServer(lambda _: http_answer(200, {})) as server, recording(server.url) as proxy:
        session = requests.Session()
        session.trust_env = False
        session.get(f"{proxy.url}{FLOW_SERVICE}/runs", timeout=5)

    assert "authorization" not in server.heads[0].lower()


def test_a_redirect_is_passed_on_and_not_followed(recording):
    answer = http_answer(302, b"", {"Location": "http://127.0.0.1:1/"})
    with CannedServer(lambda _: answer) as server, recording(server.url) as proxy:
        url = f"{proxy.url}{FLOW_SERVICE}/runs"
        response = requests.get(url, timeout=5, allow_redirects=False)

    assert (response.status_code, response.headers["Location"]) == (302, "http://127.0.0.1:1/")


def test_if_no_response_comes_none_is_given(recording, path):
    with (
        raw_server(lambda _: None) as url,
        recording(url.rstrip("/")) as proxy,
        pytest.raises(requests.exceptions.ConnectionError),
    ):
        requests.post(f"{proxy.url}{FLOW_SERVICE}/runs/r/action?op=re-trigger", timeout=5)

    (exchange,) = read(path).exchanges
    assert (exchange.method, exchange.status, exchange.body) == ("POST", None, None)


def test_a_lost_response_to_a_retrigger_is_lost_to_the_client_as_well(recording, path, monkeypatch):
    with FlowServiceEmulator() as emulator, recording(emulator.url) as proxy:
        run_id = emulator.add_run(emulator.add_flow(), "failed")
        emulator.fail(Fault("POST /runs/.*/action", kind="close_after"))
        there = {**emulator.connection, "host": proxy.url}
        monkeypatch.setenv("AIRFLOW_CONN_THERE", json.dumps(there))

        with pytest.raises(FlowServiceConnectionError) as lost:
            FlowServiceHook("there").retrigger_run(run_id)

        assert lost.value.sent == "maybe"
        assert len(emulator.retriggers) == 1


def test_a_page_of_somebody_else_is_refused(recording, path):
    answer = http_answer(502, b"<b>acme</b>")
    with CannedServer(lambda _: answer) as server, recording(server.url) as proxy:
        response = requests.get(f"{proxy.url}{FLOW_SERVICE}/runs", timeout=5)

    assert response.content == b"<b>acme</b>"
    (exchange,) = read(path).exchanges
    assert (exchange.status, exchange.body) == (502, None)
    assert exchange.refused == "The response has 11 bytes that are no JSON."
    assert "acme" not in path.read_text()


def test_rejected_rows_are_not_recorded(recording, path):
    row = b'{"name": "Jane Acme", "status": "failed"}'
    with CannedServer(lambda _: http_answer(200, row)) as server, recording(server.url) as proxy:
        url = f"{proxy.url}/data/foundation/export/batches/01HF/meta?path=row_errors"
        response = requests.get(url, timeout=5)

    assert response.content == row
    (exchange,) = read(path).exchanges
    assert exchange.path == "/data/foundation/export/batches/ID-4/meta"
    assert exchange.body is None
    assert "not of the Flow Service" in exchange.refused


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_keeps_no_response_from_who_asked(recording, path):
    with CannedServer(lambda _: http_answer(200, {})) as server, recording(server.url) as proxy:
        recorder = proxy._recorder
        os.dup2(os.open("/dev/full", os.O_WRONLY), recorder._file.fileno())
        response = requests.get(f"{proxy.url}{FLOW_SERVICE}/runs", timeout=5)
        assert response.status_code == 200
        assert recorder.refused == [f"GET {FLOW_SERVICE}/runs: No space left on device."]
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), recorder._file.fileno())


@pytest.mark.parametrize("detour", [f"{FLOW_SERVICE}/../../..", "/ims/token/%2e%2e/%2E."])
def test_rejected_rows_are_not_recorded_on_a_detour(path, settings, detour):
    request = Request("GET", f"{detour}/data/foundation/export/batches/01HF/meta")

    with Recorder(path, settings) as recorder:
        recorder.record(request, Response(200, {}, b'{"status": "failed"}'), 0)

    (exchange,) = read(path).exchanges
    assert exchange.body is None
    assert "not of the Flow Service" in exchange.refused


@pytest.mark.parametrize(
    ("times", "ends", "status"),
    [(64, nullcontext(), 200), (65, pytest.raises(requests.exceptions.ConnectionError), None)],
)
def test_a_response_that_is_too_large_is_none(recording, path, times, ends, status):
    part = b" " * 2**20
    with (
        raw_server(lambda connection: send_parts(connection, part, times)) as url,
        recording(url.rstrip("/")) as proxy,
        ends,
    ):
        response = requests.get(f"{proxy.url}{FLOW_SERVICE}/runs", timeout=30)
        assert response.status_code == 200

    (exchange,) = read(path).exchanges
    assert (exchange.status, exchange.body) == (status, None)


def send_parts(connection, part, times):
    """Answer with a body of many parts."""
    connection.recv(65536)
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(part) * times}\r\n\r\n"
    connection.sendall(head.encode())
    for _ in range(times):
        connection.sendall(part)


def test_what_the_scrubber_cannot_handle_is_not_written(recording, path):
    with recording("http://127.0.0.1:1") as proxy:
        recorder = proxy._recorder
        recorder.record(Request("GET", f"{FLOW_SERVICE}/acme"), Response(200, None, b"acme"), 0)
        assert recorder.refused == ["A request: It cannot be searched: AttributeError."]

    (exchange,) = read(path).exchanges
    assert exchange.refused == "It cannot be searched: AttributeError."
    assert "acme" not in path.read_text()


def test_the_file_says_what_was_removed(recording, path):
    with recording("http://127.0.0.1:1"):
        pass

    about = " ".join(read(path).about)
    for what in (
        "tokens and other credentials",
        "names of organizations, sandboxes",
        "rejected rows",
    ):
        assert what in about
    assert path.read_text().startswith('{"format": "flowservice-recording"')


def test_only_its_owner_may_read_a_recording(recording, path):
    with recording("http://127.0.0.1:1"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_recording_counts_what_was_removed(recording, path):
    body = {"acme": 1, "status": "failed"}
    with CannedServer(lambda _: http_answer(200, body)) as server, recording(server.url) as proxy:
        for _ in range(2):
            requests.get(f"{proxy.url}{FLOW_SERVICE}/runs?acme=1", timeout=5)

    first, second = read(path).exchanges
    assert first.removed == second.removed
    assert (first.removed["keys"], first.removed["parameters"]) == (1, 1)
    end = json.loads(path.read_text().splitlines()[-1])["end"]["removed"]
    assert (end["keys"], end["parameters"]) == (2, 2)
