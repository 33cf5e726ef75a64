"""The probe on the command line, against a service in many moods: what it says, and what it sends."""

from __future__ import annotations

import io
import json
import re
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from airflow_provider_flowservice.__main__ import main
from airflow_provider_flowservice._commands.probe import RetriggerOption, probe
from airflow_provider_flowservice._exactly_once.clock import Clock
from airflow_provider_flowservice._probe import retrigger
from airflow_provider_flowservice._probe.ask import Asker
from airflow_provider_flowservice.emulator import Fault, FlowServiceEmulator
from airflow_provider_flowservice.emulator.seed import (
    SEEDED_DISABLED_RUN_ID,
    SEEDED_FAILED_RUN_ID,
)
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from helpers.fake_clock import FakeClock

CONN_ID = "flowservice_default"
ACTION = "POST /runs/{id}/action"
FOLLOWED = {
    "readable",
    "first_status",
    "found",
    "listed",
    "names_old",
    "old_run",
    "new_client",
    "second",
}

NO_ROWS = {"failed", "retrigger_op", "settle_time"}  # other words in the tables of its page


@pytest.fixture
def clock():
    # It begins now, since the service's Date header is that of the machine.
    return FakeClock(time.time())


@pytest.fixture
def served(monkeypatch, clock):
    """The emulator's flows and runs, in the time of the test."""
    FlowServiceHook.drop_tokens()
    with FlowServiceEmulator(seed=True, step_seconds=5, clock=clock) as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", emulator.connection_json)
        yield emulator
    FlowServiceHook.drop_tokens()


@pytest.fixture
def probed(capsys, clock):
    """Return a function that probes in the time of the test, and returns status and findings."""

    def probed(run_id=None, once=False):
        option = run_id and RetriggerOption(run_id, is_confirmed=True, once=once)
        times = Clock(now=clock, sleep=clock.sleep, mono=clock)
        status, text = probe(CONN_ID, option, as_json=True, clock=times)
        return status, {each["name"]: each for each in json.loads(text)["findings"]}

    return probed


def differing(findings):
    return {name for name, each in findings.items() if each["verdict"] == "differs"}


def not_seen(findings):
    return {name for name, each in findings.items() if each["verdict"] == "not seen"}


def requests(emulator):
    """Count the requests but for that of the token."""
    return Counter(seen.method for seen in emulator.requests if "/ims/" not in seen.path)


def posts(emulator):
    """Return the operations that were asked for."""
    return [dict(seen.query)["op"] for seen in emulator.requests if "/action" in seen.path]


# As assumed, and by reading only


def test_the_emulator_does_what_is_assumed(served, probed):
    status, findings = probed()

    assert status == 0
    assert len(findings) == 18
    assert differing(findings) == set()
    assert not_seen(findings) == {"page_size", "own_client"}


def test_the_probe_only_reads_and_gets_one_token(served, probed):
    probed()

    assert set(requests(served)) == {"GET"}
    assert requests(served)["GET"] < 30
    assert served.count("POST /ims/token/v3") == 1


