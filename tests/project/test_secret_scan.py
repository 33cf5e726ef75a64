"""The secret scan of the test run finds a secret wherever one may show."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from helpers.secret_scan import SECRET, TOKEN_START, SecretScan, told

pytestmark = pytest.mark.once

TESTS = Path(__file__).parents[1]
TOKEN = f"{TOKEN_START}.e30.c2ln"
LEAKS = {
    "a debug record": "logging.getLogger('urllib3.anything').debug('sent %s', SECRET)",
    "a record nobody takes": "logging.getLogger('quiet').setLevel(50); logging.getLogger('quiet').info(SECRET)",
    "an argument": "logging.getLogger('x').warning('%s', {'a': [SECRET]})",
    "a token": "logging.getLogger('x').warning('%s', TOKEN_START + '.e30.c2ln')",
    "an error in a record": "try:\n  raise ValueError(SECRET)\n except ValueError:\n  logging.exception('x')",
    "print": "print(SECRET)",
    "standard error": "sys.stderr.write(SECRET)",
    "an expected error": "with pytest.raises(ValueError):\n  raise ValueError(SECRET)",
    "an expected error's cause": (
        "with pytest.raises(ValueError):\n"
        "  try:\n   raise KeyError(SECRET)\n  except KeyError:\n   raise ValueError from None"
    ),
    "an attribute": "e = ValueError()\n e.x = SECRET\n with pytest.raises(ValueError):\n  raise e",
    "a row": "look_at(SECRET, 'a row')",
}


def run_pytest(folder: Path, *bodies: str) -> subprocess.CompletedProcess[str]:
    """Run tests of these bodies with the plugin alone."""
    head = "import logging, sys, pytest\nfrom helpers.secret_scan import SECRET, TOKEN_START, look_at\n"
    tests = [f"def test_{number}():\n {body}\n" for number, body in enumerate(bodies)]
    (folder / "test_it.py").write_text(head + "\n".join(tests))
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {TESTS}\n")
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "helpers.secret_scan",
            "-p",
            "no:cacheprovider",
            "-q",
        ],
        cwd=folder,
        env={"PYTHONPATH": str(TESTS), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_planted_secret_is_found(tmp_path):
    done = run_pytest(tmp_path, *LEAKS.values())

    assert f"{len(LEAKS)} passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    told_of = [line for line in done.stdout.splitlines() if line.startswith("secret in ")]
    assert len(told_of) >= len(LEAKS)
    assert SECRET not in done.stdout  # it does not become a leak itself


def test_a_run_without_secrets_passes_and_says_what_was_looked_at(tmp_path):
    body = "logging.getLogger('x').debug('nothing'); print('nothing')"
    done = run_pytest(tmp_path, body)

    assert done.returncode == pytest.ExitCode.OK, done.stdout + done.stderr
    assert "secret scan: 1 records, 1 texts, 0 secrets" in done.stdout


@pytest.mark.parametrize("secret", [SECRET, TOKEN])
def test_files_and_tables_are_looked_through(tmp_path, secret):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "attempt=1.log").write_text(f"Authorization: Bearer {secret}\n")
    with closing(sqlite3.connect(tmp_path / "airflow.db")) as connection:
        connection.execute("CREATE TABLE trigger (kwargs)")
        connection.execute("INSERT INTO trigger VALUES (?)", [secret])
        connection.commit()
    scan = SecretScan()

    scan.look_through(tmp_path)

    places = {place.partition(": …")[0].rpartition("/")[2] for place in scan.found}
    assert places == {"airflow.db, table trigger", "airflow.db", "attempt=1.log"}
    assert secret not in "".join(scan.found)


def test_records_are_handed_on_as_they_would_be_without(caplog):
    logger = logging.getLogger("a_logger_of_its_own")
    logger.setLevel(logging.WARNING)
    logger.debug("unheard")
    logger.warning("heard")

    assert caplog.messages == ["heard"]


def test_errors_that_go_round_in_circles_are_told():
    first, second = ValueError("first"), ValueError("second")
    first.__context__, second.__context__ = second, first

    assert told(first).count("first") == told(first).count("second")
