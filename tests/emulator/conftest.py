from __future__ import annotations

import http.client
import json
from urllib.parse import quote, urlencode

import pytest

from airflow_provider_flowservice.emulator import FlowServiceEmulator
from helpers.fake_clock import FakeClock

BASE = "/data/foundation/flowservice"


class Client:
    """A plain HTTP client with a good token, on one kept connection."""

    def __init__(self, emulator):
        self.emulator = emulator
        self.headers = {
            "Authorization": f"Bearer {emulator.issue_token()}",
            "x-api-key": emulator.client_id,
            "x-gw-ims-org-id": emulator.org_id,
            "x-sandbox-name": "staging",
        }
        self.connection = http.client.HTTPConnection(emulator.url.removeprefix("http://"))

    def send(self, method, path, body=None, **headers):
        """Send a request; a header of ``None`` is left out."""
        changes = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {k: v for k, v in {**self.headers, **changes}.items() if v is not None}
        self.connection.request(method, path, body, sent)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        is_json = answer.headers["Content-Type"] == "application/json"
        return answer.status, json.loads(text) if is_json else text

    def get(self, path, *properties, **parameters):
        """Return the body of a successful ``GET``."""
        pairs = [("property", text) for text in properties] + list(parameters.items())
        query = "?" + urlencode(pairs, quote_via=quote) if pairs else ""
        status, body = self.send("GET", f"{BASE}{path}{query}")
        assert status == 200, body
        return body

    def status_of(self, run_id):
        """Poll a run and return its status."""
        (run,) = self.get(f"/runs/{run_id}")["items"]
        return run["metrics"]["statusSummary"]["status"]

    def retrigger(self, run_id, op="re-trigger"):
        """Return status and body of a re-trigger."""
        return self.send("POST", f"{BASE}/runs/{run_id}/action?op={op}")

    def start(self, flow_id, **params):
        """Return status and body of a call for an on-demand run."""
        return self.send("POST", f"{BASE}/runs", json.dumps(self.start_body(flow_id, **params)))

    def start_body(self, flow_id, **params):
        """Return the body of a call for an on-demand run; a parameter of ``None`` is left out."""
        now = int(self.emulator.clock())
        times = {"startTime": now, "windowStartTime": now - 7200, "windowEndTime": now - 3600}
        sent = {name: value for name, value in {**times, **params}.items() if value is not None}
        return {"flowId": flow_id, "params": sent}

    def control(self, method, name, body=None):
        """Call one of the emulator's own endpoints."""
        return self.send(method, f"/_emulator/{name}", body and json.dumps(body))


@pytest.fixture
def emulator():
    with FlowServiceEmulator() as emulator:
        yield emulator


@pytest.fixture
def make_client():
    """Return a function that returns a client of an emulator."""
    made = []

    def make(emulator):
        made.append(Client(emulator))
        return made[-1]

    yield make
    for client in made:
        client.connection.close()


@pytest.fixture
def client(emulator, make_client):
    return make_client(emulator)


@pytest.fixture
def flow_id(emulator):
    return emulator.add_flow()


@pytest.fixture
def clock():
    return FakeClock()
