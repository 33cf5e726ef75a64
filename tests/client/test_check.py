"""The check of a connection, by the Test button and on the command line: what failed, and its fix."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

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


CLOSED = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("changes", "wrong", "what_to_do"),
    [
        (
            {"extra": {"sandbox_name": ""}},
            "connection failed: Airflow connection .* cannot be used. 'sandbox_name' is empty",
            "name the sandbox",
        ),
        (
            {"extra": {"request_timeout": 0}},
            "connection failed: Airflow connection .* cannot be used. 'request_timeout'",
            "must be a number of seconds above 0",
        ),
        (
            {"host": "https://platform.adobe.io/data"},
            "connection failed: .* Platform URL .host.",
            "must end after the host or port, without the path /data",
        ),
        (
            {"conn_type": "http", "login": ""},
            "connection failed: .* Client ID .login. is empty. .* type is 'http'",
            "choose one of type 'flowservice'",
        ),
        (
            {"password": "wrong-secret"},
            "token failed: .*invalid client_secret",
            "client secret .password. of the connection is wrong, or was deleted",
        ),
        ({"login": "other"}, "token failed: .*invalid client_id", "Client ID .login. .* is wrong"),
        (
            {"extra": {"scopes": "other"}},
            "token failed: .*invalid_scope",
            "check 'scopes' of the connection",
        ),
        (
            {"extra": {"ims_url": CLOSED}},
            "token failed: .*Connection refused",
            "Check 'ims_url' of the connection, and whether this machine can reach it",
        ),
        (
            {"host": CLOSED},
            "token: ok, sandbox failed: .*Connection refused",
            "Check Platform URL .host. of the connection, and whether this machine can reach it",
        ),
        (
            {"extra": {"sandbox_name": "other"}},
            "sandbox failed: .*may not use sandbox 'other'. It may use: prod, staging",
            "Check 'sandbox_name' of the connection",
        ),
        (
            {"extra": {"org_id": "OTHER@AdobeOrg"}},
            "sandbox failed: .*403027",
            "Check 'org_id' of the connection",
        ),
        (
            {"extra": {"api_key": "other"}},
            "sandbox failed: .*403003",
            "check the Client ID or 'api_key' of the connection",
        ),
        (
            {"extra": {"access_token": "expired", "api_key": "key"}},
            "sandbox failed: .*401013",
            "it has expired",
        ),
    ],
)
def test_the_first_stage_that_fails_says_what_to_do(check, changes, wrong, what_to_do):
    is_ok, text = check(**changes)

    assert not is_ok
    assert re.search(f"{wrong}.*{what_to_do}", text)
    assert "wrong-secret" not in text


FOREIGN = "The response is not from the Flow Service: check the Platform URL"


@pytest.mark.parametrize(
    ("fault", "what_to_do"),
    [
        (Fault(SANDBOXES, status=503), "Try again later"),
        (Fault(SANDBOXES, status=429), "Try again later"),
        (Fault(SANDBOXES, status=500), "check 'sandbox_name' and the credential's role"),
        (Fault(SANDBOXES, status=404, body=b"<html>No page</html>"), FOREIGN),
        (Fault(SANDBOXES, status=200, body=b"<html>Log in</html>"), FOREIGN),
        (Fault("GET /flows", status=200, body=b"<html>Log in</html>"), FOREIGN),
        (Fault("GET /flows", status=503), "Try again later"),
        (Fault("POST /ims", status=503), "Try again later"),
    ],
)
def test_an_error_of_the_service_says_what_to_do(flowservice, check, fault, what_to_do):
    flowservice.fail(fault)

    is_ok, text = check()

    assert not is_ok
    assert what_to_do in text


# Not the word that the scan for secrets knows: Airflow 2 itself logs a URI that it cannot read.
JSON = '{"conn_type": "flowservice", "password": "a-word-to-hide"%s}'
URI = "flowservice://id:a-word-to-hide@"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "it is empty"),
        ("a-word-to-hide", "it is neither JSON nor a URI"),
        ('["a-word-to-hide"]', "it is neither JSON nor a URI"),
        ('{"extra": ' * 100_000, "its JSON is nested too deeply"),
        (JSON[:-1], r"it is no valid JSON \(.*character \d+\)"),
        (JSON % ', "hostname": "x"', "a connection has no field 'hostname'"),
        (JSON % ', "port": "a-word-to-hide"', "'port' is no number"),
        (JSON % ', "extra": "no JSON"', "'extra' is no JSON object"),
        (JSON % ', "extra": ["a-word-to-hide"]', "'extra' is no JSON object"),
        (JSON % ', "extra": "[1]"', "'extra' is no JSON object"),
        (f"{URI}https://platform.adobe.io", "Airflow cannot read it; in a URI,"),
        (f"{URI}platform.adobe.io:port", "Airflow cannot read it; in a URI,"),
    ],
)
def test_a_variable_that_is_no_connection_is_told_without_its_value(monkeypatch, value, words):
    monkeypatch.setenv("AIRFLOW_CONN_IN_A_VARIABLE", value)

    is_ok, text = FlowServiceHook("in_a_variable").test_connection()

    assert not is_ok
    assert re.search(
        f"The environment variable AIRFLOW_CONN_IN_A_VARIABLE is set, but {words}", text
    )
    assert "Write it as JSON, such as" in text
    assert "a-word-to-hide" not in text


def test_a_variable_that_is_a_connection_is_not_blamed(check):
    is_ok, text = check({"sandbox_name": ""})

    assert not is_ok
    assert "environment variable" not in text


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
        (
            {"sandboxes": [{"name": "staging", "state": "creating"}]},
            "is creating, not active. Wait until it is",
        ),
        ({"sandboxes": []}, "may use: none"),
        ({}, "may use: none"),
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


def test_a_service_that_cannot_be_reached_is_told(flowservice, check):
    flowservice.stop()

    is_ok, text = check()

    assert not is_ok
    assert "token failed" in text
    assert "Connection refused. Check 'ims_url' of the connection" in text


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


# The account that a flow reads with


@pytest.fixture
def check_flow(flowservice, capsys):
    """Return a function that checks a flow's source, and returns whether it is well, and the words."""

    def check(flow_id):
        exit_code = main(["check", "--flow", flow_id])
        (line,) = [each for each in capsys.readouterr().out.splitlines() if "  source " in each]
        assert line.split()[0] == ("FAILED" if exit_code else "ok")
        return exit_code == 0, line.split("source", 1)[1].strip()

    return check


