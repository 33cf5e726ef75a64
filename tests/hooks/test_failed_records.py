"""The rows that a run has rejected: what is asked for, what comes of it, and where no token goes."""

from __future__ import annotations

import gzip
import io
import json
from dataclasses import replace

import pytest

from airflow_provider_flowservice._client import client as client_module
from airflow_provider_flowservice._client import diagnostics
from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.exceptions import (
    FlowServiceAnswerError,
    FlowServiceError,
    FlowServiceNotFoundError,
    FlowServiceUnavailableError,
)
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.runs import DataflowRun
from helpers.canned_server import CannedServer, http_answer

META = "/data/foundation/export/batches/01B/meta"
FOLDER = f"{META}?path=row_errors"
FILE = f"{META}?path=row_errors%2Fparsing_errors_0.json"
ROW = {"id": "1", "_errors": [{"code": "1401", "message": "Row is corrupted"}]}


@pytest.fixture
def hook(flowservice):
    return FlowServiceHook(backoff=0)


@pytest.fixture
def rejecting_run(flowservice, hook):
    """Return a function that adds a run which rejects rows."""

    def add(failed_records=3, path=None):
        run_id = flowservice.add_run(
            flowservice.add_flow(), "success", failed_records=failed_records
        )
        manifest = flowservice.run(run_id)["activities"][-1]["statusSummary"]["extensions"]
        url = manifest["manifest"]["failedRecords"]
        url = url if path is None else url.partition("?")[0] + path
        return replace(hook.get_run(run_id), failed_records_url=url)

    return add


@pytest.fixture
def read(monkeypatch):
    """Return a function that reads the rejected rows that a server has for an address."""

    def read(answer, address=FOLDER, limit=1000, **kwargs):
        with CannedServer(answer) as server:
            monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", json.dumps(server.connection))
            hook = FlowServiceHook(**{"backoff": 0, "retries": 0, **kwargs})
            run = DataflowRun("r1", "f1", "success", failed_records_url=address)
            try:
                return list(hook.iter_failed_records(run, limit=limit))
            finally:
                read.seen = server.seen

    return read


def export_requests(flowservice):
    return [seen for seen in flowservice.requests if "/export/" in seen.path]


def listing(*hrefs, **more):
    return {"data": [{"name": "x", "_links": {"self": {"href": href}}} for href in hrefs], **more}


# Against the emulator


def test_the_rows_of_all_files_of_a_run(flowservice, hook, rejecting_run):
    rows = list(hook.iter_failed_records(rejecting_run(5)))

    assert [row["_filename"] for row in rows] == [
        "parsing_errors_0.json",
        *["conversion_errors_0.json"] * 4,
    ]
    assert rows[0]["_corrupt_record"] == "{missingQuotes: 'v0'}"
    assert all(row["_errors"][0]["code"] for row in rows)
    assert [dict(seen.query)["path"] for seen in export_requests(flowservice)] == [
        "row_errors",
        "row_errors/parsing_errors_0.json",
        "row_errors/conversion_errors_0.json",
    ]


def test_each_request_is_that_of_any_other_call(flowservice, hook, rejecting_run):
    run = rejecting_run()
    list(hook.iter_failed_records(run))

    of_run, *of_rows = [seen.headers for seen in flowservice.requests[1:]]
    assert len(of_rows) == 3
    assert all(headers == of_run for headers in of_rows)


def test_the_address_of_one_file(flowservice, hook, rejecting_run):
    run = rejecting_run(path="?path=row_errors%2Fconversion_errors_0.json")

    assert [row["id"] for row in hook.iter_failed_records(run)] == ["row-1", "row-2"]
    assert len(export_requests(flowservice)) == 1


def test_the_samples_are_a_file_as_well(hook, rejecting_run):
    run = rejecting_run(20, path="?path=row_error_samples.json")

    assert len(list(hook.iter_failed_records(run))) == 10


