"""Lays out a report for a terminal. Pure: a report in, lines out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from textwrap import wrap

from airflow_provider_flowservice._commands.report import Failure, Report

_WIDTH = 80
_INDENT = " " * 12
_LONGEST_NAME = 48


def lines_of(report: Report, sandbox: str, since_ms: int) -> Iterator[str]:
    """
    Return a report as lines: a block for each failed run, and a table of counts.

    :param since_ms: Earliest creation time of the runs, in epoch milliseconds.
    """
    scope = f"in sandbox {sandbox!r} since {_utc(since_ms)}"
    if report.failures:
        yield f"Failed runs {scope},"
        yield "in the order to re-trigger them, the oldest first:"
    else:
        yield f"No failed runs {scope}."
    for failure in report.failures:
        yield ""
        yield from _block(failure)
    if report.counts:
        yield ""
        yield from _table(report)


def _block(failure: Failure) -> Iterator[str]:
    run, verdict = failure.run, failure.verdict
    window = "not shown" if run.window is None else " to ".join(map(_utc, run.window))
    is_done = verdict.retrigger in ("loaded", "repeated")
    words = [] if is_done else [verdict.retrigger]
    facts = {
        "flow": f"{failure.flow.name!r} ({run.flow_id})",
        "run": run.run_id,
        "created": _utc(run.created_at) if run.created_at else "not shown",
        "window": window,
        "error": str(run.errors[0]) if run.errors else "not shown",
        "re-trigger": ": ".join(filter(None, [*words, verdict.reason])),
        "to do": verdict.advice,
        "link": failure.url,
    }
    for name, text in facts.items():
        # IDs and addresses stay in one piece, so that they can be copied.
        yield from wrap(
            text,
            _WIDTH,
            initial_indent=f"{name:<{len(_INDENT)}}",
            subsequent_indent=_INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _table(report: Report) -> Iterator[str]:
    rows = [
        (
            (each.flow_name or each.flow_id)[:_LONGEST_NAME],
            each.total,
            each.success,
            each.failed,
            each.partial,
        )
        for each in report.counts
    ]
    width = max(len(name) for name, *_ in rows)
    for name, *numbers in [("flow", "runs", "success", "failed", "partial"), *rows]:
        yield f"{name:<{width}}" + "".join(f"{number:>9}" for number in numbers)


def _utc(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, timezone.utc):%Y-%m-%d %H:%M} UTC"
