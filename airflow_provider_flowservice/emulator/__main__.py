"""Run the emulator on its own: ``python -m airflow_provider_flowservice.emulator``."""

from __future__ import annotations

import argparse
import signal
import sys

from airflow_provider_flowservice.emulator import FlowServiceEmulator, Seen

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


def main() -> int:
    """Serve until interrupted or terminated."""
    parser = _parser()
    arguments = parser.parse_args()
    # Blocked in all threads, and fetched below. A handler that sets an event could hang: it may
    # interrupt the wait for that event while the wait holds the event's lock.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING_SIGNALS)
    try:
        emulator = _started(arguments)
    except (OSError, ValueError) as error:
        parser.error(f"cannot serve {arguments.host}:{arguments.port}: {error}")
    _print_welcome(emulator)
    signal.sigwait(_ENDING_SIGNALS)
    emulator.stop()
    print("Stopped.", flush=True)
    return 0


def _started(arguments: argparse.Namespace) -> FlowServiceEmulator:
    emulator = FlowServiceEmulator(
        arguments.host,
        arguments.port,
        seed=not arguments.no_seed,
        step_seconds=arguments.step_seconds,
    )
    if arguments.verbose:
        emulator.on_request(_print_request)
    emulator.start()
    return emulator


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
    parser.add_argument("--verbose", action="store_true", help="print each request")
    return parser


def _print_welcome(emulator: FlowServiceEmulator) -> None:
    print(f"Flow Service emulator on {emulator.url}\n\n{_GUESSES}\n")
    for flow_id in emulator.flow_ids:
        flow = emulator.flow(flow_id)
        print(f"flow {flow_id}  {flow['state']:<9} {flow['name']}")
        for run_id in emulator.run_ids(flow_id):
            status = emulator.run(run_id)["metrics"]["statusSummary"]["status"]
            print(f"  run {run_id}  {status}")
    print(f"\nAirflow connection as a URI:\n{emulator.connection_uri}\n")
    print(f"and as JSON, ready for a shell:\n{_export(emulator)}\n")
    print("Ctrl-C ends it.", flush=True)


def _export(emulator: FlowServiceEmulator) -> str:
    return f"export AIRFLOW_CONN_FLOWSERVICE_DEFAULT='{emulator.connection_json}'"


def _print_request(seen: Seen) -> None:
    query = "&".join(f"{name}={value}" for name, value in seen.query)
    print(f"{seen.status or '---'} {seen.method} {seen.path}{query and '?'}{query}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
