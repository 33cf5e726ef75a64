"""What a recording keeps of a value, what it replaces, and what it leaves out."""

from __future__ import annotations

import json

import pytest

from airflow_provider_flowservice._recording.scrub import Scrubber, UnreadableError

RUN_ID, FLOW_ID = "65b7cfcc-6b2e-47c8-8194-13005b792752", "F2C8362E-8CC4-4C11-B4A0-8D5E2B9B4F0A"


@pytest.fixture
def scrubber():
    return Scrubber()


def scrubbed(document, keep=()):
    return Scrubber(keep).json(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("document", "shown"),
    [
        ({"status": "inProgress"}, {"status": "inProgress"}),
        ({"status": "Partial_Success"}, {"status": "Partial_Success"}),
        ({"status": "Acme"}, {"status": "(word-1)"}),
        ({"status": 404}, {"status": 404}),
        ({"status": 4711}, {"status": None}),
        ({"isSourceFlow": True}, {"isSourceFlow": True}),
        ({"inputRecordCount": -1}, {"inputRecordCount": -1}),
        ({"inputRecordCount": "4200"}, {"inputRecordCount": "4200"}),
        ({"inputRecordCount": 4111_1111_1111_1111}, {"inputRecordCount": None}),
        ({"inputRecordCount": 3782_822463_10005}, {"inputRecordCount": None}),
        ({"inputRecordCount": "378282246310005"}, {"inputRecordCount": "(removed)"}),
        ({"inputRecordCount": 0.4111111111111111}, {"inputRecordCount": None}),
        ({"inputRecordCount": 5.0}, {"inputRecordCount": 5.0}),
        ({"createdAt": 1700000000.4111}, {"createdAt": None}),
        ({"id": 7}, {"id": 7}),
        ({"id": 7.4111}, {"id": None}),
        ({"version": 1.4111}, {"version": None}),
        ({"status": 404.4111}, {"status": None}),
        ({"inputRecordCount": "0049301234567"}, {"inputRecordCount": "(removed)"}),
        ({"inputRecordCount": "0"}, {"inputRecordCount": "0"}),
        ({"inputRecordCount": "-1"}, {"inputRecordCount": "-1"}),
        ({"inputRecordCount": "many"}, {"inputRecordCount": "(removed)"}),
        ({"createdAt": 1700000016000}, {"createdAt": 1700000016000}),
        ({"startTime": "1700000000"}, {"startTime": "1700000000"}),
        ({"createdAt": 123456789}, {"createdAt": None}),
        ({"updated": 0}, {"updated": 0}),
        ({"code": "CONNECTOR-1001-500"}, {"code": "CONNECTOR-1001-500"}),
        ({"code": "2200"}, {"code": "2200"}),
        ({"code": "1387-400"}, {"code": "1387-400"}),
        ({"code": "ACME-1001-500"}, {"code": "(word-1)"}),
        ({"code": "4471-555"}, {"code": "(word-1)"}),
        ({"error": "invalid_client"}, {"error": "invalid_client"}),
        ({"error_code": 401013}, {"error_code": 401013}),
        ({"version": "1.0"}, {"version": "1.0"}),
        ({"latencySummary": None}, {"latencySummary": None}),
        ({"metrics": "text"}, {"metrics": "(removed)"}),
        ({"acmeSecret": {"status": "failed"}}, {}),
        ({"access_token": "eyJhbGciOi"}, {"access_token": "(removed)"}),
        ({"createdClient": "exc_app"}, {"createdClient": "exc_app"}),
        ({"createdBy": "acp_foundation_connectors@AdobeID"},) * 2,
        ({"imsOrgId": "0123ABC@AdobeOrg"}, {"imsOrgId": "NAME-1@AdobeOrg"}),
        ({"etag": '"0e01-64ee"'}, {"etag": '"id-1"'}),
        ([[{"id": "acme"}]], [[{"id": "id-1"}]]),
        ("text", "(removed)"),
    ],
)
def test_a_value_is_kept_if_it_is_of_the_kind_of_its_key(document, shown):
    assert scrubbed(document) == shown