def test_the_table(served, capsys):
    assert main(["probe"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[-1] == "Sandbox 'staging': 16 as assumed, 0 differs, 2 not seen."
    assert lines[3:6] == [
        "as assumed | A single run comes as      | so it does                   |",
        '           | {"items": [run]}.          |                              |',
        lines[2],
    ]


def test_json(served, capsys):
    assert main(["probe", "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    assert document["sandbox"] == "staging"
    assert document["findings"][0] == {
        "name": "run_envelope",
        "assumption": 'A single run comes as {"items": [run]}.',
        "verdict": "as assumed",
        "seen": "so it does",
        "advice": "",
    }


def test_a_page_of_100_is_seen_if_there_are_so_many(flowservice, probed):
    flow_ids = [flowservice.add_flow() for _ in range(2)]
    for number in range(120):
        client = flowservice.client_id if number == 7 else "acp_foundation_connectors"
        flowservice.add_run(
            flow_ids[number % 2],
            "success",
            created_at=flowservice.now_ms() - number * 60_000,
            createdClient=client,
        )

    status, findings = probed()

    assert (status, not_seen(findings)) == (0, set())
    assert findings["page_size"]["seen"] == "100 runs came; limit=1000: 100 runs"
    assert findings["own_client"]["seen"] == "1 run of 120"
    assert findings["statuses"]["seen"] == "in the last 30 days: success 120"


# Moods


@pytest.mark.parametrize(
    ("mood", "name", "seen", "advice"),
    [
        (
            {"honour_id_filter": False},
            "id_filter",
            "refused: HTTP 400, FLOW-1449-400",
            "Nothing to set: deferred waits then read each run by itself.",
        ),
        (
            {"honour_id_filter": "first"},
            "id_filter",
            "1 of 2 came: only the first ID counts",
            "Nothing to set: deferred waits then read each run by itself.",
        ),
        (
            {"paging": "data"},
            "next_link",
            "relative to the host (/data/...)",
            "Nothing to set: of a link, only the query counts.",
        ),
        (
            {"paging": "absolute"},
            "next_link",
            "absolute",
            "Nothing to set: of a link, only the query counts.",
        ),
    ],
)
def test_a_mood_is_told_with_what_to_set(served, probed, mood, name, seen, advice):
    for setting, value in mood.items():
        setattr(served, setting, value)

    status, findings = probed()

    assert status == 1
    assert differing(findings) == {name}
    assert findings[name]["seen"].startswith(seen)
    assert findings[name]["advice"].startswith(advice)


def test_a_bare_envelope_is_told_and_needs_no_setting(served, probed):
    served.envelope = "bare"

    status, findings = probed()

    assert status == 1
    assert differing(findings) == {"run_envelope", "flow_envelope"}
    assert findings["run_envelope"]["seen"] == "the bare resource, without envelope"
    assert findings["run_envelope"]["advice"].startswith("Nothing to set")


def test_lists_that_lag_are_told_with_the_settle_time_to_set(served, probed):
    served.new_run_unlisted_for = 90

    status, findings = probed(SEEDED_FAILED_RUN_ID)

    assert status == 1
    assert differing(findings) == {"found", "listed"}
    assert findings["listed"]["seen"] == "after 90 s"
    assert findings["listed"]["advice"].startswith("Set settle_time=180 of operators")
    assert findings["found"]["advice"].startswith("Nothing to set")
    assert findings["readable"]["verdict"] == "as assumed"
    assert len(served.retriggers) == 2


def test_unknown_keys_and_statuses_are_told(served, probed):
    flow_id = served.add_flow()
    served.add_run(flow_id, "napping", retriggerOf="a-value", activities=[{"mood": "good"}])

    status, findings = probed()

    assert status == 1
    assert differing(findings) == {"statuses", "keys"}
    assert "activities[].mood, retriggerOf;" in findings["keys"]["seen"]
    assert "a-value" not in json.dumps(findings)


@pytest.mark.once
def test_the_table_in_the_documentation_is_printed(served, capsys):
    served.honour_id_filter = False
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "probe.md").read_text()
    quoted = page.partition("```text\n")[2].partition("```")[0]

    assert main(["probe"]) == 1
    assert quoted in capsys.readouterr().out


@pytest.mark.once
def test_each_row_is_in_the_documentation(served, probed):
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "probe.md").read_text()
    rows = "".join(line for line in page.splitlines(keepends=True) if line.startswith("| `"))

    _, findings = probed(SEEDED_FAILED_RUN_ID)

    assert set(findings) == set(re.findall("`([a-z_]+)`", rows)) - {*NO_ROWS}


# Little to see, and odd answers


def test_a_sandbox_without_runs(flowservice, probed):
    status, findings = probed()

    assert status == 0
    assert findings["run_envelope"]["seen"] == "the sandbox shows no run"
    assert findings["flow_envelope"]["seen"] == "the sandbox shows no flow"
    assert {name for name in findings if name not in not_seen(findings)} == {
        "missing_run",
        "rate_limits",
        "clock",
    }


def test_a_single_run(flowservice, probed):
    flowservice.add_run(flowservice.add_flow(), "success")

    status, findings = probed()

    assert status == 0
    assert findings["id_filter"]["seen"] == "it takes three runs to tell a filter from none"
    assert findings["next_link"]["seen"] == "no flow shows two runs"
    assert {"created_filter", "two_filters", "order"} <= not_seen(findings)
    assert findings["status_case"]["verdict"] == "as assumed"


def test_two_times_of_creation_are_enough_for_the_filters(flowservice, probed):
    flow_id, now_ms = flowservice.add_flow(), round(time.time() * 1000)
    for minutes in (2, 1):
        flowservice.add_run(flow_id, "success", created_at=now_ms - minutes * 60_000)

    _, findings = probed()

    assert findings["created_filter"]["seen"] == "1 run came, the expected among them"
    assert findings["two_filters"]["seen"] == "1 run came, the expected among them"


def test_more_runs_than_are_read_are_not_called_all(flowservice, probed, clock):
    flow_id = flowservice.add_flow()
    for _ in range(1001):
        flowservice.add_run(flow_id, "success")

    _, findings = probed()

    seen = findings["statuses"]["seen"]
    assert seen == "of the newest 1000 in the last 30 days: success 1000"


def test_runs_whose_ids_are_numbers_are_told(flowservice, probed):
    page = {"items": [{"id": number, "flowId": "f", "createdAt": 10**12} for number in range(3)]}
    flowservice.fail(Fault("GET /runs", status=200, body=page))

    status, findings = probed()

    assert status == 1
    assert findings["fields"]["seen"] == "missing, or in another form: id: in 3 of 3 runs"
    assert findings["keys"]["verdict"] == "not seen"


ODD = [
    dict(status=400, body={"error_code": "400003"}),
    dict(status=404, body="<html>no</html>"),
    dict(status=429, headers={"Retry-After": "9999"}),
    dict(status=500, body=b"\xff\xfe"),
    dict(status=503, body={"error_code": 7, "message": None}),
    dict(status=302, headers={"Location": "https://elsewhere.example"}),
    dict(status=200, body=[]),
    dict(status=200, body={}),
    dict(status=200, body={"items": []}),
    dict(status=200, body={"items": [None, 7]}),
    dict(status=200, body={"items": [{}]}),
    dict(status=200, body={"items": [{"id": 7, "createdAt": {}, "metrics": 1}], "_links": 7}),
    dict(status=200, body={"items": [{"id": "a, b"}], "_links": {"next": {"href": "/runs?x"}}}),
    dict(status=200, body={"items": {}, "_links": {"next": {"href": "ünreadable"}}}),
    dict(status=200, body="<html>hello</html>"),
    dict(status=200, body="7"),
    dict(kind="close_before"),
    dict(kind="truncated"),
]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("after", [1, 8])
def test_odd_answers_are_findings_and_no_accidents(served, probed, odd, after):
    served.fail(Fault("GET /", times=None, after=after, **odd))

    status, findings = probed()

    assert status in (0, 1)
    assert len(findings) == 18
    assert all(each["seen"] for each in findings.values())
    assert all(each["advice"] for each in findings.values() if each["verdict"] == "differs")


@pytest.mark.parametrize("odd", [ODD[0], ODD[-4], ODD[-2]])
def test_odd_answers_about_a_new_run_are_findings_as_well(served, probed, odd):
    served.fail(Fault("GET /runs", times=None, after=14, **odd))

    _, findings = probed(SEEDED_FAILED_RUN_ID, once=True)

    assert posts(served) == ["re-trigger"]
    assert len(findings) == 28
    assert {findings[name]["verdict"] for name in ("readable", "listed")} <= {"differs", "not seen"}
    assert SEEDED_FAILED_RUN_ID not in json.dumps(findings)


def test_every_page_of_runs_that_links_to_itself_is_left_at_last(served, probed):
    loop = {"items": [{"id": "a", "flowId": "f"}] * 3, "_links": {"next": {"href": "/runs?x=1"}}}
    served.fail(Fault("GET /runs", times=None, body=loop, status=200))

    _, findings = probed()

    assert findings["next_page"]["verdict"] == "differs"
    assert requests(served)["GET"] < 30


def test_runs_that_show_no_flow_are_told(served, probed):
    runs = [{"id": f"r{number}", "createdAt": 1700000000000 + number} for number in range(3)]
    served.fail(Fault("GET /runs", times=None, body={"items": runs[::-1]}, status=200))

    _, findings = probed()

    assert findings["two_filters"]["seen"] == "runs show no flow"


def test_a_month_that_cannot_be_read_to_its_end_is_said_to_be_one(served, probed):
    run = {"id": "a", "flowId": "f", "metrics": {"statusSummary": {"status": "failed"}}}
    page = {"items": [run], "_links": {"next": {"href": "/runs"}}}
    served.fail(Fault("GET /runs", times=None, status=200, body=page))

    _, findings = probed()

    assert findings["statuses"]["seen"] == "of the newest 1 in the last 30 days: failed 1"


def test_no_secret_is_shown_whatever_the_service_quotes(served, probed, capsys):
    body = {"error_code": served.client_secret, "message": served.client_secret}
    served.fail(Fault("GET /runs/", times=None, status=404, body=body))

    status, findings = probed()

    assert status == 1
    assert findings["missing_run"]["seen"].startswith("HTTP 404, ***")
    out, err = capsys.readouterr()
    assert served.client_secret not in json.dumps(findings) + out + err


def test_a_secret_in_place_of_a_status_is_not_shown(flowservice, probed):
    run = {"id": "r", "metrics": {"statusSummary": {"status": flowservice.client_secret}}}
    flowservice.fail(Fault("GET /runs", status=200, body={"items": [run]}, times=100))

    _, findings = probed()

    assert "*** 1" in findings["statuses"]["seen"]
    assert flowservice.client_secret not in json.dumps(findings)


# It cannot be asked


@pytest.fixture
def not_asked(capsys):
    """Return a function that runs the command, which must fail, and returns its only line."""

    def not_asked(*arguments):
        capsys.readouterr()
        assert main(["probe", *arguments]) == 3
        out, err = capsys.readouterr()
        assert out == ""
        return err.splitlines()[-1]

    return not_asked


def test_a_connection_that_is_not_there_is_told(not_asked):
    assert "there_is_none" in not_asked("--conn-id", "there_is_none")


def test_a_wrong_secret_is_told_and_not_shown(flowservice, monkeypatch, not_asked):
    connection = {**flowservice.connection, "password": "wrong-secret"}
    monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", json.dumps(connection))

    text = not_asked("--json")

    assert "client secret (password) of the connection is wrong" in text
    assert "wrong-secret" not in text


def test_seconds_count_from_the_request_that_was_accepted(served, probed, clock, monkeypatch):
    served.fail(Fault("POST /runs", status=400, body={"error_code": "1398-400"}))
    post = Asker.post

    def slow(*arguments):
        clock.sleep(100)
        return post(*arguments)

    monkeypatch.setattr(Asker, "post", slow)

    _, findings = probed(SEEDED_FAILED_RUN_ID, once=True)

    assert findings["readable"]["seen"] == "after 100.0 s"


def test_the_first_status_is_the_one_that_was_seen_first(served, probed):
    served.new_run_unlisted_for = 30  # in which it ends

    _, findings = probed(SEEDED_FAILED_RUN_ID, once=True)

    assert findings["first_status"]["seen"] == "inProgress"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (dict(status=503), "GET /runs returned HTTP 503"),
        (dict(status=403, body={"error_code": "403027"}), "HTTP 403, 403027"),
        (dict(status=200, body="<html>"), "holds no 'items'"),
        (dict(kind="close_before"), "got no response"),
    ],
)
def test_a_first_list_that_cannot_be_read_is_told(served, not_asked, fault, said):
    served.fail(Fault("GET /runs", **fault))

    text = not_asked()

    assert said in text
    assert served.count("GET /runs") == 1


