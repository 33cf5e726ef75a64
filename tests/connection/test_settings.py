"""What is read from an Airflow connection, and what is refused before any request."""

from __future__ import annotations

import base64
import json
import sys

import pytest
from airflow.models import Connection

from airflow_provider_flowservice._connection.settings import SCOPES, Settings
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

SECRET = "planted-emulator-secret-5f3c9a"


def settings(extra=None, **fields):
    extra = {"org_id": "ABC@AdobeOrg", "sandbox_name": "staging", **(extra or {})}
    values = {"login": "id", "password": SECRET, **fields}
    return Settings.from_connection(
        Connection(conn_id="c", conn_type="flowservice", extra=json.dumps(extra), **values)
    )


def claims(**values):
    body = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{body}.c2ln"


def test_the_least_is_credential_organization_and_sandbox():
    found = settings()

    assert found.base_url == "https://platform.adobe.io"
    assert found.ims_url == "https://ims-na1.adobelogin.com"
    assert found.api_key == found.client_id == "id"
    assert found.tenant == found.org_id == "ABC@AdobeOrg"
    assert found.scopes == SCOPES
    assert found.ca_bundle is None
    assert found.request_timeout == 30


def test_everything_can_be_set(tmp_path):
    found = settings(
        {
            "ims_url": "ims.example/",
            "api_key": "key",
            "tenant": "acme",
            "scopes": ["openid", " AdobeID"],
            "request_timeout": "12.5",
        },
        host="https://platform.example/",
    )

    assert found.base_url == "https://platform.example"
    assert found.ims_url == "https://ims.example"
    assert (found.api_key, found.tenant) == ("key", "acme")
    assert found.scopes == "openid,AdobeID"
    assert found.request_timeout == 12.5


def test_all_that_is_missing_is_told_at_once():
    with pytest.raises(ValueError, match="'c' cannot be used") as caught:
        settings({"org_id": "", "sandbox_name": None}, login=None, password="")

    for words in (
        "Client ID (login) is empty",
        "Client secret (password) is empty",
        "'org_id' must be",
        "'sandbox_name' is empty: name the sandbox, there is no default",
    ):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("extra", "fields", "words"),
    [
        ({"org_id": "12345"}, {}, "'org_id' must be the organization's ID"),
        ({"sandbox_name": "*"}, {}, "must name one sandbox"),
        ({"sandbox_name": "a\r\nX-Evil: 1"}, {}, "'sandbox_name' holds blanks or characters"),
        ({"org_id": "ä@AdobeOrg"}, {}, "'org_id' holds"),
        ({"api_key": "a b"}, {}, "'api_key' holds"),
        ({"access_token": "a b", "api_key": "k"}, {}, "'access_token' holds"),
        ({"access_token": "token"}, {"login": None}, "'api_key' is empty"),
        ({}, {"host": "http://platform.adobe.io"}, "Platform URL .host. must begin with https://"),
        ({"ims_url": "http://ims.example"}, {}, "'ims_url' must begin with https://"),
        ({}, {"host": "http://localhost.example"}, "must begin with https://"),
        ({}, {"host": "http://127.0.0.1.example"}, "must begin with https://"),
        ({}, {"host": "https://x/data"}, "host. must end after the host or port, .* path /data"),
        ({}, {"host": "x/data", "port": 443}, "must end .* path /data"),
        ({"ims_url": "https://x/ims/token/v3"}, {}, "'ims_url' must end .* path /ims/token/v3"),
        ({}, {"host": "ftp://x"}, "must be a URL such as"),
        ({}, {"host": "https://x/?a=b"}, "must be a URL such as"),
        ({}, {"host": "https://[x"}, "is not a URL"),
        ({}, {"host": "https://x:abc"}, "is not a URL"),
        ({}, {"host": f"https://user:{SECRET}@x"}, "must not hold a user name or password"),
        ({}, {"host": f"https://user:{SECRET}@[x"}, "is not a URL"),
        ({"request_timeout": 0}, {}, "'request_timeout' must be"),
        ({"request_timeout": "soon"}, {}, "'request_timeout' must be"),
        ({"request_timeout": "nan"}, {}, "'request_timeout' must be"),
        ({"request_timeout": 1e9}, {}, "'request_timeout' must be"),
        ({"ca_bundle": "/no/such/file"}, {}, "'ca_bundle' cannot be read on this machine"),
    ],
)
def test_what_is_wrong_is_told_and_no_secret_with_it(extra, fields, words):
    with pytest.raises(ValueError, match=words) as caught:
        settings(extra, **fields)

    assert SECRET not in str(caught.value)


def test_a_ca_bundle_that_holds_no_certificate_is_told(tmp_path):
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("nothing")

    with pytest.raises(ValueError, match="'ca_bundle' cannot be read"):
        settings({"ca_bundle": str(bundle)})


@pytest.mark.parametrize("directory", [False, True])
def test_a_ca_bundle_may_be_a_file_or_a_directory(tmp_path, directory):
    import certifi

    path = str(tmp_path) if directory else certifi.where()

    assert settings({"ca_bundle": path}).ca_bundle == path