@pytest.mark.parametrize(
    "text",
    [
        "An internal error has occurred. Please try again.",
        "If the problem persists, please contact customer support.",
        "The service is temporarily unavailable.",
        "The limit and count parameters cannot be given together in the same request.",
        "Error from flow provider: Resource with given id does not exist.",
        "Invalid value for field createdAt.",
        "Supplied version does not match the current version on entity",
        "Incorrect field passed in orderBy",
        "State delete-finalizing is not a valid value.",
        "Allowed values are [enabled, disabled, initializing].",
        "The permission manage is denied on resource Enterprise Source.",
        "The params provided for creating flow run are invalid or empty.",
        "The provided operation is unsupported. Please check the operation provided and try again.",
        "Too many requests",
        "User region is missing",
        "Api Key is required",
    ],
)
def test_a_text_without_names_is_kept(text):
    shown = scrubbed({"message": text})["message"]

    assert shown == "".join(each for each in text if each not in ".,[]:")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Dataflow run is in an invalid state", "Dataflow run is in an invalid state"),
        (
            "The requested runs resource 6f0c2a6e is not found.",
            "The requested runs resource … is not found",
        ),
        ("Error from acme-host (10.0.0.1): FLOW-1439-404", "Error from … FLOW-1439-404"),
        ("Error 1387-400", "Error 1387-400"),
        ("PIN 4711", "…"),
        ("Call 4471-555", "…"),
        ("run(jane)failed, password=acme;key='4711'", "run … failed … key …"),
        ("('', \"\", ...)", ""),
        (
            "The flow=Acme is in state=disabled and cannot be re-triggered.",
            "The flow … is in state disabled and cannot be re-triggered",
        ),
        ("invalid client_secret parameter",) * 2,
        ("The header x-gw-ims-org-id is missing in the request",) * 2,
        (
            "ErrorCode=SftpNetworkIssue,'Type=...HybridException,Message=Meet network issue",
            "ErrorCode SftpNetworkIssue Type … Message … network issue",
        ),
        (
            "server 'sftp.acme.com', SocketErrorCode: 'TimedOut'",
            "server … SocketErrorCode TimedOut",
        ),
        (
            "AADSTS7000222: client secret of 'a1b2' expired",
            "AADSTS7000222 client secret of … expired",
        ),
        ("AADSTS4111111", "…"),
    ],
)
def test_a_text_keeps_the_words_of_adobes_messages(text, shown):
    assert scrubbed({"message": text}) == {"message": shown}


def test_what_a_customer_calls_a_thing_is_no_text_of_an_error():
    sandbox = {"title": "Data of the platform", "state": "active"}
    flow = {"description": "Failed files of the target"}
    error = {"code": "CTOR-2001-500", "description": "The field does not exist in the target"}

    assert scrubbed([sandbox, flow, error]) == [
        {"title": "name-1", "state": "active"},
        {"description": "name-2"},
        error,
    ]


def test_what_was_equal_stays_equal(scrubber):
    runs = {"items": [{"id": RUN_ID, "flowId": FLOW_ID}, {"id": RUN_ID.upper()}]}

    shown = scrubber.json(json.dumps(runs).encode())

    first, second = shown["items"]
    assert first["id"] == "aaaaaaaa-0000-4000-8000-000000000001"
    assert first["flowId"] == "AAAAAAAA-0000-4000-8000-000000000002"
    assert second["id"] == first["id"].upper()
    assert scrubber.path(f"/runs/{RUN_ID}") == f"/runs/{first['id']}"
    query = scrubber.query(f"property=id%3D%3D{RUN_ID},x&limit=2")
    assert query == f"property=id=={first['id']},id-3&limit=2"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("orderby=-createdAt&limit=100", "orderby=-createdAt&limit=100"),
        ("orderby=%2BcreatedAt", "orderby=%2BcreatedAt"),
        ("orderby=acme", "orderby=%28removed%29"),
        ("property=createdAt%3E1700000000000", "property=createdAt%3E1700000000000"),
        ("property=metrics.statusSummary.status==Failed",) * 2,
        ("property=name==%22Acme%22", "property=name==%22name-1%22"),
        ("property=acme==failed", "property=%28removed%29"),
        ("op=re-trigger", "op=re-trigger"),
        ("acme=1&count=true", "count=true"),
        ("continuationToken=YWNtZQ==", "continuationToken=page1="),
        ("continuationToken=YW%2FtZQ%3D%3D", "continuationToken=page1%2F%3D"),
        ("limit=acme", "limit=%28removed%29"),
        ("limit=7177767676", "limit=%28removed%29"),
    ],
)
def test_a_query_keeps_what_is_known(scrubber, query, shown):
    assert scrubber.query(query) == shown


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("/runs?continuationToken=abc&limit=2", "/runs?continuationToken=page1&limit=2"),
        (
            "https://platform.adobe.io/data/foundation/export/batches/01hf/meta?path=row_errors",
            "https://platform.adobe.io/data/foundation/export/batches/id-1/meta?path=row_errors",
        ),
        ("https://user:pw@acme.com:8443/runs", "https://host-1.example/runs"),
        ("acme/sales/2024-01-01.csv", "id-1/id-2/id-3"),
        ("/runs/4471-555", "/runs/id-1"),
        ("s3://acme/sales", "name-1"),
        ("https://[acme/", "name-1"),
        ("https:acme", "name-1"),
        ("//acme/sales", "name-1"),
        ("////acme/sales", "name-1"),
        ("sales.csv", "name-1"),
    ],
)
def test_an_address_keeps_its_form(link, shown):
    assert scrubbed({"href": link}) == {"href": shown}


def test_the_kind_of_a_problem_is_its_address():
    kind = "https://ns.adobe.com/aep/errors/FLOW-1439-404"

    assert scrubbed({"type": kind}) == {"type": kind}
    assert scrubbed({"type": "SourceConnection"}) == {"type": "SourceConnection"}
    assert scrubbed({"type": "s3://acme/sales"}) == {"type": "(word-1)"}