def test_a_run_to_retrigger_that_is_not_there_is_told(served, not_asked):
    text = not_asked("--retrigger", "no-such-run", "--yes")

    assert "GET /runs/no-such-run returned HTTP 404" in text
    assert posts(served) == []


# With a re-trigger


def test_a_retrigger_as_assumed(served, probed, capsys):
    status, findings = probed(SEEDED_FAILED_RUN_ID)

    assert (status, differing(findings)) == (0, set())
    assert not_seen(findings) == {"page_size", "own_client"}
    assert posts(served) == ["re-trigger"] * 2
    assert requests(served)["POST"] == 2
    told = capsys.readouterr().err
    for source, new in served.retriggers:
        assert f"Run {source} was re-triggered as {new}." in told


def test_once_sends_one_request(served, probed):
    status, findings = probed(SEEDED_FAILED_RUN_ID, once=True)

    assert (status, posts(served)) == (0, ["re-trigger"])
    assert findings["second"]["seen"] == "--once leaves it out"


@pytest.mark.parametrize(
    "fault",
    [
        dict(kind="close_after"),
        dict(kind="truncated"),
        dict(status=500),
        dict(status=502, body="<html>bad gateway</html>"),
        dict(status=503),
        dict(status=504, body={"error_code": "504"}),
        dict(status=200, body="<html>"),
        dict(status=200, body={"etag": "e"}),
        dict(status=200, body={"items": []}),
        dict(status=200, body={"id": SEEDED_FAILED_RUN_ID}),
        dict(status=404, body="<html>"),
    ],
)
def test_nothing_is_sent_after_an_uncertain_answer(served, probed, fault, capsys):
    served.fail(Fault("POST /runs", **fault))

    status, findings = probed(SEEDED_FAILED_RUN_ID)

    assert posts(served) == ["re-trigger"]
    assert (status, differing(findings)) == (1, {"answer"})
    assert not_seen(findings) >= {"op", *FOLLOWED}
    assert "It was not sent again. Look for a run of flow f1000000" in findings["answer"]["advice"]
    assert findings["answer"]["advice"].endswith("f1000000-0000-4000-8000-000000000001/activity")
    assert "may have started a run. It is not sent again." in capsys.readouterr().err


