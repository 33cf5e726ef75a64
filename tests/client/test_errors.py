"""How error answers are told: every body shape, every hint, and no secret."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice._client.errors import error_of, without_secrets
from airflow_provider_flowservice._client.http import HttpResponse
from airflow_provider_flowservice.exceptions import (
    FlowServiceApiError,
    FlowServiceAuthError,
    FlowServiceNotFoundError,
    FlowServiceThrottledError,
    FlowServiceUnavailableError,
)


def told(status, body=None, text="", headers=None):
    return error_of(HttpResponse(status, headers or {}, body, text), "GET /runs/r1")


def flow_error(code, **fields):
    return {"type": f"https://ns.adobe.com/aep/errors/{code}", "title": "Invalid request", **fields}


# Body shapes


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({"error_code": "403010", "message": "Oauth token is missing."}, "403010", "Oauth token"),
        ({"error_code": 403010, "message": "Oauth token is missing."}, "403010", "Oauth token"),
        (
            flow_error(
                "FLOW-1439-404",
                report={"detailed-message": "The run is not found.", "request-id": "q3f7"},
                errorMessage="another text",
                errorDetails={"an": "object"},
            ),
            "FLOW-1439-404",
            "The run is not found",
        ),
        (
            {"errorMessage": 'Supplied version=["0200"] does not match'},
            None,
            'Supplied version=["0200"] does not match',
        ),
        (
            {
                "type": "/placeholder/type/uri",
                "status": 400,
                "title": "BadRequestError",
                "detail": "A valid content-type must be specified",
            },
            None,
            "A valid content-type must be specified",
        ),
        (
            {
                "type": "http://ns.adobe.com/aep/errors/SMS-2010-403",
                "title": "Forbidden",
                "status": 403,
                "report": {"tenantInfo": {"sandboxName": "dev"}},
                "error-chain": [{"serviceId": "SMS", "errorCode": "SMS-2010-403"}],
            },
            "SMS-2010-403",
            "Forbidden",
        ),
        (
            {"error": "invalid_client", "error_description": "invalid client_id parameter"},
            "invalid_client",
            "invalid client_id parameter",
        ),
    ],
    ids=["gateway", "gateway, number", "service", "older", "generic", "other service", "ims"],
)
def test_the_best_code_and_text_of_each_shape_are_told(body, code, words):
    error = told(400, body)

    assert error.code == code
    assert str(error).startswith("GET /runs/r1 returned HTTP 400")
    assert words in str(error)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<html><head><TITLE>502 Bad\nGateway</TITLE></head><body>x</body></html>", "502 Bad Gate"),
        ("<p>Sorry,</p><p>no.</p>", "Sorry, no."),
        ("upstream connect error", "upstream connect error"),
    ],
)
def test_html_and_plain_text_are_told_as_one_line(text, words):
    message = str(told(502, text=text))

    assert words in message
    assert "\n" not in message
    assert "<" not in message


@pytest.mark.parametrize("body", [None, {}, [], [1], "text", 7, True, {"message": None}])
def test_a_body_that_says_nothing_is_told_by_its_status(body):
    assert str(told(418, body)) == "GET /runs/r1 returned HTTP 418."


@pytest.mark.parametrize(
    "names",
    [
        ("errorMessage", "errorDetails", "detail", "message", "error_description", "title"),
    ],
)
def test_the_most_telling_text_goes_first(names):
    body = {name: f"the {name}" for name in names}
    for name in names:
        assert f"the {name}." in str(told(400, body))
        del body[name]


def test_text_that_is_blank_or_no_text_gives_way_to_the_next():
    body = {"report": {"detailed-message": " "}, "errorMessage": 7, "detail": {}, "title": "Why"}

    assert "HTTP 400: Why." in str(told(400, body))


def test_the_request_id_is_told_for_adobes_support():
    by_header = told(404, {"report": {"request-id": "body"}}, headers={"x-request-id": "header"})
    by_body = told(404, {"report": {"request-id": "body"}})

    assert (by_header.request_id, by_body.request_id) == ("header", "body")
    assert str(by_body).endswith("(x-request-id body)")


def test_a_wish_to_wait_is_told():
    error = told(429, headers={"Retry-After": "3000"})

    assert error.retry_after == 3000
    assert "asks to wait 3000 s" in str(error)


def test_what_the_service_sends_stays_one_line_of_bounded_length():
    error = told(400, {"message": "a\r\n2026-01-01 ERROR forged\x00\ud800" + "x" * 10**6})

    assert len(str(error)) < 700
    assert str(error).isprintable()


# Which error


@pytest.mark.parametrize(
    ("status", "body", "text", "error_class"),
    [
        (400, {}, "", FlowServiceApiError),
        (401, {}, "", FlowServiceAuthError),
        (403, None, "", FlowServiceAuthError),
        (404, flow_error("FLOW-1439-404"), "", FlowServiceNotFoundError),
        (404, None, "", FlowServiceNotFoundError),
        (404, None, "<html>404</html>", FlowServiceUnavailableError),  # not the service speaking
        (404, flow_error("FLOW-2100-404"), "", FlowServiceApiError),  # the sandbox is missing
        (404, flow_error("FLOW-2101-404"), "", FlowServiceApiError),
        (404, flow_error("FLOW-2103-404"), "", FlowServiceApiError),
        (408, {}, "", FlowServiceUnavailableError),
        (412, flow_error("FLOW-1404-412"), "", FlowServiceApiError),
        (429, None, "", FlowServiceThrottledError),
        (400, {"error_code": "429050"}, "", FlowServiceThrottledError),
        (400, flow_error("FLOW-2114-400"), "", FlowServiceAuthError),  # an empty token
        (400, flow_error("FLOW-2115-400"), "", FlowServiceAuthError),
        (500, flow_error("FLOW-2116-500"), "", FlowServiceUnavailableError),
        (503, None, "<html>", FlowServiceUnavailableError),
        (504, flow_error("FLOW-1104-504"), "", FlowServiceUnavailableError),
        (302, None, "", FlowServiceApiError),
    ],
)
def test_the_http_status_decides_where_the_code_does_not_know_better(
    status, body, text, error_class
):
    assert type(told(status, body, text)) is error_class


def test_the_status_counts_and_not_the_number_in_the_code():
    # The catalogue lists 1439-400; answers carry 404.
    assert type(told(404, flow_error("FLOW-1439-400"))) is FlowServiceNotFoundError
    assert type(told(400, flow_error("FLOW-1439-404"))) is FlowServiceApiError


# What to do


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, {"error_code": "400003"}, "org_id"),
        (401, {"error_code": "401013"}, "expired, was revoked"),
        (403, {"error_code": "403000"}, "API key is missing"),
        (403, {"error_code": "403003"}, "Experience Platform API is not added"),
        (403, {"error_code": "403010"}, "proxy"),
        (403, {"error_code": "403025"}, "not entitled"),
        (403, {"error_code": "403027"}, "product profile"),
        (401, flow_error("FLOW-2000-401"), "no access to the organization"),
        (401, flow_error("FLOW-2001-401"), "org_id"),
        (404, flow_error("FLOW-2100-404"), "Check 'sandbox_name'"),
        (400, flow_error("FLOW-2105-400"), "Check 'sandbox_name'"),
        (400, flow_error("FLOW-2110-400"), "Check 'sandbox_name'"),
        (403, flow_error("FLOW-2111-403"), "Check 'sandbox_name'"),
        (400, flow_error("FLOW-2115-400"), "token is invalid"),
        (403, flow_error("FLOW-2118-403"), "role with View Sources and Manage Sources"),
        (403, flow_error("FLOW-2120-403"), "access label"),
        (403, flow_error("FLOW-2121-403"), "Permissions > Roles > API credentials"),
        (401, {}, "drop_tokens()"),  # some services say 401 for a missing permission
        (404, flow_error("FLOW-1439-404"), "IDs belong to one sandbox.*access label"),
        (400, flow_error("FLOW-1449-400"), "Check the filters"),
        (400, flow_error("FLOW-1432-400"), "Check the filters and the order"),
        (500, {}, "sandbox_name.*role"),
        (307, {}, "Redirects are not followed"),
    ],
)
def test_what_can_be_done_is_told(status, body, words):
    with pytest.raises(FlowServiceApiError, match=words):
        raise told(status, body)


def test_a_gateways_page_is_not_explained_as_a_missing_run():
    message = str(told(404, text="<html>404 Not Found</html>"))

    assert "The response is not from the Flow Service" in message
    assert "access label" not in message


@pytest.mark.parametrize("status", [400, 409, 412, 502, 503, 504])
def test_where_nothing_is_known_to_help_nothing_is_advised(status):
    assert str(told(status, {"message": "no"})) == f"GET /runs/r1 returned HTTP {status}: no."


@pytest.mark.parametrize("code", ["CONNECTOR-2100-404", "1449-404", "XDM-2120-404"])
def test_a_number_of_another_service_is_not_explained_as_ours(code):
    if code.startswith("1"):
        code = f"SOMETHING-{code}"
    assert "IDs belong to one sandbox" in str(told(404, flow_error(code)))


# Codes in the text


def test_wrapped_codes_are_found_in_the_text():
    text = "Error from flow provider: CONNECTOR-1388-400: must be enabled (see 1101-404)."
    error = told(400, flow_error("FLOW-1100-400", errorMessage=text))

    assert error.codes == ("1100-400", "1388-400", "1101-404")


def test_parts_of_ids_are_no_codes():
    text = "The run 6f0c2a6e-1388-400a-9999-1387-400 and 11388-400 and a1388-400 are not found."

    assert told(404, {"message": text}).codes == ()


# Secrets


@pytest.mark.parametrize(
    "text",
    [
        "Bearer eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2ln",
        "eyJhbGciOiJub25lIn0.eyJhIjoxfQ",
        "token=eyJhbGciOiJub25lIn0",
        "s3cret/+&",
        "s3cret%2F%2B%26",
        "the secret s3cret/+& twice s3cret/+&",
    ],
)
def test_what_an_answer_quotes_of_the_request_is_blacked_out(text):
    clean = without_secrets(text, ["s3cret/+&", "", "s"[:0]])

    assert "***" in clean
    assert "s3cret" not in clean
    assert "eyJ" not in clean


def test_every_part_of_an_error_is_blacked_out():
    secret = "s3cret-s3cret"
    answer = HttpResponse(
        400,
        {"x-request-id": f"id-{secret}"},
        {"error_code": f"code-{secret}", "message": f"text {secret}"},
    )

    error = error_of(answer, "GET /x", [secret])

    assert secret not in f"{error} {error.args} {vars(error)}"
