"""
What the real service sent to someone is read as it should be.

Each file in ``tests/recordings`` is a recording. What the package cannot read in one of them stands in
``known-differences.json``, with the reason why that is known.
"""

from __future__ import annotations

import http.client
import json
from pathlib import Path

import pytest

from airflow_provider_flowservice.emulator import Replay
from airflow_provider_flowservice.emulator.playback import request_of
from airflow_provider_flowservice.emulator.recording import Recording, read
from helpers.differences import differences
from helpers.recordings import ABOUT, CLIENT, exchange, run_answer, run_json, write_recording

FOLDER = Path(__file__).parents[1] / "recordings"
FILES = sorted(FOLDER.glob("*.jsonl"))
KNOWN = json.loads((FOLDER / "known-differences.json").read_text(encoding="utf-8"))

MADE_HERE = "made here"
OF_MADE_HERE = [
    exchange("POST /ims/token/v3", {"access_token": "(removed)"}),
    exchange("GET /runs/run-1", run_answer("run-1", "inProgress"), headers={"x-request-id": "a"}),
    exchange("GET /runs/run-1", run_answer("run-1", "(word-1)"), headers={"x-request-id": "b"}),
    exchange("POST /runs/run-1/action?op=re-trigger", status=None),
    exchange("POST /runs", {"id": "run-2"}, 201, request_body={"flowId": "flow-1"}),
    exchange("GET /data/foundation/export/batches/batch-1/failed", refused="bytes"),
    exchange("GET /flows?limit=1", status=503, headers={"Retry-After": "5"}),
]
KNOWN_IN_MADE_HERE = {"GET /runs/{id}: unknown status '(word-1)'": "Such a run counts as running."}


@pytest.fixture(params=[MADE_HERE, *FILES], ids=lambda param: getattr(param, "name", param))
def recorded(request, tmp_path):
    """Path of a recording, and its known differences."""
    if request.param == MADE_HERE:
        return write_recording(tmp_path / "recording.jsonl", *OF_MADE_HERE), KNOWN_IN_MADE_HERE
    return request.param, KNOWN.get(request.param.name, {})


def test_a_recording_is_read_but_for_what_is_known(recorded):
    path, known = recorded

    found = differences(read(path))

    assert found == set(known), (
        "Let the package read what is new, or say in known-differences.json what it does about it. "
        "Take away there what is no longer found."
    )


def test_a_recording_is_played_as_it_was_recorded(recorded):
    path, _ = recorded
    with Replay(path) as replay:
        connection = http.client.HTTPConnection(replay.url.removeprefix("http://"))
        answers = [answer_to(each, connection) for each in replay.recording.exchanges]
        connection.close()

        assert replay.unanswered == []
        assert answers == [answer_in(each) for each in replay.recording.exchanges]


def test_every_known_difference_is_of_a_recording_and_has_a_reason():
    assert KNOWN.keys() <= {path.name for path in FILES}
    assert all(reason.endswith(".") for known in KNOWN.values() for reason in known.values())


def answer_to(recorded, connection):
    """Send a recorded request, and return what of the answer was recorded."""
    request = request_of(recorded)
    target = f"{request.path}?{request.raw_query}" if request.raw_query else request.path
    try:
        connection.request(request.method, target, request.body)
        response = connection.getresponse()
        content = response.read()
    except (http.client.RemoteDisconnected, ConnectionError):
        connection.close()
        return None, {}, None
    names = answer_in(recorded)[1]
    body = json.loads(content) if content else None
    return response.status, {name: response.headers[name] for name in names}, body


def answer_in(recorded):
    """Return what of a recorded answer is the same in each playback."""
    headers = {
        name: value
        for name, value in recorded.headers.items()
        if name.lower() not in {"date", "server"}
    }
    return recorded.status, headers, recorded.body


# What is a difference, and what is none


def error(code="FLOW-1439-404", status=404, **facts):
    """Return the JSON of an error."""
    kind = f"https://ns.adobe.com/aep/errors/{code}"
    return {"type": kind, "title": "Not found", "status": status, **facts}


NOT_THE_ONE = "ValueError('the response is another resource, or has no ID')"
THE_SAME = "the response names the same run, so a new one may have started or not."
RETRIGGER = "POST /runs/run-1/action?op=re-trigger"
AS_EXPECTED = [
    exchange("GET /runs", {"items": [run_json("run-1", "failed"), run_json("run-2", "success")]}),
    exchange("GET /runs", [run_json("run-1", "partialSuccess")]),
    exchange("GET /runs", {"items": [], "_links": {"next": {"href": "/runs?a=b"}}}),
    exchange("GET /runs/run-1", run_json("run-1", "failed")),
    exchange("GET /runs/RUN-1", run_answer("run-1", "failed")),
    exchange("GET /runs/run-1", {"id": "run-1", "flowId": "flow-1"}),
    exchange("GET /runs/run-1", status=None),
    exchange("GET /flows", {"items": [{"id": "flow-1", "state": "draft"}]}),
    exchange("GET /flows/flow-1", {"id": "flow-1", "state": "enabled"}),
    exchange("GET /sourceConnections/a", {"items": [{"id": "a"}]}),
    exchange("GET /targetConnections/a", {"items": [{"id": "a"}]}),
    exchange("GET /connections/a/test", {"result": False}),
    exchange("POST /flows/flow-1/action?op=enable"),
    exchange("POST /runs", {"items": [{"id": "run-1"}]}, 201),
    exchange(RETRIGGER, {"id": "run-2", "etag": "1"}),
    exchange(RETRIGGER, {"items": [{"id": "run-2"}]}, 201),
    exchange("GET /runs/run-1", error(), 404),
    exchange("GET /runs", {"error_code": "429050", "message": "Too many requests"}, 429),
    exchange("GET /runs", {"statusCode": 500, "code": 500, "message": "Server error"}, 500),
    exchange("GET /runs", status=502, refused="300 bytes that are no JSON"),
    exchange("GET /data/foundation/export/batches/a/failed", refused="9 bytes"),
    exchange("GET /elsewhere", 5),
]


