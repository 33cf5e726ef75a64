"""What to do about a run that has failed, or has rejected rows. Pure: a run in, sentences out."""

from __future__ import annotations

from airflow_provider_flowservice._outcomes.source_credential import source_refuses
from airflow_provider_flowservice.runs import DataflowRun, are_non_retryable, is_of_destination


def fails_alike(run: DataflowRun) -> bool:
    """Return whether a re-trigger of a failed run fails as well, until somebody has acted."""
    return _cannot_fix(run) or source_refuses(run) == "certainly"


def on_failure(run: DataflowRun) -> str:
    """Say what a failed run needs beside a re-trigger; empty if there is nothing to say."""
    if _cannot_fix(run):
        if any(map(is_of_destination, run.error_codes)):
            return "Runs of destinations cannot be re-triggered."
        return "Re-triggering cannot fix this; the data or its mapping has to change first."
    match source_refuses(run):
        case "certainly":
            return (
                "The source refuses the credential of its account. Renew the account's credential in "
                "Experience Platform (Sources > Accounts); until then a re-trigger fails alike."
            )
        case "perhaps":
            return (
                "The source may refuse the credential of its account. Check the account in "
                "Experience Platform (Sources > Accounts), and renew its credential if it has expired."
            )
    return ""


def on_rejected_rows(run: DataflowRun) -> str:
    """Say where the rejected rows are; empty if the service does not show it."""
    if run.failed_records_url:
        return f"The rejected rows are at {run.failed_records_url} (kept for up to 30 days)."
    if run.sample_errors_url:
        return f"A sample of the rows' errors is at {run.sample_errors_url} (for up to 30 days)."
    return ""


def _cannot_fix(run: DataflowRun) -> bool:
    # A summary has only one of the errors, and another may be one that a re-trigger can fix.
    return not run.is_abridged and are_non_retryable(run.error_codes)