def test_no_more_rows_than_the_limit_and_no_further_file(flowservice, hook, rejecting_run):
    assert len(list(hook.iter_failed_records(rejecting_run(5), limit=1))) == 1
    assert len(export_requests(flowservice)) == 2

    assert len(list(hook.iter_failed_records(rejecting_run(5), limit=3))) == 3


def test_a_reader_that_stops_early_sends_nothing_more(flowservice, hook, rejecting_run):
    rows = hook.iter_failed_records(rejecting_run(5))
    assert export_requests(flowservice) == []

    next(rows)
    rows.close()

    assert len(export_requests(flowservice)) == 2


def test_a_run_without_rejected_rows_needs_no_request(flowservice, hook):
    run = DataflowRun("r1", "f1", "success", failed_records=0)

    assert list(hook.iter_failed_records(run)) == []
    assert list(hook.iter_failed_records(replace(run, failed_records=None))) == []
    assert flowservice.requests == []


def test_rejected_rows_without_an_address_are_told_with_what_to_do(flowservice, hook):
    run = DataflowRun("r1", "f1", "success", failed_records=2)

    with pytest.raises(FlowServiceNotFoundError, match="r1 .*error diagnostics may be off.*Switch"):
        hook.iter_failed_records(run)

    assert flowservice.requests == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"limit": 0}, "limit is 0, and must be an integer, 1 or more"),
        ({"limit": True}, "limit is True"),
        ({"limit": None}, "limit is None"),
        ({"run": "r1"}, "run is 'r1', and must be a DataflowRun"),
        ({"run": {"run_id": "r1"}}, "run is .*must be a DataflowRun"),
    ],
)
def test_wrong_arguments_are_refused_when_it_is_called(flowservice, hook, arguments, words):
    run = DataflowRun("r1", "f1", "success", failed_records_url=FOLDER)

    with pytest.raises(ValueError, match=words):
        hook.iter_failed_records(**{"run": run, **arguments})

    assert flowservice.requests == []


def test_rows_that_are_gone_are_told_with_the_reasons(hook):
    run = DataflowRun("r1", "f1", "success", failed_records_url=FOLDER)

    with pytest.raises(FlowServiceNotFoundError, match="30 days.*error diagnostics") as caught:
        next(hook.iter_failed_records(run))

    assert caught.value.http_status == 404


def test_an_unknown_sandbox_does_not_mean_that_the_rows_are_gone(flowservice, hook, rejecting_run):
    run = rejecting_run()
    flowservice.sandboxes = ["prod"]

    with pytest.raises(Exception, match="Check 'sandbox_name'") as caught:
        next(hook.iter_failed_records(run))

    assert "30 days" not in str(caught.value)


def test_transient_errors_are_retried_and_no_row_comes_twice(flowservice, hook, rejecting_run):
    flowservice.fail(Fault("GET /data/foundation/export", status=503, times=2))
    flowservice.fail(Fault("GET /data/foundation/export", kind="truncated", after=1))

    assert len(list(hook.iter_failed_records(rejecting_run(5)))) == 5


def test_errors_that_stay_are_those_of_any_other_call(flowservice, hook, rejecting_run):
    flowservice.fail(Fault("GET /data/foundation/export", status=503, times=None))

    with pytest.raises(FlowServiceUnavailableError, match="HTTP 503"):
        next(hook.iter_failed_records(rejecting_run()))


def test_a_token_that_is_refused_meanwhile_is_renewed(flowservice, hook, rejecting_run):
    rows = hook.iter_failed_records(rejecting_run(5))
    next(rows)
    flowservice.revoke_tokens()

    assert len(list(rows)) == 4


def test_an_error_that_quotes_the_secrets_is_blacked_out(flowservice, hook, rejecting_run):
    run = rejecting_run()
    token = hook.get_conn().get_token().text
    body = {"message": f"no access with {token} or {flowservice.client_secret}"}
    flowservice.fail(Fault("GET /data/foundation/export", status=404, body=body))

    with pytest.raises(FlowServiceNotFoundError, match=r"no access with \*\*\* or \*\*\*"):
        next(hook.iter_failed_records(run))


# Where the token goes