def test_a_success_without_a_new_run_is_told_with_what_operators_do(served, probed):
    served.fail(Fault("POST /runs", status=202))

    _, findings = probed(SEEDED_FAILED_RUN_ID)

    assert findings["answer"]["seen"].startswith("HTTP 202 with no body: it names no new run")
    assert "Operators search for the new run after each" in findings["answer"]["advice"]


def test_who_interrupts_the_request_is_told_where_to_look(served, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Asker, "post", interrupted)

    assert main(["probe", "--retrigger", SEEDED_FAILED_RUN_ID, "--yes"]) == 130

    out, err = capsys.readouterr()
    told, last = err.splitlines()[-2:]
    assert "may have started a run. Look for a run of flow f1000000" in told
    assert (out, last) == ("", "Interrupted.")


def test_who_does_not_wait_for_lists_gets_no_traceback(served, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(retrigger, "_follow", interrupted)

    assert main(["probe", "--retrigger", SEEDED_FAILED_RUN_ID, "--yes"]) == 130

    out, err = capsys.readouterr()
    assert posts(served) == ["re-trigger"]
    assert "was re-triggered as" in err
    assert (out, err.splitlines()[-1]) == ("", "Interrupted.")


@pytest.mark.parametrize("code", ["1398-400", "FLOW-1434-400", "FLOW-1437-400", "1401-400"])
def test_an_operation_that_is_not_known_is_tried_in_the_other_spelling(served, probed, code):
    body = {"type": f"https://ns.adobe.com/aep/errors/{code}"}
    served.fail(Fault("POST /runs", status=400, body=body))

    status, findings = probed(SEEDED_FAILED_RUN_ID)

    assert posts(served) == ["re-trigger", "RE_TRIGGER", "RE_TRIGGER"]
    assert (status, differing(findings)) == (1, {"op"})
    assert '{"retrigger_op": "RE_TRIGGER"}' in findings["op"]["advice"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (dict(status=400, body={"type": "x/1387-400"}), "in a state that does not allow it"),
        (dict(status=429, headers={"Retry-After": "5"}), "HTTP 429"),
        (dict(status=403, body={"type": "x/FLOW-2118-403"}), "HTTP 403, FLOW-2118-403"),
        (dict(status=503, body={"type": "x/FLOW-1103-503"}), "HTTP 503, FLOW-1103-503"),
    ],
)
def test_any_other_refusal_is_not_tried_again(served, probed, fault, said):
    served.fail(Fault("POST /runs", times=None, **fault))

    _, findings = probed(SEEDED_FAILED_RUN_ID)

    assert posts(served) == ["re-trigger"]
    assert said in findings["op"]["seen"]
    assert not_seen(findings) >= {"op", "answer", *FOLLOWED}


