"""The failed runs on the command line: what is printed of them, and the exit status."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest

from airflow_provider_flowservice.__main__ import main
from airflow_provider_flowservice._commands.failures import with_progress
from airflow_provider_flowservice.emulator import Fault, FlowServiceEmulator
from airflow_provider_flowservice.emulator.seed import (
    DESTINATION_FLOW_ID,
    ORDERS_FLOW_ID,
    SEEDED_DESTINATION_RUN_ID,
    SEEDED_DISABLED_RUN_ID,
    SEEDED_FAILED_RUN_ID,
    SEEDED_NON_RETRYABLE_RUN_ID,
    SEEDED_REJECTING_RUN_ID,
    SEEDED_STREAMING_RUN_ID,
)
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.runs import DataflowRun

NOW = datetime(2025, 1, 15, 6, 30, tzinfo=timezone.utc)
LINKS = (
    "https://experience.adobe.com/#/@A1B2C3D4E5F6A7B8C9D0E1F2@AdobeOrg/sname:staging"
    "/platform/source/dataflows/"
)
TEXT = """\
Failed runs in sandbox 'staging' since 2025-01-12 00:00 UTC,
in the order to re-trigger them, the oldest first:

flow        'Store visits archive (Azure Blob)'
            (f5000000-0000-4000-8000-000000000005)
run         77777777-7777-4777-8777-aaaaaaaaaaaa
created     2025-01-13 21:10 UTC
window      2025-01-13 20:10 UTC to 2025-01-13 21:10 UTC
error       2200: A connection attempt failed because the connected party did
            not respond.
re-trigger  refused: its flow 'Store visits archive (Azure Blob)'
            (f5000000-0000-4000-8000-000000000005) is disabled; enable it in
            Experience Platform first
to do       Enable its flow, then re-trigger the run.
link        LINKS/f5000000-0000-4000-8000-000000000005/activity/77777777-7777-4777-8777-aaaaaaaaaaaa

flow        'Orders nightly (Amazon S3)' (f1000000-0000-4000-8000-000000000001)
run         11111111-1111-4111-8111-aaaaaaaaaaaa
created     2025-01-15 01:30 UTC
window      2025-01-15 00:30 UTC to 2025-01-15 01:30 UTC
error       2200: A connection attempt failed because the connected party did
            not respond.
re-trigger  possible
to do       Re-trigger it with RetriggerDataflowRunOperator, or with Retry in
            Experience Platform.
link        LINKS/f1000000-0000-4000-8000-000000000001/activity/11111111-1111-4111-8111-aaaaaaaaaaaa

flow        'Loyalty members delta (SFTP)'
            (f2000000-0000-4000-8000-000000000002)
run         22222222-2222-4222-8222-aaaaaaaaaaaa
created     2025-01-15 01:40 UTC
window      2025-01-15 00:40 UTC to 2025-01-15 01:40 UTC
error       2200: A connection attempt failed because the connected party did
            not respond.
re-trigger  possible
to do       Re-trigger it with RetriggerDataflowRunOperator, or with Retry in
            Experience Platform.
link        LINKS/f2000000-0000-4000-8000-000000000002/activity/22222222-2222-4222-8222-aaaaaaaaaaaa

flow        'Loyalty members delta (SFTP)'
            (f2000000-0000-4000-8000-000000000002)
run         33333333-3333-4333-8333-aaaaaaaaaaaa
created     2025-01-15 01:50 UTC
window      2025-01-15 00:50 UTC to 2025-01-15 01:50 UTC
error       MAPPER-3700-400: Mapper Transform Error
re-trigger  later: it would fail alike until its cause is removed
to do       Re-triggering cannot fix this; the data or its mapping has to change
            first.
link        LINKS/f2000000-0000-4000-8000-000000000002/activity/33333333-3333-4333-8333-aaaaaaaaaaaa

flow        'Web events (HTTP API)' (f3000000-0000-4000-8000-000000000003)
run         88888888-8888-4888-8888-aaaaaaaaaaaa
created     2025-01-15 04:30 UTC
window      2025-01-15 03:30 UTC to 2025-01-15 04:30 UTC
error       2200: A connection attempt failed because the connected party did
            not respond.
re-trigger  refused: its flow 'Web events (HTTP API)'
            (f3000000-0000-4000-8000-000000000003) streams; only runs of batch
            sources can be re-triggered
to do       Mend what the error names; this run cannot be re-triggered.
link        LINKS/f3000000-0000-4000-8000-000000000003/activity/88888888-8888-4888-8888-aaaaaaaaaaaa