def account_of(flowservice, flow_id):
    (source,) = flowservice.flow(flow_id)["inheritedAttributes"]["sourceConnections"]
    return source["baseConnection"]["id"]


def test_an_account_that_works_is_named(flowservice, check_flow):
    flow_id = flowservice.add_flow("Orders")
    account_id = account_of(flowservice, flow_id)

    is_ok, text = check_flow(flow_id)

    assert is_ok
    assert text == (
        f"Flow 'Orders' reads with the source account 'Orders (account)' ({account_id}); "
        "the service says that it works."
    )


def test_an_account_that_does_not_work_is_named_with_what_to_do(flowservice, check_flow):
    flow_id = flowservice.add_flow("Orders", source_account_works=False)
    account_id = account_of(flowservice, flow_id)

    is_ok, text = check_flow(flow_id)

    assert not is_ok
    assert text == (
        f"Flow 'Orders' reads with the source account 'Orders (account)' ({account_id}), and the "
        "service says that it does not work. Check it in Experience Platform (Sources > Accounts), "
        "and renew its credential if it has expired; until it works, a re-trigger fails alike."
    )


def test_the_source_comes_after_all_other_stages_and_is_only_read(flowservice, capsys):
    assert main(["check", "--flow", flowservice.add_flow()]) == 0

    lines = capsys.readouterr().out.splitlines()
    stages = [line.split()[1] for line in lines if line.startswith("  ok")]
    assert stages == ["connection", "token", "sandbox", "flows", "source"]
    assert {seen.method for seen in flowservice.requests[1:]} == {"GET"}


def test_an_account_is_found_in_the_flow_if_its_connection_does_not_show_it(
    flowservice, check_flow
):
    flow_id = flowservice.add_flow(source_account_works=False)
    (source_id,) = flowservice.flow(flow_id)["sourceConnectionIds"]
    flowservice.fail(Fault("GET /sourceConnections", status=200, body={"id": source_id}))

    is_ok, text = check_flow(flow_id)

    assert not is_ok
    assert account_of(flowservice, flow_id) in text


def test_an_account_is_found_in_the_flow_if_its_connection_is_hidden(flowservice, check_flow):
    flow_id = flowservice.add_flow()
    flowservice.fail(Fault("GET /sourceConnections", status=404, body={}, times=None))

    is_ok, text = check_flow(flow_id)

    assert is_ok
    assert account_of(flowservice, flow_id) in text


