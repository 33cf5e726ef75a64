"""Ten thousand exchanges with secrets planted everywhere: none of them is in the file."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from airflow_provider_flowservice._recording.recorder import Recorder, Response
from airflow_provider_flowservice.emulator.messages import Request
from airflow_provider_flowservice.emulator.recording import read
from helpers.planting import Planter, found_in

EXCHANGES = 10_000


@pytest.mark.once
def test_no_planted_secret_is_in_the_file(tmp_path, settings):
    path = tmp_path / "tenant.jsonl"
    planter, planted = Planter(seed=19), []

    with Recorder(path, settings) as recorder:
        for _ in range(EXCHANGES):
            request, response, secrets = planter.exchange()
            recorder.record(request, response, recorder.now())
            planted.append(secrets)

    lines = path.read_text().splitlines()
    exchanges = lines[1:-1]
    leaks = [
        (found, line)
        for secrets, line in zip(planted, exchanges, strict=True)
        if (found := found_in(line, secrets))
    ]
    everything = "\n".join([lines[0], lines[-1]])
    assert leaks == []
    assert not found_in(everything, [each for secrets in planted for each in secrets])
    kept = [json.loads(line)["response"]["body"] for line in exchanges]
    shown = json.dumps(kept)
    print(f"{EXCHANGES} exchanges, {4 * EXCHANGES} secrets, {len(leaks)} found")
    assert shown.count('"success"') > 1000  # what is harmless is there


def test_a_recording_that_is_recorded_again_is_the_same(tmp_path, settings):
    planter, first, second = Planter(seed=7), tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    with Recorder(first, settings) as recorder:
        for _ in range(1000):
            request, response, _ = planter.exchange()
            recorder.record(request, response, 0)

    recording = read(first)
    client = recording.client
    names = {key: client[key] for key in ("org_id", "sandbox_name")}
    with Recorder(second, replace(settings, api_key=client["client_id"], **names)) as recorder:
        for each in recording.exchanges:
            headers = {name.lower(): value for name, value in each.request_headers.items()}
            sent, body = (
                b"" if document is None else json.dumps(document).encode()
                for document in (each.request_body, each.body)
            )
            request = Request(each.method, each.path, each.query, headers, sent)
            recorder.record(request, Response(each.status, each.headers, body), 0)

    assert _shown(second) == _shown(first)


def _shown(path):
    exchanges = read(path).exchanges
    return [replace(each, at=0, seconds=0, refused="", removed={}) for each in exchanges]


@pytest.mark.parametrize(
    "spell",
    [
        str.upper,
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
        lambda text: text.encode().hex(),
        lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
    ],
)
def test_the_search_finds_each_spelling(spell):
    secret = "kqxzvwpjt"

    assert found_in(f'{{"key": "{spell(secret)}"}}', [secret]) == [secret]


def test_a_secret_that_the_user_keeps_would_be_found(tmp_path, settings):
    planter, path = Planter(seed=3), tmp_path / "kept.jsonl"
    planted = [planter.exchange() for _ in range(50)]
    words = [secret for each in planted for secret in each.secrets]

    with Recorder(path, settings, keep=words) as recorder:
        for request, response, _ in planted:
            recorder.record(request, response, 0)

    assert found_in(path.read_text(), words)
