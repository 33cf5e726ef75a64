"""Records what the service says: to one of the other commands, or to a DAG that calls a proxy."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from airflow_provider_flowservice._client.check import failure_text
from airflow_provider_flowservice._commands import NONE_FAILED, NOT_SEEN, WRONG_ARGUMENTS
from airflow_provider_flowservice._commands.connection import open_hook
from airflow_provider_flowservice._commands.quiet import logs_on_stderr, quiet_client, say
from airflow_provider_flowservice._compat import AirflowException
from airflow_provider_flowservice._json import line
from airflow_provider_flowservice._recording.proxy import RecordingProxy
from airflow_provider_flowservice._recording.recorder import Recorder

_ENDING_SIGNALS = {signal.SIGINT, signal.SIGTERM}
_MOST_SHOWN = 20
_LONGEST_SHOWN = 100
_INVITATION = """\
Recording to {out}. Make a copy of connection {conn_id!r} with these two fields changed, and let a DAG use it:
  Platform URL (host)  {url}
  IMS URL              {url}
Its Airflow has to run on this machine. Ctrl-C ends the recording."""


def record(
    out: Path,
    conn_id: str,
    port: int,
    keep: Sequence[str],
    command: Callable[[str], int] | None,
) -> int:
    """
    Record until a command has ended, or until interrupted or terminated.

    :param out: File to make.
    :param port: Port of the proxy, 0 for a free one.
    :param keep: Further keys and words that are harmless.
    :param command: Runs with the address of the proxy, and returns its exit status.
    :return: Exit status: that of the command; 2 if the file cannot be made or the port is taken, 3 if the
        connection cannot be read.
    """
    try:
        with logs_on_stderr():
            settings = quiet_client(open_hook(conn_id)).settings
    except (ValueError, AirflowException) as error:
        say(failure_text("connection", error, conn_id))
        return NOT_SEEN
    try:
        recorder = Recorder(out, settings, keep)
    except OSError as error:
        hint = " Name a file that does not exist." if isinstance(error, FileExistsError) else ""
        say(f"--out: {out} cannot be made: {error.strerror}.{hint}")
        return WRONG_ARGUMENTS
    with recorder:
        proxy = RecordingProxy(settings, recorder, port)
        try:
            proxy.start()
        except OSError as error:
            out.unlink()
            say(
                f"--port: {port} cannot be listened on: {error.strerror}. Leave it out for a free one."
            )
            return WRONG_ARGUMENTS
        try:
            status = command(proxy.url) if command else _wait(proxy, out, conn_id)
        finally:
            proxy.stop()
    for text in _report(recorder, proxy, out):
        say(text)
    return status


def _wait(proxy: RecordingProxy, out: Path, conn_id: str) -> int:
    say(_INVITATION.format(out=out, conn_id=conn_id, url=proxy.url))
    signal.sigwait(_ENDING_SIGNALS)
    return NONE_FAILED


def _report(recorder: Recorder, proxy: RecordingProxy, out: Path) -> Iterator[str]:
    scrubber = recorder.scrubber
    names = len(scrubber.names)
    yield f"Exchanges recorded in {out}: {recorder.exchanges}. Names replaced: {names}."
    unknown = (("keys", scrubber.unknown_keys), ("words", scrubber.unknown_words))
    for what, counts in unknown:
        if counts:
            yield f"Left out, since the package does not know these {what}: {_shown(counts)}."
    if any(counts for _, counts in unknown):
        yield "Those that are harmless can be kept: record again with --keep WORD for each."
    for reason, times in proxy.unanswered.items():
        yield f"{times} of {recorder.exchanges} requests: {reason}"
    for each in recorder.refused:
        yield f"Not recorded: {each}"
    yield "Read the file before you send it to anybody: its first line says what was removed."


def _shown(counts: Counter[str]) -> str:
    names = [line(name, _LONGEST_SHOWN) for name, _ in counts.most_common(_MOST_SHOWN)]
    more = len(counts) - len(names)
    return ", ".join(names) + (f", and {more} more" if more else "")