def test_a_run_of_a_disabled_flow_is_refused_and_said_why(served, probed):
    _, findings = probed(SEEDED_DISABLED_RUN_ID)

    assert "its flow is not enabled" in findings["op"]["seen"]
    assert served.retriggers == []


def test_a_new_run_that_is_not_listed_is_not_followed_by_a_second(served, probed, clock):
    served.new_run_unlisted_for = 1000
    began_at = clock.now

    status, findings = probed(SEEDED_FAILED_RUN_ID)

    assert posts(served) == ["re-trigger"]
    assert status == 1
    assert findings["listed"]["advice"].startswith("Set settle_time=600 or more")
    assert findings["second"]["seen"] == "not sent, since the new run is not listed"
    assert 300 <= clock.now - began_at < 310
    assert requests(served)["GET"] < 300


def test_a_hidden_run_is_seen_late_in_every_way(served, probed):
    served.new_run_hidden_for = 20

    status, findings = probed(SEEDED_FAILED_RUN_ID)

    assert (status, differing(findings)) == (0, set())
    for name in ("readable", "found", "listed"):
        assert findings[name]["seen"] == "after 20.0 s"


def test_a_refused_id_filter_is_not_waited_for(served, probed, clock):
    served.honour_id_filter = False
    began_at = clock.now

    _, findings = probed(SEEDED_FAILED_RUN_ID)

    assert findings["found"]["seen"] == "HTTP 400, FLOW-1449-400"
    assert clock.now == began_at