flow                                  runs  success   failed  partial
Loyalty members delta (SFTP)             3        0        2        0
Orders nightly (Amazon S3)               3        2        1        0
Store visits archive (Azure Blob)        1        0        1        0
Web events (HTTP API)                    1        0        1        0
"""


@pytest.fixture
def seed(monkeypatch):
    """The emulator's flows and runs, at a time of long ago."""
    FlowServiceHook.drop_tokens()
    with FlowServiceEmulator(seed=True, clock=NOW.timestamp) as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", emulator.connection_json)
        yield emulator
    FlowServiceHook.drop_tokens()


@pytest.fixture
def failures(capsys):
    """Return a function that runs the command, and returns its exit status and output."""

    def failures(*arguments):
        status = main(["failures", *arguments])
        return status, capsys.readouterr().out

    return failures


@pytest.fixture
def failures_json(failures):
    """Return a function that runs the command, and returns its exit status and JSON."""

    def failures_json(*arguments):
        status, out = failures("--json", *arguments)
        return status, json.loads(out)

    return failures_json


def found(document):
    """Return the IDs of the failed runs."""
    return [failure["run_id"] for failure in document["failures"]]


# What is printed


def test_text_on_the_seed(seed, failures):
    status, out = failures("--since", "2025-01-12")

    assert status == 1
    assert out == TEXT.replace("LINKS/", LINKS)


def test_json_on_the_seed(seed, failures_json):
    status, document = failures_json("--since", "2025-01-15T00:00Z")

    assert status == 1
    assert document["sandbox"] == "staging"
    assert document["since"] == "2025-01-15T00:00:00+00:00"
    assert [(each["run_id"], each["retrigger"]) for each in document["failures"]] == [
        (SEEDED_FAILED_RUN_ID, "possible"),
        (SEEDED_REJECTING_RUN_ID, "possible"),
        (SEEDED_NON_RETRYABLE_RUN_ID, "later"),
        (SEEDED_STREAMING_RUN_ID, "refused"),
    ]
    assert document["failures"][2] == {
        **DataflowRun.from_api(seed.run(SEEDED_NON_RETRYABLE_RUN_ID)).summary,
        "flow_name": "Loyalty members delta (SFTP)",
        "retrigger": "later",
        "reason": "it would fail alike until its cause is removed",
        "advice": "Re-triggering cannot fix this; the data or its mapping has to change first.",
        "later_run_id": None,
        "url": f"{LINKS}f2000000-0000-4000-8000-000000000002/activity/{SEEDED_NON_RETRYABLE_RUN_ID}",
    }
    assert document["flows"][1] == {
        "flow_id": ORDERS_FLOW_ID,
        "flow_name": "Orders nightly (Amazon S3)",
        "total": 3,
        "success": 2,
        "failed": 1,
        "partial": 0,
    }


def test_a_run_that_was_retriggered_names_the_new_one(flowservice, failures):
    window = (1_700_000_000_000, 1_700_003_600_000)
    flow_id = flowservice.add_flow()
    now_ms = flowservice.now_ms()
    flowservice.add_run(flow_id, "failed", "old", now_ms - 9000, window=window)
    flowservice.add_run(flow_id, "success", "new", now_ms - 5000, window=window)

    status, out = failures()

    assert status == 1
    assert "\nre-trigger  loaded since by run new\n" in out
    assert "\nto do       Nothing: its data is there.\n" in out


def test_a_run_that_shows_next_to_nothing_is_printed(flowservice, failures):
    flow_id = flowservice.add_flow("")
    metrics = {"statusSummary": {"status": "failed"}}
    flowservice.add_run(flow_id, "failed", metrics=metrics, activities=...)

    status, out = failures()

    assert status == 1
    shown = [line.split(None, 1) for line in out.splitlines() if line.endswith("not shown")]
    assert [name for name, _ in shown] == ["window", "error"]
    assert out.splitlines()[-1].startswith(flow_id)


def test_control_characters_of_the_service_are_left_out(flowservice, failures):
    flow_id = flowservice.add_flow("Orders\x1b[2J\r\n\u202enightly\x00")
    flowservice.add_run(
        flow_id, "failed", error=("CONNECTOR\x07-1", "no\nsuch\x1b]0;title\x07file")
    )

    _, out = failures()

    assert all(line.isprintable() for line in out.split("\n"))


# Which runs


def test_the_last_24_hours_are_the_default(flowservice, failures_json):
    flow_id = flowservice.add_flow()
    hour = 3_600_000
    for age in (23, 25):
        flowservice.add_run(flow_id, "failed", f"{age}h", flowservice.now_ms() - age * hour)

    assert found(failures_json()[1]) == ["23h"]


