"""Recording on the command line: around another command, and as a proxy for a DAG."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
import requests

from airflow_provider_flowservice.__main__ import main
from airflow_provider_flowservice._probe import ask
from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.emulator.recording import read


@pytest.fixture
def out(tmp_path):
    return tmp_path / "tenant.jsonl"


def private_words(emulator):
    """Return what identifies the emulator's customer."""
    flows = [emulator.flow(flow_id) for flow_id in emulator.flow_ids]
    names = [flow["name"] for flow in flows if flow["name"] != "Datalake to UIS Flow"]
    runs = [run_id for flow_id in emulator.flow_ids for run_id in emulator.run_ids(flow_id)]
    return [*names, *runs, *emulator.flow_ids, emulator.org_id, emulator.client_secret, "eyJ"]


def test_a_command_says_the_same_and_is_recorded(seeded_flowservice, out, capsys):
    # Its runs have ended, so that it says the same both times.
    command = ["failures", "--since", "2025-01-01", "--flow", "Orders nightly*"]
    plain = main(command), capsys.readouterr().out

    recorded = main(["record", "--out", str(out), *command])

    printed = capsys.readouterr()
    assert (recorded, printed.out) == plain
    assert recorded == 1
    recording = read(out)
    assert [each.path.split("/")[-1] for each in recording.exchanges] == ["v3", "flows", "runs"]
    assert recording.client["client_id"] == recording.exchanges[1].request_headers["x-api-key"]
    text = out.read_text()
    assert [word for word in private_words(seeded_flowservice) if word in text] == []
    assert f"Exchanges recorded in {out}: 3." in printed.err
    assert "Read the file before you send it to anybody" in printed.err


def test_the_check_is_recorded_through_a_connection_of_another_name(
    flowservice, out, capsys, monkeypatch
):
    monkeypatch.setenv("AIRFLOW_CONN_TENANT", flowservice.connection_json)
    monkeypatch.delenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT")

    assert main(["record", "--out", str(out), "--conn-id", "tenant", "check"]) == 0

    assert "ok      flows" in capsys.readouterr().out
    assert len(read(out).exchanges) == 3


def test_what_the_package_does_not_know_is_named_to_the_user_only(flowservice, out, capsys):
    body = {"items": [], "acmeKey": 1, "state": "Acmed"}
    flowservice.fail(Fault("GET /flows", status=200, body=body))

    main(["record", "--out", str(out), "check"])

    printed = capsys.readouterr().err
    assert "does not know these keys: acmeKey." in printed
    assert "does not know these words: Acmed." in printed
    assert "--keep WORD" in printed
    assert "acme" not in out.read_text().lower()


def test_what_the_user_keeps_is_there(flowservice, out, capsys):
    flowservice.fail(Fault("GET /flows", status=200, body={"items": [], "acmeKey": 1}))

    main(["record", "--out", str(out), "--keep", "acmeKey", "check"])

    assert read(out).exchanges[-1].body == {"items": [], "acmeKey": 1}
    assert "does not know" not in capsys.readouterr().err


def test_what_is_no_json_is_named(flowservice, out, capsys):
    flowservice.fail(Fault("GET /flows", status=404, body="<b>acme</b>"))

    main(["record", "--out", str(out), "check"])

    refused = "Not recorded: GET /data/foundation/flowservice/flows: The response has 11 bytes"
    assert refused in capsys.readouterr().err
    assert "acme" not in out.read_text()


def test_a_request_without_a_response_is_told_with_the_reason(seeded_flowservice, out, capsys):
    seeded_flowservice.fail(Fault("GET /flows/", kind="close_after"))

    assert main(["record", "--out", str(out), "probe"]) == 0

    err = capsys.readouterr().err
    reason = "Remote end closed connection without response."
    assert f" requests: {seeded_flowservice.url} got no response: {reason}\n" in err
    assert "Remote end" not in out.read_text()


def test_a_file_that_exists_is_kept(flowservice, out, capsys):
    out.write_text("mine")

    assert main(["record", "--out", str(out), "check"]) == 2

    assert f"--out: {out} cannot be made: File exists." in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert flowservice.requests == []


def test_a_folder_that_does_not_exist_is_not_made(flowservice, out, capsys):
    out = out.parent / "nowhere" / out.name

    assert main(["record", "--out", str(out), "check"]) == 2

    assert f"--out: {out} cannot be made: No such file or directory.\n" in capsys.readouterr().err


def test_a_command_that_is_interrupted_leaves_a_whole_recording(
    flowservice, out, capsys, monkeypatch
):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ask, "findings", interrupted)

    assert main(["record", "--out", str(out), "probe"]) == 130

    assert "Interrupted.\nExchanges recorded in " in capsys.readouterr().err
    assert "end" in json.loads(out.read_text().splitlines()[-1])


def test_a_port_that_is_taken_leaves_no_file(flowservice, out, capsys):
    port = flowservice.url.rpartition(":")[2]

    assert main(["record", "--out", str(out), "--port", port, "check"]) == 2

    assert (
        f"--port: {port} cannot be listened on: Address already in use." in capsys.readouterr().err
    )
    assert not out.exists()
    assert flowservice.requests == []


@pytest.mark.parametrize("port", ["acme", "-1", "65536"])
def test_a_wrong_port_is_refused(out, port, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["record", "--out", str(out), f"--port={port}", "check"])

    assert ended.value.code == 2
    assert "is no number from 0 to 65535" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["acme"], ["failures", "--acme"], ["record", "--out", "x"]])
def test_a_wrong_command_makes_no_file(flowservice, out, words):
    with pytest.raises(SystemExit) as ended:
        main(["record", "--out", str(out), *words])

    assert ended.value.code == 2
    assert not out.exists()


def test_a_connection_that_cannot_be_read_makes_no_file(out, capsys, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", '{"conn_type": "flowservice"}')

    assert main(["record", "--out", str(out), "check"]) == 3

    assert "'sandbox_name' is empty" in capsys.readouterr().err
    assert not out.exists()


def test_without_a_command_a_proxy_waits_for_a_dag(seeded_flowservice, out):
    command = [sys.executable, "-m", "airflow_provider_flowservice", "record", "--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    try:
        lines = iter(process.stderr.readline, "")
        url = next(line.split()[-1] for line in lines if "IMS URL" in line)
        response = requests.get(f"{url}/data/foundation/flowservice/runs", timeout=10)
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=30)
    finally:
        process.kill()

    assert process.returncode == 0
    assert f"Exchanges recorded in {out}: 1." in rest
    assert response.json()["error_code"] == "403010"  # it adds no credential
    (exchange,) = read(out).exchanges
    assert exchange.body == {"error_code": "403010", "message": "Oauth token is missing"}
    assert "end" in json.loads(out.read_text().splitlines()[-1])