@pytest.mark.parametrize("form", ["items", "full_run", "201"])
def test_other_shapes_of_the_answer_are_told(served, probed, form):
    served.retrigger_answer = form

    status, findings = probed(SEEDED_FAILED_RUN_ID)

    assert (status, differing(findings)) == (1, {"answer"})
    assert findings["answer"]["advice"].startswith("Nothing to set")
    assert len(posts(served)) == 2


def test_a_second_retrigger_that_is_refused_is_told(served, probed):
    served.fail(Fault("POST /runs", status=400, body={"type": "x/1387-400"}, after=1))

    status, findings = probed(SEEDED_FAILED_RUN_ID)

    assert (status, differing(findings)) == (1, {"second"})
    assert findings["second"]["seen"].startswith("it is refused: HTTP 400, 1387-400")


def test_an_uncertain_second_retrigger_is_not_sent_again(served, probed):
    served.fail(Fault("POST /runs", kind="close_after", after=1))

    status, findings = probed(SEEDED_FAILED_RUN_ID)

    assert status == 0
    assert len(posts(served)) == 2
    assert findings["second"]["advice"].startswith("Look for a run of flow f1000000")


def test_a_new_run_that_names_the_old_one_is_told(flowservice, probed):
    old = flowservice.add_run(flowservice.add_flow(), "failed")
    names_it = {"items": [{"id": "n", "metrics": {}, "retryOf": {"run": old}}]}
    flowservice.fail(Fault("POST /runs", status=200, body={"id": "n", "etag": "e"}))
    flowservice.fail(Fault("GET /runs/n", status=200, body=names_it, times=None))

    _, findings = probed(old)

    assert findings["names_old"]["verdict"] == "differs"
    assert findings["names_old"]["seen"] == "named by retryOf.run"