@pytest.mark.parametrize(
    "host", ["http://127.0.0.1:80", "http://localhost:80", "http://[::1]:80", "http://127.1.2.3"]
)
def test_plain_http_is_taken_to_loopback_addresses(host):
    assert settings(host=host).base_url == host


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("platform.example", 8443, "https://platform.example:8443"),
        ("platform.example:1", 8443, "https://platform.example:1"),
        ("2001:db8::8", None, "https://[2001:db8::8]"),
        ("2001:db8::8", 8443, "https://[2001:db8::8]:8443"),
        ("[2001:db8::8]", None, "https://[2001:db8::8]"),
        ("[2001:db8::8]", 8443, "https://[2001:db8::8]:8443"),
        ("[2001:db8::8]:1", 8443, "https://[2001:db8::8]:1"),
        ("https://2001:db8::8", None, "https://[2001:db8::8]"),
        ("https://[2001:db8::8]/", 8443, "https://[2001:db8::8]:8443"),
        ("http://[::1]:8099", None, "http://[::1]:8099"),
        ("http://::1", 8099, "http://[::1]:8099"),
    ],
)
def test_host_and_port_make_a_url(host, port, url):
    assert settings(host=host, port=port).base_url == url


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("[2001:db8::8]:8443", "https://[2001:db8::8]:8443"),
        ("[2001:db8::8]", "https://[2001:db8::8]"),
        ("http%3A%2F%2F%5B%3A%3A1%5D%3A8099", "http://[::1]:8099"),
        ("platform.example:8443", "https://platform.example:8443"),
    ],
)
def test_a_uri_may_hold_an_ipv6_address(monkeypatch, place, url):
    uri = f"flowservice://id:{SECRET}@{place}/?org_id=ABC%40AdobeOrg&sandbox_name=staging"
    monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", uri)

    assert FlowServiceHook().settings.base_url == url


@pytest.mark.parametrize("value", [None, "", "openid", "a, b ,", ["a", "b"], [], [None], 7])
def test_scopes_are_a_list_or_a_string(value):
    scopes = settings({"scopes": value}).scopes

    assert scopes
    assert " " not in scopes


def test_a_ready_token_needs_no_secret():
    found = settings({"access_token": "opaque", "api_key": "key"}, login=None, password=None)

    assert (found.access_token, found.api_key) == ("opaque", "key")


def test_the_service_may_call_the_client_by_either_name():
    assert settings().own_clients == {"id"}
    assert settings({"api_key": "key"}).own_clients == {"id", "key"}


def test_a_token_of_another_organization_is_told():
    token = claims(org="OTHER@AdobeOrg")

    with pytest.raises(ValueError, match="token for the organization OTHER@AdobeOrg") as caught:
        settings({"access_token": token})

    assert token not in str(caught.value)


@pytest.mark.parametrize("token", [claims(org="ABC@AdobeOrg"), claims(), claims(org=7)])
def test_a_token_of_this_organization_or_of_none_is_taken(token):
    assert settings({"access_token": token}).access_token == token


def test_fields_with_the_prefix_of_old_forms_are_read():
    found = settings(
        {"extra__flowservice__tenant": "acme", "extra__flowservice__sandbox_name": "old"}
    )

    assert found.tenant == "acme"
    assert found.sandbox_name == "staging"  # the plain name goes first


@pytest.mark.parametrize("text", ["[]", "7", '"text"', "null", "no JSON"])
def test_an_extra_that_is_no_object_is_told(text, logged):
    connection = Connection(conn_id="c", conn_type="flowservice", login="id", password=SECRET)
    connection._extra = text

    with pytest.raises(ValueError, match="in `extra`|'c' cannot be used. Its 'extra' is no"):
        Settings.from_connection(connection)

    assert "Traceback" not in logged()


def test_no_representation_shows_a_secret():
    found = settings({"access_token": claims(org="ABC@AdobeOrg")})

    assert SECRET not in f"{found} {found!r}"
    assert found.access_token not in f"{found} {found!r}"


@pytest.mark.parametrize("form", ["connection_json", "connection_uri"])
def test_a_connection_may_come_as_json_or_as_a_uri(monkeypatch, flowservice, form):
    flow_id = flowservice.add_flow()
    monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", getattr(flowservice, form))

    assert FlowServiceHook().get_flow(flow_id).flow_id == flow_id


def test_an_incomplete_connection_asks_nobody(monkeypatch, flowservice):
    connection = {**flowservice.connection, "extra": {}}
    monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", json.dumps(connection))

    with pytest.raises(ValueError, match="'flowservice_default' cannot be used"):
        FlowServiceHook().get_run("r1")

    assert flowservice.requests == []


def test_airflow_is_told_to_mask_secrets_and_tokens(monkeypatch, flowservice):
    token = FlowServiceHook().get_conn().get_token().text
    connection, ready = flowservice.connection, flowservice.issue_token()
    connection["extra"] |= {"access_token": ready, "api_key": "key"}
    monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", json.dumps(connection))
    FlowServiceHook().get_conn()

    # Its place has changed with every release of Airflow.
    maskers = [module for name, module in sys.modules.items() if name.endswith("secrets_masker")]
    shown = [masker.redact(f"{flowservice.client_secret} {token} {ready}") for masker in maskers]
    assert "*** *** ***" in shown