def test_headers_are_kept_if_their_values_are_as_they_should_be(scrubber):
    date = "Sun, 29 Nov 2026 16:59:52 GMT"
    headers = {
        "date": date,
        "Retry-After": "3000",
        "Content-Type": "application/json;charset=acme",
        "X-RateLimit-Remaining": "12",
        "RateLimit-Reset": "acme",
        "X-RateLimit-Reset": "1764435592",
        "RateLimit-Limit": "1764435592",
        "Server": "acme",
        "Set-Cookie": "acme",
    }

    assert scrubber.response_headers(headers) == {
        "date": date,
        "Retry-After": "3000",
        "Content-Type": "application/json",
        "X-RateLimit-Remaining": "12",
        "X-RateLimit-Reset": "1764435592",
    }
    assert scrubber.removed["headers"] == 4


def test_the_retry_after_may_be_a_date(scrubber):
    given = {"Retry-After": "Sun, 29 Nov 2026 16:59:52 GMT", "Date": "acme"}

    assert scrubber.response_headers(given) == {"Retry-After": given["Retry-After"]}


def test_a_request_shows_who_asks_by_other_names(scrubber):
    headers = {
        "authorization": "Bearer eyJ",
        "x-api-key": "acme-client",
        "x-sandbox-name": "acme",
        "content-type": "application/json",
        "cookie": "acme",
    }

    assert scrubber.request_headers(headers) == {
        "Content-Type": "application/json",
        "x-api-key": "name-1",
        "x-sandbox-name": "name-2",
    }
    # So that a recording shows whether the service names the client that asked.
    assert scrubber.json(b'{"createdClient": "acme-client"}') == {"createdClient": "name-1"}


@pytest.mark.parametrize(
    "content",
    [
        b"<html>acme</html>",
        b'{"id": "acme"',
        b'{"id": 1}\n{"id": 2}',
        b'{"count": NaN}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"count": ' + b"9" * 10_000 + b"}",
    ],
)
def test_what_cannot_be_parsed_is_refused_and_not_quoted(scrubber, content):
    with pytest.raises(UnreadableError) as refusal:
        scrubber.json(content)

    assert str(refusal.value) == f"{len(content)} bytes that are no JSON"


def test_numbers_beyond_all_bounds_are_left_out(scrubber):
    content = b'{"count": 1e999, "limit": -1e999, "createdAt": 1e999, "status": 1e999, "id": 1e999}'

    assert set(scrubber.json(content).values()) == {None}


def test_a_name_of_many_suffixes_is_one_name(scrubber):
    name = "acme" + "@AdobeID" * 5000

    assert scrubber.request_headers({"x-api-key": name}) == {"x-api-key": "name-1@AdobeID"}


def test_what_looks_scrubbed_may_still_be_a_secret(scrubber):
    given = {"status": "(word-4111111111111111)", "name": "name-4111", "id": "id-4111"}

    assert scrubber.json(json.dumps(given).encode()) == {
        "status": "(word-1)",
        "name": "name-1",
        "id": "id-2",
    }


def test_half_a_character_is_no_crash(scrubber):
    assert scrubber.json(rb'{"continuationToken": "\ud800"}') == {"continuationToken": "page1"}
    assert scrubber.json(rb'{"href": "/runs?continuationToken=\ud801&name=\ud800"}') == {
        "href": "/runs?continuationToken=page2&name=name-1"
    }


def test_tokens_that_differ_in_their_case_are_different(scrubber):
    queries = ["continuationToken=aB", "continuationToken=Ab", "continuationToken=aB"]

    shown = [scrubber.query(query) for query in queries]

    assert shown == [f"continuationToken=page{number}" for number in (1, 2, 1)]


def test_no_body_is_none(scrubber):
    assert scrubber.json(b"") is None


def test_what_the_user_calls_harmless_is_kept():
    document = {"acmeStatus": "Suspended by owner", "acmeCount": 3, "status": "Suspended"}

    shown = scrubbed(document, keep=["acmeStatus", "acmeCount", "Suspended"])

    assert shown == {"acmeStatus": "Suspended by …", "acmeCount": 3, "status": "Suspended"}


def test_what_was_left_out_is_counted_and_named_for_the_user(scrubber):
    scrubber.json(b'{"acme": 1, "status": "Suspended", "message": "acme", "items": [{"acme": 2}]}')

    assert scrubber.unknown_keys == {"acme": 2}
    assert scrubber.unknown_words == {"Suspended": 1}
    assert scrubber.removed == {"keys": 2, "words": 1, "texts": 1}


def test_what_is_scrubbed_already_stays_as_it_is():
    document = {
        "items": [
            {
                "id": RUN_ID,
                "etag": '"x"',
                "status": "Acme",
                "state": RUN_ID,
                "type": "s3://acme/sales",
                "runs": "https:acme",
                "message": "acme is not found",
                "imsOrgId": "ABC@AdobeOrg",
                "createdBy": "x@AdobeID@AdobeID",
                "path": "https://acme.com/a/b?path=c",
                "access_token": "x",
                "createdAt": 1,
            }
        ],
        "_links": {"next": {"href": "/runs?continuationToken=a%3D=&property=id==a,b"}},
    }

    once = scrubbed(document)

    assert scrubbed(once) == once