# Who is asked


class Keyboard(io.StringIO):
    """A terminal at which somebody types."""

    def isatty(self):
        """Say so."""
        return True


@pytest.mark.parametrize("options", [[], ["--once"], ["--json"]])
def test_without_a_terminal_nothing_at_all_is_sent(served, monkeypatch, capsys, options):
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))

    assert main(["probe", "--retrigger", SEEDED_FAILED_RUN_ID, *options]) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert "without one it needs --yes" in err.splitlines()[-1]
    assert served.requests == []


@pytest.mark.parametrize("typed", ["no\n", "\n", "", "y\n", "yes please\n"])
def test_who_does_not_type_yes_sends_no_retrigger(served, monkeypatch, capsys, typed):
    monkeypatch.setattr(sys, "stdin", Keyboard(typed))

    assert main(["probe", "--retrigger", SEEDED_FAILED_RUN_ID]) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("Nothing was re-triggered.\n")
    assert posts(served) == []


def test_who_is_asked_is_told_what_will_be_sent(served, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", Keyboard("yes\n"))

    assert main(["probe", "--retrigger", SEEDED_FAILED_RUN_ID, "--json"]) == 0

    out, err = capsys.readouterr()
    assert len(json.loads(out)["findings"]) == 28
    for line in (
        "sandbox   staging",
        "flow      'Orders nightly (Amazon S3)' (f1000000-0000-4000-8000-000000000001)",
        f"run       {SEEDED_FAILED_RUN_ID}",
        "status    failed",
        "The probe will send two requests to re-trigger this run, for real.",
        "If the service accepts both, the data may be loaded twice; --once sends one only.",
    ):
        assert line in err.splitlines()
    assert len(posts(served)) == 2


def test_who_is_asked_about_one_request_is_told_so(served, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", Keyboard("yes\n"))

    assert main(["probe", "--retrigger", SEEDED_FAILED_RUN_ID, "--once"]) == 0

    err = capsys.readouterr().err
    assert "will send one request to re-trigger this run" in err
    assert "twice" not in err
    assert len(posts(served)) == 1


def test_who_is_not_asked_is_told_what_is_sent_as_well(served, probed, capsys):
    probed(SEEDED_DISABLED_RUN_ID)

    said = capsys.readouterr().err
    assert SEEDED_DISABLED_RUN_ID in said
    assert "operators would not re-trigger it" in said
    assert "two requests to re-trigger this run" in said
    assert "Type yes" not in said


def test_a_run_that_operators_would_refuse_is_said_to_be_one(served, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", Keyboard("no\n"))

    main(["probe", "--retrigger", SEEDED_DISABLED_RUN_ID])

    assert "note      operators would not re-trigger it: its flow" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--yes"], ["--once"], ["--retrigger", "a b"], ["--flow"]])
def test_wrong_arguments_are_exit_status_2_before_any_request(served, capsys, arguments):
    try:
        status = main(["probe", *arguments])
    except SystemExit as caught:
        status = caught.code

    assert status == 2
    assert capsys.readouterr().err
    assert served.requests == []
