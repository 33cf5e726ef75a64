"""
The commands and their options, for ``python -m airflow_provider_flowservice`` and for Airflow's CLI.

Imports little: Airflow takes seconds to import, and errors in the command line come first.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from airflow_provider_flowservice._arguments import kinds
from airflow_provider_flowservice._commands import INTERRUPTED, NOT_SEEN, WRONG_ARGUMENTS
from airflow_provider_flowservice._commands.quiet import logs_on_stderr, say, write
from airflow_provider_flowservice._defaults import CONN_ID


class Command(NamedTuple):
    """
    A command.

    :param options: The flags of each option, and how ``argparse`` reads it.
    :param function: Runs it with the parsed options, and returns the exit status.
    """

    name: str
    help: str
    description: str
    options: Sequence[tuple[Sequence[str], dict[str, Any]]]
    function: Callable[[argparse.Namespace], int]

    def run(self, parsed: argparse.Namespace) -> int:
        """
        Run the command.

        :param parsed: The options.
        :return: Exit status.
        """
        # Airflow's own command for connections does the same: from 3.2 on, only processes with this
        # variable read connections from the metadata database.
        os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
        try:
            return self.function(parsed)
        except KeyboardInterrupt:
            say("Interrupted.")
            return INTERRUPTED


def _check(parsed: argparse.Namespace) -> int:
    from airflow_provider_flowservice._commands.check import check

    return check(parsed.conn_id, parsed.flow, _via(parsed))


def _failures(parsed: argparse.Namespace) -> int:
    def report() -> tuple[int, str]:
        from airflow_provider_flowservice._commands.failures import failures

        return failures(parsed.conn_id, parsed.flow, parsed.since, parsed.json, _via(parsed))

    return _written(report)


def _probe(parsed: argparse.Namespace) -> int:
    if parsed.retrigger is None and (parsed.yes or parsed.once):
        say("--yes and --once belong to --retrigger.")
        return WRONG_ARGUMENTS

    def report() -> tuple[int, str]:
        from airflow_provider_flowservice._commands.probe import RetriggerOption, probe

        option = parsed.retrigger and RetriggerOption(parsed.retrigger, parsed.yes, parsed.once)
        return probe(parsed.conn_id, option, parsed.json, _via(parsed))

    return _written(report)


def _written(report: Callable[[], tuple[int, str]]) -> int:
    """Write a report, and return its exit status."""
    try:
        with logs_on_stderr():
            status, text = report()
        if text:
            write(text)
    except Exception:  # noqa: BLE001  # Python's own exit status would be a result
        traceback.print_exc()
        return NOT_SEEN
    return status


def _record(parsed: argparse.Namespace) -> int:
    inner = _inner(parsed)
    if inner is None:
        # Blocked in all threads; the recorder fetches them.
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    from airflow_provider_flowservice._commands.record import record

    conn_id = inner.conn_id if inner else parsed.conn_id
    run = partial(_run_via, inner) if inner else None
    return record(parsed.out, conn_id, parsed.port, parsed.keep, run)


def _run_via(inner: argparse.Namespace, via: str) -> int:
    inner.via = via
    return int(inner.run(inner))


def _inner(parsed: argparse.Namespace) -> argparse.Namespace | None:
    """Return the command that is to be recorded, with its options."""
    if not parsed.recorded:
        return None
    prog = f"python -m airflow_provider_flowservice record --out {parsed.out}"
    inner = parser_of(RECORDABLE, prog).parse_args(parsed.recorded)
    if inner.conn_id == CONN_ID:
        inner.conn_id = parsed.conn_id
    return inner


def parser_of(commands: Sequence[Command], prog: str) -> argparse.ArgumentParser:
    """Return a parser of command lines, whose result has the ``run`` of its command."""
    parser = argparse.ArgumentParser(prog=prog)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in commands:
        subparser = subparsers.add_parser(
            command.name, help=command.help, description=command.description
        )
        for flags, settings in command.options:
            subparser.add_argument(*flags, **settings)
        subparser.set_defaults(run=command.run)
    return parser


def _via(parsed: argparse.Namespace) -> str | None:
    """Return where the requests of a command go instead; no option says so."""
    via: str | None = getattr(parsed, "via", None)
    return via


def _id(text: str) -> str:
    try:
        return str(kinds.ID.read(text))
    except kinds.WrongArgumentError:
        raise argparse.ArgumentTypeError(f"{text!r} is not {kinds.ID.allowed}") from None


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LARGEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to {_LARGEST_PORT}")
    return int(text)


def _since(text: str) -> int:
    """Read a time, or how long ago it was, as epoch milliseconds."""
    now_ms = round(time.time() * 1000)
    if found := re.fullmatch("([0-9]+)([mhd])", text):
        return max(0, now_ms - int(found[1]) * _MILLISECONDS[found[2]])
    try:
        since_ms = kinds.epoch_milliseconds(text)
    except (ValueError, OverflowError):
        since_ms = -1
    if not 0 <= since_ms <= now_ms:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a duration such as 90m, 24h or 7d, nor a past time in ISO 8601"
        )
    return since_ms


_LARGEST_PORT = 65_535
_MILLISECONDS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
_CONN_ID = (["--conn-id"], dict(default=CONN_ID, help="default: %(default)s"))
_ACCOUNT = "flow whose source account to test as well"
_RETRIGGER = (
    "a failed run to re-trigger twice, for real, to see what the service does; asks before it sends"
)
_FLOW = (
    "a flow, or a pattern for names such as 'orders*'; default: all flows that load from a source"
)
_SINCE = "90m, 24h, 7d, or a time in ISO 8601, in UTC if it has no time zone; default: %(default)s"

_KEEP = "a key or word to keep that the package does not know; can be given several times"
_PORT = "port of the proxy on this machine; default: a free one"
_RECORDED = (
    "check, failures or probe, with its options; without one, a proxy records a DAG until Ctrl-C"
)

RECORDABLE = (
    Command(
        "check",
        "check an Airflow connection of type flowservice",
        "Check an Airflow connection, stage by stage. Reads only, changes nothing.",
        [_CONN_ID, (["--flow"], dict(type=_id, metavar="ID", help=_ACCOUNT))],
        _check,
    ),
    Command(
        "failures",
        "show the runs that failed, why, and what to do about each",
        "Show the runs that failed, why, and what to do about each. Reads only, changes nothing. "
        "Exit status: 0 if no run has failed, 1 if some have, 2 for wrong arguments, 3 if the runs "
        "could not be read.",
        [
            _CONN_ID,
            (["--flow"], dict(metavar="NAME_OR_ID", help=_FLOW)),
            (["--since"], dict(type=_since, default="24h", metavar="TIME", help=_SINCE)),
            (["--json"], dict(action="store_true", help="print one JSON document")),
        ],
        _failures,
    ),
    Command(
        "probe",
        "ask the service what this package assumes, and show what differs",
        "Ask the service what this package assumes, and show what differs. Reads only, unless "
        "--retrigger names a run. Exit status: 0 if nothing differs, 1 if something does, 2 for wrong "
        "arguments or a re-trigger that was not confirmed, 3 if the service could not be asked.",
        [
            _CONN_ID,
            (["--retrigger"], dict(type=_id, metavar="RUN_ID", help=_RETRIGGER)),
            (["--yes"], dict(action="store_true", help="re-trigger without a question")),
            (["--once"], dict(action="store_true", help="send no second re-trigger")),
            (["--json"], dict(action="store_true", help="print one JSON document")),
        ],
        _probe,
    ),
)

COMMANDS = (
    *RECORDABLE,
    Command(
        "record",
        "record what the service says, without what identifies you",
        "Record requests and responses of a command, or of a DAG that calls a proxy on this machine. "
        "IDs and names are replaced, and all that is not known to be harmless is left out. Exit status: "
        "that of the command; 2 for wrong arguments, 3 if the connection could not be read.",
        [
            (["--out"], dict(type=Path, required=True, metavar="FILE", help="file to make")),
            _CONN_ID,
            (["--port"], dict(type=_port, default=0, metavar="PORT", help=_PORT)),
            (["--keep"], dict(action="append", default=[], metavar="WORD", help=_KEEP)),
            (["recorded"], dict(nargs=argparse.REMAINDER, metavar="COMMAND", help=_RECORDED)),
        ],
        _record,
    ),
)
