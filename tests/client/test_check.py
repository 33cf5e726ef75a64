"""The check of a connection, by the Test button and on the command line: what failed, and its fix."""

from __future__ import annotations

import json
import re

import pytest

from airflow_provider_flowservice.__main__ import main
from airflow_provider_flowservice.emulator import Fault
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

SANDBOXES = "GET /data/foundation/sandbox-management"


@pytest.fixture
def check(monkeypatch, flowservice):
    """Return a function that tests the connection, with changes."""

    def check(extra=None, **changes):
        connection = {**flowservice.connection, **changes}
        connection["extra"] = {**connection["extra"], **(extra or {})}
        monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", json.dumps(connection))
        return FlowServiceHook(retries=0).test_connection()

    return check


def test_a_good_connection_passes_every_stage_and_changes_nothing(flowservice, check):
    is_ok, text = check()

    assert is_ok
    assert text.startswith("connection: ok, token: ok, sandbox: ok, flows: ok.")
    assert "needs Manage Sources" in text
    assert [(seen.method, seen.path) for seen in flowservice.requests] == [
        ("POST", "/ims/token/v3"),
        ("GET", "/data/foundation/sandbox-management/"),
        ("GET", "/data/foundation/flowservice/flows"),
    ]
    assert "x-sandbox-name" not in flowservice.requests[1].headers
    assert flowservice.requests[2].query == [("limit", "1")]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"extra": {"sandbox_name": ""}}, "connection failed: .*'sandbox_name' is empty"),
        ({"password": "wrong-secret"}, "token failed: .*client secret .password.* is wrong"),
        ({"extra": {"sandbox_name": "other"}}, "sandbox failed: .*: prod, staging. Check 'sa"),
        ({"extra": {"org_id": "OTHER@AdobeOrg"}}, "sandbox failed: .*403027.*org_id"),
        ({"extra": {"api_key": "other"}}, "sandbox failed: .*403003.*API key is wrong"),
    ],
)
def test_the_first_stage_that_fails_tells_its_fix(check, changes, words):
    is_ok, text = check(**changes)

    assert not is_ok
    assert re.search(words, text)
    assert "wrong-secret" not in text


def test_a_credential_in_no_role_is_told_although_its_list_is_a_success(flowservice, check):
    flowservice.forbidden = True

    is_ok, text = check()

    assert not is_ok
    assert "token: ok, sandbox failed" in text
    assert "It may use: none" in text
    assert "Permissions > Roles > API credentials" in text


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"sandboxes": [{"name": "staging", "state": "creating"}]}, "is creating, not active"),
        ({"sandboxes": []}, "may use: none"),
        ({}, "may use: none"),
        ([], "may use: none"),
        (b"", "may use: none"),
        ({"sandboxes": {"name": "staging"}}, "may use: none"),
    ],
)
def test_a_list_without_the_sandbox_fails(flowservice, check, body, words):
    flowservice.fail(Fault(SANDBOXES, status=200, body=body))

    is_ok, text = check()

    assert not is_ok
    assert words in text


def test_a_list_with_further_pages_proves_nothing(flowservice, check):
    body = {"sandboxes": [{"name": "prod"}], "_links": {"next": {"href": "x"}}}
    flowservice.fail(Fault(SANDBOXES, status=200, body=body))

    assert check()[0]


def test_flows_that_cannot_be_read_are_told(flowservice, check):
    body = {"error_code": "403025", "message": "Profile is not valid"}
    flowservice.fail(Fault("GET /flows", status=403, body=body))

    is_ok, text = check()

    assert not is_ok
    assert "sandbox: ok, flows failed: GET /flows returned HTTP 403" in text


def test_a_success_that_is_no_list_of_flows_is_told(flowservice, check):
    flowservice.fail(Fault("GET /flows", status=200, body=b"<html>Log in</html>"))

    is_ok, text = check()

    assert not is_ok
    assert "flows failed" in text


def test_a_service_that_cannot_be_reached_is_told(flowservice, check):
    flowservice.stop()

    is_ok, text = check()

    assert not is_ok
    assert "token failed" in text
    assert "Connection refused. Check 'ims_url' of the connection" in text


def test_a_platform_that_cannot_be_reached_names_its_field(check):
    is_ok, text = check(host="http://127.0.0.1:1")

    assert not is_ok
    assert "token: ok, sandbox failed" in text
    assert "Check Platform URL (host) of the connection" in text


def test_an_incomplete_connection_of_another_type_names_it(check):
    is_ok, text = check(conn_type="http", login="")

    assert not is_ok
    assert "Client ID (login) is empty. The connection's type is 'http', not 'flowservice'." in text


def test_a_complete_connection_of_another_type_will_do(check):
    assert check(conn_type="generic")[0]


def test_a_ready_token_is_named_as_one(flowservice, check):
    token = flowservice.issue_token()
    is_ok, text = check({"access_token": token, "api_key": flowservice.client_id}, password=None)

    assert is_ok
    assert token not in text


def test_a_connection_that_does_not_exist_is_told():
    is_ok, text = FlowServiceHook("no_such_connection").test_connection()

    assert not is_ok
    assert "connection failed" in text
    assert "no_such_connection" in text
    assert re.search(
        "defined. Add one .* connections add no_such_connection --conn-type flow", text
    )


# On the command line


def test_the_command_tells_each_stage(flowservice, capsys):
    assert main(["check"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert "Checking Airflow connection 'flowservice_default':" in lines
    stages = [line.split()[:2] for line in lines if line.startswith("  ok")]
    assert stages == [["ok", name] for name in ("connection", "token", "sandbox", "flows")]


def test_the_command_fails_at_the_first_stage_that_does(flowservice, capsys):
    flowservice.sandboxes = ["prod"]

    assert main(["check", "--conn-id", "flowservice_default"]) == 1

    out = capsys.readouterr().out
    assert "FAILED  sandbox" in out
    assert "  flows" not in out
    assert flowservice.client_secret not in out


@pytest.mark.parametrize("arguments", [[], ["chek"], ["check", "--connection", "x"]])
def test_a_wrong_command_line_is_told_with_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert caught.value.code == 2
    assert "usage: python -m airflow_provider_flowservice" in capsys.readouterr().err
