"""
Pytest plugin that looks for secrets in all that a test run writes, and fails a run that shows one.

It reads every record of every logger down to DEBUG, whether or not a handler takes it; what tests
print; the errors that tests meet, expected or not; and what helpers show it with :func:`look_at`,
such as XComs and the rows of triggers. :func:`look_through` reads all that an Airflow leaves behind.
"""

from __future__ import annotations

import logging
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_flowservice.emulator import FlowServiceEmulator

# Every secret that a test makes up holds the emulator's own, so that it is known, too.
SECRET = FlowServiceEmulator.client_secret
# All tokens of emulators begin alike, in whichever process they are made.
TOKEN_START = FlowServiceEmulator().issue_token().partition(".")[0]

_ANY_SECRET = re.compile(f"{re.escape(SECRET)}|{re.escape(TOKEN_START)}".encode())
# Airflow 3.0 prints in `dag.test()` what it is told to hide: at DEBUG, and of every connection.
_AIRFLOWS_OWN = re.compile(rb"Sending request\s+msg=MaskSecret\(value='[^']*'")
# Characters told of what stands before a secret.
_AROUND = 200


class SecretScan:
    """
    RunLoader for secrets, and counts what it has looked at.

    :param found: Where secrets were, and what stood before each.
    """

    def __init__(self) -> None:
        self.records = 0
        self.texts = 0
        self.found: list[str] = []
        self._lock = threading.Lock()

    @property
    def summary(self) -> str:
        """What was looked at and found, in one line."""
        return f"secret scan: {self.records} records, {self.texts} texts, {len(self.found)} secrets"

    def look_at(self, text: str | bytes, where: str) -> None:
        """Look at a text."""
        content = text if isinstance(text, bytes) else text.encode(errors="replace")
        with self._lock:
            self.texts += 1
            self._look(content, where)

    def look_at_record(self, record: logging.LogRecord) -> None:
        """Look at a log record, and at the error it may carry."""
        error = record.exc_info[1] if record.exc_info else None
        text = f"{record.msg} {record.args} {_message(record)} {told(error)}"
        with self._lock:
            self.records += 1
            self._look(text.encode(errors="replace"), f"log record of {record.name}")

    def look_through(self, folder: Path) -> None:
        """Look at every file below a folder, and at every row of the databases among them."""
        for path in folder.rglob("*"):
            if path.is_file():
                self.look_at(path.read_bytes(), str(path))
            if path.suffix == ".db":
                for table, row in _rows(path):
                    self.look_at(repr(row), f"{path}, table {table}")

    def _look(self, content: bytes, where: str) -> None:
        content = _AIRFLOWS_OWN.sub(b"", content)
        if match := _ANY_SECRET.search(content):
            before = content[max(0, match.start() - _AROUND) : match.start()]
            self.found.append(f"{where}: …{before.decode(errors='replace')}<secret>")


scan = SecretScan()
look_at = scan.look_at
look_through = scan.look_through


def told(error: BaseException | None) -> str:
    """Write down all that an error says, and the errors behind it, also those it hides."""
    texts, seen = [], set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        texts.append(f"{error} {error!r} {error.args} {getattr(error, '__dict__', '')}")
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # arguments that do not fit, which logging only complains of
        return ""


def _rows(database: Path) -> Iterator[tuple[str, Any]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                yield table, row


def _watch_loggers() -> Callable[[], None]:
    """See every log record, and let through what would have come without; return the way back."""
    logger, is_enabled, handle = logging.Logger, logging.Logger.isEnabledFor, logging.Logger.handle

    def look_and_handle(self: logging.Logger, record: logging.LogRecord) -> None:
        scan.look_at_record(record)
        if is_enabled(self, record.levelno):
            handle(self, record)

    logger.isEnabledFor = lambda self, level: True  # type: ignore[method-assign]
    logger.handle = look_and_handle  # type: ignore[method-assign]

    def stop() -> None:
        logger.isEnabledFor, logger.handle = is_enabled, handle  # type: ignore[method-assign]

    return stop


def _watch_expected_errors() -> Callable[[], None]:
    """See every error that ``pytest.raises`` catches; return the way back."""
    info, fill = pytest.ExceptionInfo, pytest.ExceptionInfo.fill_unfilled

    def look_and_fill(self: pytest.ExceptionInfo[Any], exc_info: Any) -> None:
        look_at(told(exc_info[1]), "an expected error")
        fill(self, exc_info)

    info.fill_unfilled = look_and_fill  # type: ignore[method-assign]

    def stop() -> None:
        info.fill_unfilled = fill  # type: ignore[method-assign]

    return stop


def pytest_configure(config: pytest.Config) -> None:
    """Begin to watch."""
    config.add_cleanup(_watch_loggers())
    config.add_cleanup(_watch_expected_errors())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Look at what a test printed, and at the error it ended with."""
    report = yield
    if call.when == "teardown":
        for name, text in report.sections:
            look_at(text, f"{name} of {item.nodeid}")
    if call.excinfo:
        look_at(told(call.excinfo.value), f"the error of {item.nodeid}")
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that shows a secret."""
    if scan.found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what was looked at, and where secrets were."""
    terminalreporter.write_line(scan.summary)
    for place in scan.found[:20]:
        terminalreporter.write_line(f"secret in {place}", red=True)