@pytest.mark.parametrize("host", ["https://platform.adobe.io", "http://elsewhere.example:1", ""])
def test_only_the_connections_own_host_is_called(read, host):
    answers = {FOLDER: listing(f"{host}:443{FILE}" if host else FILE), FILE: ROW}

    rows = read(lambda head: http_answer(200, answers[head.split()[1]]), host + FOLDER)

    assert rows == [ROW]
    assert read.seen == [f"GET {FOLDER}", f"GET {FILE}"]


ELSEWHERE = [
    "",
    "https://platform.adobe.io/data/foundation/flowservice/flows",
    "https://platform.adobe.io/data/foundation/export",
    "/data/foundation/export/../flowservice/runs/r1",
    "/data/foundation/export/%2e%2e/flowservice/runs/r1",
    "/data/foundation/export/..%2Fflowservice",
    "/data/foundation/export/x\\..\\y",
    "/data/foundation/export/./x",
    "/data/foundation/exports/x",
    "//data/foundation/export/x",
    f"{META}?path=a b",
    f"{META}?path=\u00e4",
    f"{META}\u00e4",
    "https://[/data",
    "@elsewhere.example",
    "row_errors",
]


@pytest.mark.parametrize("address", ELSEWHERE)
def test_an_address_that_leads_elsewhere_is_not_called(flowservice, hook, address):
    run = DataflowRun("r1", "f1", "success", failed_records_url=address)

    with pytest.raises(FlowServiceAnswerError, match="does not lead to .*so it was not called"):
        hook.iter_failed_records(run)

    assert flowservice.requests == []


@pytest.mark.parametrize("href", [*ELSEWHERE, None, 7, {"href": FILE}])
def test_nor_is_one_in_a_listing(read, href):
    for body in (listing(href), {"data": [], "_links": {"next": {"href": href or "x"}}}):
        with pytest.raises(FlowServiceAnswerError, match="does not lead to .*so it was not called"):
            read(lambda _, body=body: http_answer(200, body))

        assert read.seen == [f"GET {FOLDER}"]


# Listings


def test_further_pages_of_a_listing_are_read(read):
    second = f"{FOLDER}&start=2"
    answers = {
        FOLDER: listing(f"{FILE}1", _links={"next": {"href": second}}),
        second: listing(f"{FILE}2", _links={}),
        f"{FILE}1": {"id": 1},
        f"{FILE}2": {"id": 2},
    }

    assert read(lambda head: http_answer(200, answers[head.split()[1]])) == [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize("following", [FOLDER, {"href": FOLDER}])
def test_a_listing_that_leads_to_itself_ends(read, following):
    answers = {FOLDER: listing(FILE, FILE, FOLDER, _links={"next": following}), FILE: ROW}

    assert read(lambda head: http_answer(200, answers[head.split()[1]])) == [ROW]
    assert read.seen == [f"GET {FOLDER}", f"GET {FILE}"]


def test_listings_without_end_are_given_up(monkeypatch, read):
    monkeypatch.setattr(client_module, "_MOST_FILES", 7)

    def answer(head):
        return http_answer(200, listing(f"{head.split()[1]}x"))

    with pytest.raises(FlowServiceAnswerError, match="more than 7 files"):
        read(answer)

    assert len(read.seen) == 7


def test_an_empty_folder_has_no_rows(read):
    assert read(lambda _: http_answer(200, {"data": [], "_page": {"count": 0}})) == []


# Files


def lines(*texts):
    return lambda _: http_answer(200, "".join(f"{text}\n" for text in texts).encode())


def corrupt(text):
    return {"_corrupt_record": text}


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b"", []),
        (b"\n \n", []),
        (b'{"id": 1}', [{"id": 1}]),
        (b'{"id": 1}\r\n\r\n{"id": 2}\r\n', [{"id": 1}, {"id": 2}]),
        (json.dumps(ROW, indent=2).encode(), [ROW]),
        (json.dumps([ROW, {"id": 2}], indent=2).encode(), [ROW, {"id": 2}]),
        ((json.dumps(ROW, indent=2) + "\n").encode() * 2, [ROW, ROW]),
        (json.dumps([ROW, 7, "x"]).encode(), [ROW, corrupt("7"), corrupt('"x"')]),
        (
            b'{"id": 1}\n{"id": \n7\n[1]\n"x"\n',
            [{"id": 1}, *map(corrupt, ('{"id":', "7", "[1]", '"x"'))],
        ),
        (b'no JSON\n{"id": 2}\n', [corrupt("no JSON"), {"id": 2}]),
        (b'{"id": 1}\n\xff\xfe', [{"id": 1}, corrupt("\\xff\\xfe")]),
        (b'{"id": 1}\n' + b"[" * 9000, [{"id": 1}, corrupt("[" * 9000)]),
        (b'{"data": [{"_links": {}}, 1]}', [{"data": [{"_links": {}}, 1]}]),
        (b'{"data": "x"}', [{"data": "x"}]),
        (b'{"data": [], "_errors": []}', [{"data": [], "_errors": []}]),
    ],
)
@pytest.mark.parametrize("is_packed", [False, True])
def test_nothing_in_a_file_is_lost(read, body, rows, is_packed):
    packed = (gzip.compress(body), {"Content-Encoding": "gzip"}) if is_packed else (body, {})

    assert read(lambda _: http_answer(200, *packed), FILE) == rows