@pytest.mark.parametrize(
    ("since", "runs"),
    [
        ("90m", ["1h"]),
        ("24h", ["20h", "1h"]),
        ("1d", ["20h", "1h"]),
        ("7d", ["100h", "20h", "1h"]),
        ("999999999999d", ["100h", "20h", "1h"]),
    ],
)
def test_since_how_long(flowservice, failures_json, since, runs):
    flow_id = flowservice.add_flow()
    for age in (100, 20, 1):
        created_at = flowservice.now_ms() - age * 3_600_000
        flowservice.add_run(flow_id, "failed", f"{age}h", created_at)

    assert found(failures_json("--since", since)[1]) == runs


def test_a_time_zone_of_since_counts(seed, failures_json):
    # Created at 01:30, 01:40 and 01:50 in UTC.
    runs = found(failures_json("--since", "2025-01-15T02:45+01:00", "--flow", "*delta*")[1])

    assert runs == [SEEDED_NON_RETRYABLE_RUN_ID]


@pytest.mark.parametrize(
    ("flow", "runs"),
    [
        (ORDERS_FLOW_ID, [SEEDED_FAILED_RUN_ID]),
        (DESTINATION_FLOW_ID, [SEEDED_DESTINATION_RUN_ID]),
        ("orders nightly (amazon s3)", [SEEDED_FAILED_RUN_ID]),
        ("*ARCHIVE*", [SEEDED_DISABLED_RUN_ID]),
        (
            "?o*",
            [SEEDED_REJECTING_RUN_ID, SEEDED_NON_RETRYABLE_RUN_ID],
        ),
    ],
)
def test_a_flow_is_chosen_by_id_name_or_pattern(seed, failures_json, flow, runs):
    status, document = failures_json("--since", "2025-01-12", "--flow", flow)

    assert status == 1
    assert found(document) == runs


def test_no_failed_run_is_exit_status_0(flowservice, failures, failures_json):
    flow_id = flowservice.add_flow("Orders")
    for status in ("success", "partialSuccess", "inProgress"):
        flowservice.add_run(flow_id, status)

    status, out = failures()

    assert status == 0
    assert out.startswith("No failed runs in sandbox 'staging' since ")
    assert out.endswith(
        "\n\nflow       runs  success   failed  partial\nOrders        3        1        0        1\n"
    )
    status, document = failures_json()
    assert (status, document["failures"]) == (0, [])


def test_no_run_at_all_is_exit_status_0_as_well(flowservice, failures):
    status, out = failures()

    assert status == 0
    assert len(out.splitlines()) == 1


def test_1000_runs_cost_a_request_for_each_100_of_them(flowservice, failures_json, tell):
    flow_ids = [flowservice.add_flow() for _ in range(5)]
    for number in range(1000):
        flowservice.add_run(flow_ids[number % 5], "success" if number % 4 else "failed")

    began_mono = time.monotonic()
    status, document = failures_json()
    tell(f"1,000 runs, 250 of them failed: {time.monotonic() - began_mono:.1f} s")

    assert status == 1
    assert len(document["failures"]) == 250
    assert sum(each["total"] for each in document["flows"]) == 1000
    requests = Counter(seen.path.rpartition("/")[2] for seen in flowservice.requests)
    assert requests == {"v3": 1, "flows": 1, "runs": 10}


# What is wrong