def test_an_account_is_found_if_the_flow_does_not_list_its_connections(flowservice, check_flow):
    flow_id = flowservice.add_flow(sourceConnectionIds=..., source_account_works=False)

    is_ok, text = check_flow(flow_id)

    assert not is_ok
    assert account_of(flowservice, flow_id) in text


def test_a_flow_may_show_no_account(flowservice, check_flow):
    flow_id = flowservice.add_flow("Orders", source=False)

    assert check_flow(flow_id) == (True, "Flow 'Orders' shows no source account.")


@pytest.mark.parametrize("inherited", [None, [], [None, {"id": ["s"]}, {"baseConnection": "x"}]])
def test_nor_need_the_flow_itself_show_it(flowservice, check_flow, inherited):
    flow_id = flowservice.add_flow(inheritedAttributes={"sourceConnections": inherited})
    (source_id,) = flowservice.flow(flow_id)["sourceConnectionIds"]
    flowservice.fail(Fault("GET /sourceConnections", status=200, body={"id": source_id}))

    assert check_flow(flow_id) == (True, "Flow 'Orders nightly' shows no source account.")


def test_an_account_whose_name_is_hidden_is_tested_all_the_same(flowservice, check_flow):
    flow_id = flowservice.add_flow(source_account_works=False)
    account_id = account_of(flowservice, flow_id)
    flowservice.fail(Fault("GET /connections/[^/]+$", status=403))

    is_ok, text = check_flow(flow_id)

    assert not is_ok
    assert f"the source account {account_id}, and the service says that it does not work" in text


def test_one_account_of_several_that_does_not_work_is_enough(flowservice, check_flow):
    others = [flowservice.add_flow(source_account_works=works) for works in (True, False)]
    sources = [flowservice.flow(other)["sourceConnectionIds"][0] for other in others]

    is_ok, text = check_flow(flowservice.add_flow(sourceConnectionIds=sources))

    assert not is_ok
    assert account_of(flowservice, others[1]) in text


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 403, "body": {"error_code": "403025", "message": "no"}}, "HTTP 403"),
        ({"status": 400, "body": {"message": "cannot be tested"}}, "cannot be tested"),
        ({"status": 429, "headers": {"Retry-After": "3600"}}, "HTTP 429.*Try again later"),
        ({"status": 200, "body": {"result": "false"}}, "does not say whether the account works"),
        ({"status": 200, "body": {"items": []}}, "does not say whether the account works"),
        ({"status": 200, "body": [False]}, "does not say whether the account works"),
        ({"status": 200, "body": b"<html>Log in</html>"}, "does not say whether"),
    ],
)
def test_an_account_that_could_not_be_tested_is_told(flowservice, check_flow, fault, words):
    flowservice.fail(Fault("GET /connections/.*/test", times=None, **fault))

    is_ok, text = check_flow(flowservice.add_flow())

    assert not is_ok
    assert re.search(f"the source account .*, which could not be tested. .*{words}", text)
    assert "Renew" not in text


def test_an_unknown_flow_is_told(flowservice, check_flow):
    is_ok, text = check_flow("no-such-flow")

    assert not is_ok
    assert text.startswith("Flow 'no-such-flow' of --flow cannot be read. GET /flows/no-such-flow")
    assert "check 'sandbox_name'" in text


@pytest.mark.parametrize("flow_id", ["", " ", "a b", "a,b", "None", ".."])
def test_what_cannot_be_a_flow_is_refused_before_any_request(flowservice, capsys, flow_id):
    with pytest.raises(SystemExit) as caught:
        main(["check", "--flow", flow_id])

    assert caught.value.code == 2
    assert f"argument --flow: {flow_id!r} is not an ID" in capsys.readouterr().err
    assert flowservice.requests == []


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


def test_the_command_shows_no_traceback_of_a_connection_that_cannot_be_read():
    variable = {"AIRFLOW_CONN_FLOWSERVICE_DEFAULT": '{"conn_type": "flowservice", "extra": "no"}'}
    command = [sys.executable, "-m", "airflow_provider_flowservice", "check"]

    done = subprocess.run(
        command, env=os.environ | variable, capture_output=True, text=True, timeout=110, check=False
    )

    assert done.returncode == 1
    assert "FAILED  connection  The environment variable" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [[], ["chek"], ["check", "--connection", "x"]])
def test_a_wrong_command_line_is_told_with_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert caught.value.code == 2
    assert "usage: python -m airflow_provider_flowservice" in capsys.readouterr().err
