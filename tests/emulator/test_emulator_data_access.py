"""The rows that a run has rejected, as the Data Access API hands them out."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest

from airflow_provider_flowservice.emulator import Lifecycle


@pytest.fixture
def address_of(emulator):
    """Return a function that tells path and query of what a run has rejected."""

    def address_of(run_id, kind="failedRecords"):
        *_, promotion = emulator.run(run_id)["activities"]
        parts = urlsplit(promotion["statusSummary"]["extensions"]["manifest"][kind])
        return f"{parts.path}?{parts.query}"

    return address_of


def rows_in(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("rejected", [1, 2, 30])
def test_as_many_rows_as_the_run_has_rejected(emulator, client, flow_id, address_of, rejected):
    run_id = emulator.add_run(flow_id, "success", failed_records=rejected)

    status, listing = client.send("GET", address_of(run_id))

    assert status == 200
    assert listing["_page"]["count"] == len(listing["data"]) == min(rejected, 2)
    texts = []
    for entry in listing["data"]:
        href = entry["_links"]["self"]["href"]
        assert href.startswith(emulator.url)
        status, text = client.send("GET", href.removeprefix(emulator.url))
        assert (status, len(text)) == (200, int(entry["length"]))
        texts.append(text)
    rows = rows_in("".join(texts))
    assert len(rows) == rejected
    assert all(row["_errors"][0]["message"] and row["_filename"] for row in rows)


def test_samples_are_one_file(emulator, client, flow_id, address_of):
    run_id = emulator.add_run(flow_id, "success", failed_records=30)

    status, text = client.send("GET", address_of(run_id, "sampleErrors"))

    assert (status, len(rows_in(text))) == (200, 10)


def test_runs_have_batches_of_their_own(emulator, client, flow_id, address_of):
    few, many = (emulator.add_run(flow_id, "success", failed_records=n) for n in (1, 2))

    assert address_of(few) != address_of(many)
    counts = [client.send("GET", address_of(run))[1]["_page"]["count"] for run in (few, many)]
    assert counts == [1, 2]


def test_a_batch_is_there_once_the_run_has_ended(emulator, client, flow_id, address_of):
    source = emulator.add_run(flow_id, "failed")
    emulator.plan(source, Lifecycle(failed_records=3))
    run_id = client.retrigger(source)[1]["id"]
    batch = f"/data/foundation/export/batches/{emulator._state.runs[run_id].batch_id}/meta"

    before = client.send("GET", f"{batch}?path=row_errors")[0]
    client.status_of(run_id)

    assert (before, client.send("GET", address_of(run_id))[0]) == (404, 200)


@pytest.mark.parametrize("change", ["batch", "file", "folder", "nothing rejected", "sandbox"])
def test_what_is_not_there_is_a_404_in_json(emulator, client, flow_id, address_of, change):
    run_id = emulator.add_run(flow_id, "success", failed_records=3)
    address = address_of(run_id)
    headers = {}
    if change == "batch":
        address = address.replace("01EMULATOR", "02EMULATOR")
    elif change == "file":
        address += "/other.json"
    elif change == "folder":
        address = address.replace("row_errors", "input_files")
    elif change == "nothing rejected":
        clean = emulator.add_run(flow_id, "success")
        address = address.replace(
            emulator._state.runs[run_id].batch_id, emulator._state.runs[clean].batch_id
        )
    else:
        headers["x_sandbox_name"] = "prod"

    status, body = client.send("GET", address, **headers)

    assert (status, body["error_code"]) == (404, "404")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Authorization": "Bearer x"}, 401),
        ({"x_api_key": "x"}, 403),
        ({"x_gw_ims_org_id": "x"}, 403),
        ({"x_sandbox_name": None}, 400),
        ({"x_sandbox_name": "mars"}, 404),
    ],
)
def test_callers_are_checked_as_those_of_the_flow_service(
    emulator, client, flow_id, address_of, headers, expected
):
    address = address_of(emulator.add_run(flow_id, "success", failed_records=3))

    assert client.send("GET", address, **headers)[0] == expected


def test_a_credential_without_a_role_sees_no_rows(emulator, client, flow_id, address_of):
    address = address_of(emulator.add_run(flow_id, "success", failed_records=3))
    emulator.forbidden = True

    assert client.send("GET", address)[0] == 403


@pytest.mark.parametrize("path", ["", "batches", "batches/x", "batches/x/files", "files/x"])
def test_other_paths_are_served_by_nobody(client, path):
    assert client.send("GET", f"/data/foundation/export/{path}")[0] == 404
    assert client.send("POST", "/data/foundation/export/batches/x/meta")[0] == 404