@pytest.mark.parametrize(
    "arguments",
    [
        ["--since", "3x"],
        ["--since", "-1h"],
        ["--since", ""],
        ["--since", "yesterday"],
        ["--since", "٣h"],
        ["--since", "1900-01-01"],
        ["--since", (datetime.now(timezone.utc) + timedelta(days=1)).isoformat()],
        ["--yaml"],
    ],
)
def test_wrong_arguments_are_exit_status_2_before_any_request(flowservice, capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(["failures", *arguments])

    assert caught.value.code == 2
    assert "usage: python -m airflow_provider_flowservice" in capsys.readouterr().err
    assert flowservice.requests == []


@pytest.fixture
def not_seen(capsys):
    """Return a function that runs the command, which must fail, and returns its only line."""

    def not_seen(*arguments):
        capsys.readouterr()
        assert main(["failures", *arguments]) == 3
        out, err = capsys.readouterr()
        assert out == ""
        # Airflow may log beside it.
        return err.splitlines()[-1]

    return not_seen


def test_a_name_that_matches_nothing_names_the_nearest(seed, not_seen):
    assert not_seen("--flow", "Order nightly").startswith(
        "--flow='Order nightly' matches no flow of the sandbox. The nearest names are "
        "'Orders nightly (Amazon S3)'"
    )


def test_a_name_of_a_destination_names_the_way_to_it(seed, not_seen):
    text = not_seen("--flow", seed.flow(DESTINATION_FLOW_ID)["name"])

    assert "matches only flows to destinations" in text
    assert text.endswith("Name one by its ID to include it.")


def test_a_wrong_secret_is_told_and_not_shown(flowservice, monkeypatch, not_seen):
    connection = {**flowservice.connection, "password": "wrong-secret"}
    monkeypatch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", json.dumps(connection))

    text = not_seen()

    assert "invalid client_secret" in text
    assert "client secret (password) of the connection is wrong" in text
    assert "wrong-secret" not in text


def test_an_error_of_the_service_is_told(flowservice, not_seen):
    flowservice.fail(Fault("GET /runs", status=503, headers={"Retry-After": "3600"}))

    text = not_seen("--json")

    assert "GET /runs returned HTTP 503" in text
    assert text.endswith("Try again later.")


@pytest.mark.parametrize("value", ["a-word-to-hide", '{"password": "a-word-to-hide", "port": "x"}'])
def test_a_connection_that_cannot_be_read_is_told_and_not_shown(monkeypatch, not_seen, value):
    monkeypatch.setenv("AIRFLOW_CONN_IN_A_VARIABLE", value)

    text = not_seen("--conn-id", "in_a_variable")

    assert "The environment variable AIRFLOW_CONN_IN_A_VARIABLE is set, but" in text
    assert "a-word-to-hide" not in text


def test_a_connection_without_an_id_is_told(not_seen):
    assert "flowservice_conn_id" in not_seen("--conn-id", "")


# In a process of its own


def run_command(*arguments, **variables):
    return subprocess.run(
        [sys.executable, "-m", "airflow_provider_flowservice", "failures", *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_standard_output_is_the_report_whatever_airflow_logs(seed):
    seed.fail(Fault("GET /runs", status=503))

    done = run_command("--json", "--since", "2025-01-12")

    assert done.returncode == 1
    assert len(json.loads(done.stdout)["failures"]) == 5
    assert "HTTP 503" in done.stderr
    assert "Runs read" not in done.stderr


@pytest.mark.once
def test_a_service_that_is_down_is_told_in_one_line():
    emulator = FlowServiceEmulator()
    with emulator:
        connection = emulator.connection_json

    done = run_command(AIRFLOW_CONN_FLOWSERVICE_DEFAULT=connection)

    assert done.returncode == 3
    assert done.stdout == ""
    assert "Connection refused. Check 'ims_url' of the connection" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert emulator.client_secret not in done.stderr


@pytest.mark.once
def test_a_reader_who_has_seen_enough_is_no_error(seed):
    command = [sys.executable, "-m", "airflow_provider_flowservice", "failures"]
    command += ["--since", "1m"]
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=110, check=False
        )
    finally:
        os.close(writer)

    assert done.returncode == 0
    assert "Error" not in done.stderr


@pytest.mark.once
def test_an_error_that_is_not_foreseen_does_not_say_that_runs_have_failed(seed):
    command = f"{sys.executable} -m airflow_provider_flowservice failures >&-"

    done = subprocess.run(
        command, shell=True, stderr=subprocess.PIPE, text=True, timeout=110, check=False
    )

    assert done.returncode == 3
    assert "Traceback" in done.stderr


@pytest.mark.once
def test_letters_that_the_terminal_lacks_are_written_otherwise(flowservice):
    flowservice.add_run(flowservice.add_flow("データ"), "success")

    done = run_command(
        PYTHONIOENCODING="ascii", AIRFLOW_CONN_FLOWSERVICE_DEFAULT=flowservice.connection_json
    )

    assert done.returncode == 0
    assert "\\u30c7\\u30fc\\u30bf" in done.stdout


# The progress


class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self):
        """Say so."""
        return True

    @property
    def shown(self):
        """The characters of its line."""
        return self.getvalue().rpartition("\r")[2]


def test_a_terminal_shows_how_many_runs_were_read_until_all_are():
    terminal, seen = Terminal(), []

    for number in with_progress(iter(range(250)), terminal):
        if number in (0, 99, 100, 249):
            seen.append(terminal.shown)

    assert seen == ["Runs read: 0", "Runs read: 0", "Runs read: 100", "Runs read: 200"]
    assert terminal.getvalue().endswith(f"\r{' ' * len('Runs read: 200')}\r")


def test_the_progress_vanishes_before_an_error():
    def runs():
        yield 1
        raise ValueError

    terminal = Terminal()

    with pytest.raises(ValueError, match="^$"):
        list(with_progress(runs(), terminal))

    assert terminal.getvalue().endswith(" \r")


def test_a_file_shows_no_progress():
    file = io.StringIO()

    assert list(with_progress(iter(range(250)), file)) == list(range(250))
    assert file.getvalue() == ""


def test_the_command_shows_its_progress_on_standard_error(flowservice, monkeypatch, failures):
    flowservice.add_run(flowservice.add_flow(), "success")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    assert failures()[0] == 0

    assert "Runs read: 0" in terminal.getvalue()
    assert terminal.shown == ""