@pytest.mark.parametrize("each", AS_EXPECTED, ids=range(len(AS_EXPECTED)))
def test_what_the_package_reads_is_no_difference(each):
    assert differences(Recording(ABOUT, CLIENT, [each])) == set()


@pytest.mark.parametrize(
    ("each", "difference"),
    [
        (
            exchange("GET /runs", {"items": [run_json("run-1", "(word-1)")]}),
            "GET /runs: unknown status '(word-1)'",
        ),
        (
            exchange("GET /runs/run-1", run_answer("run-1", "paused")),
            "GET /runs/{id}: unknown status 'paused'",
        ),
        (
            exchange("GET /runs/run-1", {"id": "run-1"}),
            "GET /runs/{id}: a run without a flow",
        ),
        (
            exchange("GET /runs", {"items": [{"flowId": "flow-1"}]}),
            "GET /runs: ValueError('a dataflow run without an ID')",
        ),
        (
            exchange("GET /runs/", {"results": [], "count": 0}),
            "GET /runs: the response holds no 'items', but results, count.",
        ),
        (
            exchange("GET /runs"),
            "GET /runs: the response holds no 'items', and is empty or no JSON.",
        ),
        (
            exchange("GET /runs", {"items": [5]}),
            "GET /runs: 'items' holds entries that are no objects.",
        ),
        (
            exchange("GET /runs", {"items": [], "_links": {"next": {"href": "/runs"}}}),
            "GET /runs: the link to the next page cannot be read.",
        ),
        (
            exchange("GET /runs", refused="The response has 7 bytes that are no JSON."),
            "GET /runs: The response has 7 bytes that are no JSON.",
        ),
        (exchange("GET /runs", status=302), "GET /runs: HTTP 302"),
        (
            exchange("GET /runs/run-1", {"items": []}),
            "GET /runs/{id}: ValueError('the response is empty')",
        ),
        (
            exchange("GET /runs/run-1", run_answer("run-2", "failed")),
            f"GET /runs/{{id}}: {NOT_THE_ONE}",
        ),
        (
            exchange("GET /runs/run-1", {"items": [run_json("run-1", "failed")] * 2}),
            "GET /runs/{id}: the response holds 2 items instead of one.",
        ),
        (
            exchange("GET /flows", {"items": [{"id": "flow-1"}]}),
            "GET /flows: a flow without a state",
        ),
        (
            exchange("GET /flows/flow-1", {"items": [{"id": "flow-1"}]}),
            "GET /flows/{id}: a flow without a state",
        ),
        (
            exchange("GET /targetConnections/a", {"count": 1}),
            "GET /targetConnections/{id}: the response holds no 'items', but count.",
        ),
        (
            exchange("GET /sourceConnections/a", {"id": "b"}),
            f"GET /sourceConnections/{{id}}: {NOT_THE_ONE}",
        ),
        (
            exchange("GET /connections/a/test", {"result": "yes"}),
            "GET /connections/{id}/test: the response does not say whether the account works",
        ),
        (
            exchange(RETRIGGER, {"items": [{"etag": "1"}]}),
            "POST /runs/{id}/action: the response names no new run.",
        ),
        (
            exchange(RETRIGGER, {"id": "run-1"}),
            f"POST /runs/{{id}}/action: {THE_SAME}",
        ),
        (
            exchange("POST /runs", {"items": []}, 201),
            "POST /runs: the response names no new run.",
        ),
        (
            exchange("GET /runs", {"error": {"code": "X1"}, "message": "No"}, 400),
            "GET /runs: HTTP 400 has a code in 'error.code' that is not read",
        ),
        (
            exchange("GET /runs", {"title": "No", "causes": ["see FLOW-1439-404"]}, 400),
            "GET /runs: HTTP 400 has a code in 'causes' that is not read",
        ),
        (
            exchange("GET /runs", {"error_code": "429050", "reason": "Too many"}, 429),
            "GET /runs: HTTP 429 has no text that is read",
        ),
        (
            exchange("GET /runs/run-1", ["not found"], 404),
            "GET /runs/{id}: HTTP 404 has no text that is read",
        ),
    ],
)
def test_what_the_package_does_not_read_is_a_difference(each, difference):
    assert differences(Recording(ABOUT, CLIENT, [each])) == {difference}


def test_a_difference_that_comes_again_is_the_same():
    broken = exchange("GET /runs", {"items": [run_json("run-1", "a"), {}, run_json("run-2", "b")]})
    listed = exchange("GET /runs", {"items": [run_json("run-1", "b"), run_json("run-2", "a")]})

    assert differences(Recording(ABOUT, CLIENT, [broken, *AS_EXPECTED, listed, listed])) == {
        "GET /runs: ValueError('a dataflow run without an ID')",
        "GET /runs: unknown status 'a'",
        "GET /runs: unknown status 'b'",
    }