def test_rows_over_several_lines_that_are_cut_off_are_an_error(read):
    cut_off = json.dumps([ROW, ROW], indent=2).encode()[:-9]

    with pytest.raises(FlowServiceAnswerError, match="over several lines are no JSON"):
        read(lambda _: http_answer(200, cut_off), FILE)


def test_a_full_disk_is_no_error_of_the_network():
    class FullDisk(io.BytesIO):
        def write(self, part):
            raise OSError(28, "No space left on device")

    with pytest.raises(FlowServiceError, match="kept in a file: .*No space left") as raised:
        diagnostics.store([b"{}"], FullDisk(), most_rows=1)

    assert not raised.value.is_transient


def test_a_page_is_not_taken_for_rows(read):
    with pytest.raises(FlowServiceAnswerError, match="a page came.*check the Platform URL"):
        read(lambda _: http_answer(200, b"<html>Log in</html>"))


def test_a_file_is_read_as_far_as_it_is_needed(monkeypatch, read):
    monkeypatch.setattr(client_module, "LARGEST_RESPONSE", 300_000)
    answer = lines(*[json.dumps({"id": number, "text": "x" * 90}) for number in range(9000)])

    assert [row["id"] for row in read(answer, FILE, limit=1500)] == [*range(1500)]
    with pytest.raises(FlowServiceAnswerError, match="larger than 300000 bytes"):
        read(answer, FILE, limit=9000)


def test_blank_lines_count_as_no_rows(read):
    answer = lines('{"id": 1}', *[" " * 90] * 9000, '{"id": 2}', '{"id": 3}')

    assert read(answer, FILE, limit=2) == [{"id": 1}, {"id": 2}]


def test_a_row_over_several_lines_is_not_cut(read):
    row = {f"field {number}": number for number in range(20_000)}

    assert read(lambda _: http_answer(200, json.dumps(row, indent=1).encode()), limit=1) == [row]


@pytest.mark.parametrize("before", [b"", b'{"id": 1}\n'])
def test_a_row_beyond_measure_is_told(monkeypatch, read, before):
    monkeypatch.setattr(diagnostics, "LARGEST_PIECE", 1000)

    with pytest.raises(FlowServiceAnswerError, match="longer than 1000 bytes"):
        read(lambda _: http_answer(200, before + b'"' + b"x" * 1000 + b'"'), FILE)


def test_only_the_number_of_rows_limits_how_many_lines_a_file_may_have(monkeypatch, read):
    monkeypatch.setattr(diagnostics, "LARGEST_PIECE", 1000)
    answer = lines(*[json.dumps({"id": number}) for number in range(5000)])

    assert len(read(answer, FILE, limit=10_000)) == 5000
