"""Headers, organisations, sandboxes and roles."""

from __future__ import annotations

import pytest

FLOWS = "/data/foundation/flowservice/flows"
SANDBOXES = "/data/foundation/sandbox-management/"


@pytest.mark.parametrize(
    ("header", "value", "status", "code"),
    [
        ("Authorization", None, 403, "403010"),
        ("Authorization", "Bearer forged", 401, "401013"),
        ("x-api-key", None, 403, "403000"),
        ("x-api-key", "other", 403, "403003"),
        ("x-gw-ims-org-id", None, 400, "400003"),
        ("x-gw-ims-org-id", "other@AdobeOrg", 403, "403027"),
    ],
)
@pytest.mark.parametrize("path", [FLOWS, SANDBOXES])
def test_the_gateway_refuses(client, header, value, status, code, path):
    got, answer = client.send("GET", path, **{header: value})

    assert (got, answer["error_code"]) == (status, code)


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        (None, 400, "FLOW-2105-400"),
        ("nowhere", 404, "FLOW-2100-404"),
        ("*", 403, "FLOW-2111-403"),
    ],
)
def test_a_sandbox_is_named_and_known(client, name, status, code):
    got, answer = client.send("GET", FLOWS, x_sandbox_name=name)

    assert (got, answer["status"]) == (status, status)
    assert answer["type"].endswith(f"/{code}")


def test_a_sandbox_id_is_not_for_users(client):
    _, answer = client.send("GET", FLOWS, x_sandbox_id="1")

    assert answer["type"].endswith("FLOW-2110-400")


def test_ids_belong_to_one_sandbox(emulator, client, flow_id):
    run_id = emulator.add_run(flow_id)

    for path in (f"/flows/{flow_id}", f"/runs/{run_id}"):
        url = f"/data/foundation/flowservice{path}"
        assert client.send("GET", url)[0] == 200
        assert client.send("GET", url, x_sandbox_name="prod")[0] == 404
    url = f"/data/foundation/flowservice/runs?property=id=={run_id}"
    assert client.send("GET", url, x_sandbox_name="prod")[1]["items"] == []


def test_another_api_key_can_be_asked_for(emulator, client):
    emulator.api_key = "subscribed-key"

    assert client.send("GET", FLOWS)[0] == 403
    assert client.send("GET", FLOWS, x_api_key="subscribed-key")[0] == 200
    assert emulator.connection["extra"]["api_key"] == "subscribed-key"


def test_the_sandboxes_of_the_credential_are_listed(emulator, client):
    _, answer = client.send("GET", SANDBOXES, x_sandbox_name=None)
    emulator.sandboxes = []
    _, nothing = client.send("GET", SANDBOXES)

    assert [sandbox["name"] for sandbox in answer["sandboxes"]] == ["prod", "staging"]
    assert nothing["sandboxes"] == []


@pytest.mark.parametrize(
    ("forbidden", "key", "code"),
    [
        (True, "type", "https://ns.adobe.com/aep/errors/FLOW-2120-403"),
        ("gateway", "error_code", "403025"),
    ],
)
def test_a_credential_without_a_role_sees_nothing(emulator, client, forbidden, key, code):
    emulator.forbidden = forbidden
    status, answer = client.send("GET", FLOWS)

    assert (status, answer[key]) == (403, code)
    assert client.send("GET", SANDBOXES)[1]["sandboxes"] == []


def test_a_credential_that_may_not_manage_sources_may_read(emulator, client):
    emulator.forbidden = "manage"
    flow_id = emulator.add_flow(frequency="once")
    run_id = emulator.add_run(flow_id)
    tried = [
        client.retrigger(run_id),
        client.start(flow_id),
        client.send("POST", f"{FLOWS}/{flow_id}/action?op=disable"),
    ]

    assert [answer["type"].rpartition("/")[2] for _, answer in tried] == ["FLOW-2121-403"] * 3
    assert emulator.retriggers == emulator.starts == []
    assert client.status_of(run_id) == "failed"
    assert client.send("GET", SANDBOXES)[1]["sandboxes"] != []


def test_specs_of_connections_need_no_sandbox(client):
    path = "/data/foundation/flowservice/connectionSpecs?limit=1"

    assert client.send("GET", path, x_sandbox_name=None)[0] == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/data/foundation/flowservice/batches"),
        ("GET", f"{FLOWS}/a/b"),
        ("GET", f"{FLOWS}/a/action/b"),
        ("DELETE", "/data/foundation/flowservice/runs/r1"),
    ],
)
def test_an_unknown_path_is_answered_in_html(client, method, path):
    status, answer = client.send(method, path)

    assert status == 404
    assert answer.startswith("<html>")


@pytest.mark.parametrize(
    "call",
    [
        "GET /connections",
        "POST /connections/search",
        "PATCH /connections/c1",
        "DELETE /connections/c1/",
        "GET /connections/c1/explore",
        "PUT /connectionSpecs/s1",
        "GET /connectionSpecs/s1/configs",
        "POST /flows",
        "POST /flows/search",
        "PATCH /flows/f1",
        "DELETE /flows/f1",
        "POST /flowSpecs/search",
        "GET /sourceConnections",
        "DELETE /sourceConnections/s1",
        "POST /targetConnections/t1/action",
    ],
)
def test_what_is_documented_and_not_played_is_refused_in_words(client, call):
    method, path = call.split()
    status, answer = client.send(method, f"/data/foundation/flowservice{path}")

    assert (status, answer["status"], answer["title"]) == (501, 501, "Not played here")
    assert answer["errorMessage"] == f"The emulator does not play {call}."


def test_a_run_is_not_written_by_users(emulator, client, flow_id):
    run_id = emulator.add_run(flow_id)
    status, answer = client.send("PUT", f"/data/foundation/flowservice/runs/{run_id}", "{}")

    assert status == 400
    assert answer["type"].endswith("/FLOW-1427-400")


def test_an_error_names_the_request(client):
    client.connection.request("GET", f"{FLOWS}/nope", headers=client.headers)
    answer = client.connection.getresponse()

    assert answer.headers["x-request-id"].encode() in answer.read()
