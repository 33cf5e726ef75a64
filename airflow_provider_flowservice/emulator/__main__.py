"""Run the emulator on its own: ``python -m airflow_provider_flowservice.emulator``."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys

from airflow_provider_flowservice.emulator import FlowServiceEmulator, Replay, Seen
from airflow_provider_flowservice.emulator.recording import RecordingError

_ENDING_SIGNALS = {signal.SIGINT, signal.SIGTERM}
_GUESSES = """\
This is NOT Adobe's service. It plays what Adobe documents, and guesses the rest:
  - that both `re-trigger` and `RE_TRIGGER` are understood
  - the bodies of refusals to start a run: a plain 13xx code, and which of several comes first
  - that a partial success cannot be re-triggered
  - that a new run is readable at once, starts as `inProgress`, and names no source run
  - that the source run of a re-trigger stays as it is
  - that an on-demand run needs a start time, and both ends of its window or neither
  - that it is `scheduled` until its start time, for which the current second is not too late
  - that flows which read files ignore `deltaColumn`
  - that a flow can be enabled twice, and that reading takes no permission to manage sources
  - that the re-trigger of an on-demand run has the window in its `params`, too
  - the words in which a source gives its reasons to skip records or to deny access
  - that a page's continuation token carries the filter and the order
  - that filter values other than statuses are case-sensitive, and that `!=` is allowed
  - that pages have 100 items at most
  - the fields of rejected rows besides `_errors`, and the body of a refusal of the Data Access API
  - that a token is refused to a scope without `AdobeID`
  - that there is no rate limit, and that runs are kept for ever"""


# Options of the emulated service, which a recording has no use for.
_NOT_FOR_REPLAY = {"step_seconds": "--step-seconds", "no_seed": "--no-seed"}


def main() -> int:
    """Serve until interrupted or terminated."""
    parser = _parser()
    arguments = parser.parse_args()
    # Blocked in all threads, and fetched below. A handler that sets an event could hang: it may
    # interrupt the wait for that event while the wait holds the event's lock.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING_SIGNALS)
    try:
        service = _replay(parser, arguments) if arguments.replay else _emulator(arguments)
        if arguments.verbose:
            service.on_request(_print_request)
        service.start()
    except (OSError, ValueError) as error:
        parser.error(f"cannot serve {arguments.host}:{arguments.port}: {error}")
    _print_welcome(service)
    signal.sigwait(_ENDING_SIGNALS)
    service.stop()
    print("Stopped.", flush=True)
    return 0


def _emulator(arguments: argparse.Namespace) -> FlowServiceEmulator:
    return FlowServiceEmulator(
        arguments.host,
        arguments.port,
        seed=not arguments.no_seed,
        step_seconds=arguments.step_seconds,
    )


def _replay(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> Replay:
    for name, option in _NOT_FOR_REPLAY.items():
        # What is given is another object than the default, even if it is equal.
        if getattr(arguments, name) is not parser.get_default(name):
            parser.error(f"argument {option}: not allowed with argument --replay")
    try:
        return Replay(arguments.replay, arguments.host, arguments.port)
    except (OSError, RecordingError) as error:
        parser.error(f"argument --replay: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_flowservice.emulator",
        description="A local Flow Service for demos and tests.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on")
    parser.add_argument("--port", type=int, default=8099, help="0 takes a free one")
    parser.add_argument(
        "--step-seconds", type=float, default=5, help="seconds each status of a run lasts"
    )
    parser.add_argument("--no-seed", action="store_true", help="begin without flows and runs")
    parser.add_argument(
        "--replay", metavar="FILE", help="play a recording, instead of what Adobe documents"
    )
    parser.add_argument("--verbose", action="store_true", help="print each request")
    return parser


def _print_welcome(service: FlowServiceEmulator | Replay) -> None:
    if isinstance(service, Replay):
        _print_recording(service)
    else:
        _print_emulator(service)
    print(f"\nAirflow connection as a URI:\n{service.connection_uri}\n")
    connection = shlex.quote(service.connection_json)
    print("and as JSON, ready for a shell:")
    print(f"export AIRFLOW_CONN_FLOWSERVICE_DEFAULT={connection}\n")
    print("Ctrl-C ends it.", flush=True)


def _print_emulator(emulator: FlowServiceEmulator) -> None:
    print(f"Flow Service emulator on {emulator.url}\n\n{_GUESSES}\n")
    for flow_id in emulator.flow_ids:
        flow = emulator.flow(flow_id)
        print(f"flow {flow_id}  {flow['state']:<9} {flow['name']}")
        for run_id in emulator.run_ids(flow_id):
            status = emulator.run(run_id)["metrics"]["statusSummary"]["status"]
            print(f"  run {run_id}  {status}")


def _print_recording(replay: Replay) -> None:
    print(f"Recording of a Flow Service on {replay.url}\n")
    print("This is NOT Adobe's service. It gives the answers that a recording holds, and HTTP 501")
    print("to all other requests. Times in filters and bodies do not count, nor does the token.")
    print("\nThe recording says of itself:")
    for about in replay.recording.about:
        print(f"  - {_printable(about)}")
    print(f"\nExchanges: {len(replay.recording.exchanges)}")
    for route, times in sorted(replay.routes.items()):
        print(f"{times:5}  {_printable(route)}")


def _printable(text: str) -> str:
    # Whoever made the file could otherwise write all over the terminal.
    return "".join(char if char.isprintable() else " " for char in text)


def _print_request(seen: Seen) -> None:
    print(f"{seen.status or '---'} {seen.line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
