"""The token service, and what the gateway makes of tokens."""

from __future__ import annotations

import base64
import json
from urllib.parse import urlencode

import pytest

FORM = {
    "grant_type": "client_credentials",
    "client_id": "emulator-client-id",
    "client_secret": "emulator-secret-5f3c9a",
    "scope": "openid,AdobeID,read_organizations,additional_info.projectedProductContext,session",
}


def ask(client, **changes):
    form = urlencode({**FORM, **changes})
    return client.send("POST", "/ims/token/v3", form, Authorization=None)


def test_a_token_opens_the_gateway(client, flow_id):
    status, answer = ask(client)
    client.headers["Authorization"] = f"Bearer {answer['access_token']}"

    assert status == 200
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 86399)
    assert client.get(f"/flows/{flow_id}")


def test_the_form_may_come_as_a_query_and_its_secret_is_not_recorded(emulator, client):
    status, _ = client.send("POST", f"/ims/token/v2?{urlencode(FORM)}")

    assert status == 200
    assert FORM["client_secret"] not in repr(emulator.requests)


def test_a_token_tells_whose_it_is(emulator, client):
    _, answer = ask(client)
    claims = answer["access_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(claims + "=="))

    assert claims["client_id"] == emulator.client_id
    assert claims["org"] == emulator.org_id
    assert claims["expires_in"] == "86399000"


@pytest.mark.parametrize(
    ("changes", "error", "description"),
    [
        ({"client_secret": "x"}, "invalid_client", "invalid client_secret parameter"),
        ({"client_id": "x"}, "invalid_client", "invalid client_id parameter"),
        ({"scope": ""}, "invalid_scope", "scope not granted: (none)"),
        ({"scope": "openid, AdobeID"}, "invalid_scope", "scope not granted:  AdobeID"),
        ({"scope": "openid,session"}, "invalid_scope", "scope AdobeID is missing"),
        (
            {"grant_type": "password"},
            "unsupported_grant_type",
            "grant_type must be client_credentials",
        ),
    ],
)
def test_a_bad_form_gets_no_token(client, changes, error, description):
    status, answer = ask(client, **changes)

    assert status == 400
    assert answer == {"error": error, "error_description": description}


def test_a_token_expires_by_the_clock(emulator, client, clock):
    emulator.clock = clock
    emulator.token_lifetime = 60
    client.headers["Authorization"] = f"Bearer {ask(client)[1]['access_token']}"
    clock.now += 59
    client.get("/flows")
    clock.now += 1

    status, answer = client.send("GET", "/data/foundation/flowservice/flows")

    assert (status, answer["error_code"]) == (401, "401013")


def test_revoked_tokens_are_refused_and_new_ones_are_not(emulator, client):
    emulator.revoke_tokens()

    assert client.send("GET", "/data/foundation/flowservice/flows")[0] == 401
    client.headers["Authorization"] = f"Bearer {emulator.issue_token()}"
    assert client.get("/flows")
