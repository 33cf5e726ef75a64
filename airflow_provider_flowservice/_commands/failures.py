"""Reads the failed runs of some time, and says their causes and what to do about them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TextIO

from airflow_provider_flowservice._commands import NONE_FAILED, NOT_SEEN, SOME_FAILED
from airflow_provider_flowservice._commands.connection import reach
from airflow_provider_flowservice._commands.layout import lines_of
from airflow_provider_flowservice._commands.report import Report, report
from airflow_provider_flowservice._selection.filters import FlowChoice
from airflow_provider_flowservice._selection.listing import iter_runs, select_flows
from airflow_provider_flowservice.flows import Dataflow
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.runs import DataflowRun

_RUNS_PER_STEP = 100


def failures(
    conn_id: str, flow: str | None, since_ms: int, as_json: bool, via: str | None = None
) -> tuple[int, str]:
    """
    Report the failed runs; an error is printed.

    :param flow: ID or name of a flow, or a pattern for names; ``None`` for all that load from a source.
    :param since_ms: Earliest creation time of the runs, in epoch milliseconds.
    :param as_json: Whether to report in one JSON document instead of text.
    :param via: See :func:`open_hook`.
    :return: Exit status, 0 if no run has failed, 1 if some have, 3 if the runs could not be read; and the
        report.
    """
    reached = reach(conn_id, via, lambda hook: read_report(hook, flow, since_ms, sys.stderr))
    if reached is None:
        return NOT_SEEN, ""
    hook, found = reached
    status = SOME_FAILED if found.failures else NONE_FAILED
    sandbox = hook.settings.sandbox_name
    if as_json:
        return status, json.dumps(_document(found, sandbox, since_ms), indent=2)
    return status, "\n".join(lines_of(found, sandbox, since_ms))


def read_report(hook: FlowServiceHook, flow: str | None, since_ms: int, terminal: TextIO) -> Report:
    """
    Read flows and runs from the service.

    :param terminal: Where a line tells the progress, if it is a terminal.
    :raises ValueError: ``flow`` matches no flow.
    """
    every = list(hook.list_flows())
    choice = _choice(flow, every)
    flows = {each.flow_id: each for each in select_flows(choice, every)}
    runs = iter_runs(hook, choice, flows, since_ms)
    return report(with_progress(runs, terminal), flows, hook.get_run_url)


def with_progress(runs: Iterator[DataflowRun], terminal: TextIO) -> Iterator[DataflowRun]:
    """Pass runs on, and tell on a terminal how many; the line vanishes in the end."""
    if not terminal.isatty():
        yield from runs
        return
    text = ""
    try:
        for number, run in enumerate(runs):
            if number % _RUNS_PER_STEP == 0:
                text = f"Runs read: {number}"
                print(f"\r{text}", end="", file=terminal, flush=True)
            yield run
    finally:
        print(f"\r{' ' * len(text)}\r", end="", file=terminal, flush=True)


def _choice(flow: str | None, every: list[Dataflow]) -> FlowChoice:
    if any(each.flow_id == flow for each in every):
        return FlowChoice.of(flow, None, all_kinds=False)
    return FlowChoice(None, flow, option="--flow", way_out="Name one by its ID to include it.")


def _document(found: Report, sandbox: str, since_ms: int) -> dict[str, object]:
    return {
        "sandbox": sandbox,
        "since": datetime.fromtimestamp(since_ms / 1000, timezone.utc).isoformat(),
        "failures": [failure.facts for failure in found.failures],
        "flows": [asdict(counts) for counts in found.counts],
    }
