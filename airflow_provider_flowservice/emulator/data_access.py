"""The part of the Data Access API that hands out the rows which a run has rejected."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote, unquote

from airflow_provider_flowservice.emulator import errors
from airflow_provider_flowservice.emulator.messages import JSON, Answer, Request
from airflow_provider_flowservice.emulator.runs import Run
from airflow_provider_flowservice.emulator.settings import EmulatorSettings
from airflow_provider_flowservice.emulator.state import State

EXPORT = "/data/foundation/export"

_FOLDER = "row_errors"
_SAMPLES = "row_error_samples.json"
_MOST_SAMPLES = 10
_LINES = {"Content-Type": "application/octet-stream"}


class DataAccess:
    """
    Answers the calls for error diagnostics that got through the gateway.

    :param base_url: Returns the emulator's own URL, for the links in a listing.
    """

    def __init__(
        self, settings: EmulatorSettings, state: State, base_url: Callable[[], str]
    ) -> None:
        self._settings = settings
        self._state = state
        self._base_url = base_url

    def answer(self, request: Request, sandbox: str) -> Answer:
        """Answer a call for a sandbox."""
        match request.method, request.path.removeprefix(f"{EXPORT}/").split("/"):
            case "GET", ["batches", batch_id, "meta"]:
                files = self._files(unquote(batch_id), sandbox)
                return self._meta(request, files)
        raise errors.unknown_path()

    def _meta(self, request: Request, files: dict[str, list[JSON]]) -> Answer:
        path = (request.parameter("path") or "").strip("/")
        folder, _, name = path.partition("/")
        if path == _FOLDER and files:
            return Answer(200, self._listing(request.path, files))
        if folder == _FOLDER and name in files:
            return Answer(200, _lines(files[name]), _LINES)
        if path == _SAMPLES and files:
            rows = [row for each in files.values() for row in each]
            return Answer(200, _lines(rows[:_MOST_SAMPLES]), _LINES)
        raise errors.no_diagnostics()

    def _files(self, batch_id: str, sandbox: str) -> dict[str, list[JSON]]:
        """Return the rows that the run of a batch has rejected, by the names of their files."""
        now = self._settings.now_ms()
        for run in self._state.runs.values():
            if run.batch_id == batch_id and run.flow.sandbox == sandbox:
                # A run names its batch once it has written it.
                shown = batch_id in json.dumps(run.document(now).get("activities"))
                return _rejected(run) if shown else {}
        return {}

    def _listing(self, path: str, files: dict[str, list[JSON]]) -> JSON:
        entries = [
            {
                "name": name,
                "length": str(len(_lines(rows))),
                "_links": {"self": {"href": self._href(path, f"{_FOLDER}/{name}")}},
            }
            for name, rows in files.items()
        ]
        return {"data": entries, "_page": {"limit": 100, "count": len(entries)}}

    def _href(self, path: str, name: str) -> str:
        return f"{self._base_url()}{path}?path={quote(name, safe='')}"


def _rejected(run: Run) -> dict[str, list[JSON]]:
    """Return one row that could not be parsed, and the others that could not be converted."""
    parsing, conversion = "parsing_errors_0.json", "conversion_errors_0.json"
    corrupt: JSON = {
        "_corrupt_record": "{missingQuotes: 'v0'}",
        "_errors": [{"code": "1401", "message": "Row is corrupted and cannot be read."}],
        "_filename": parsing,
    }
    error = {"code": "MAPPER-3700-400", "message": "Mapper Transform Error"}
    converted = [
        {"id": f"row-{number}", "_errors": [error], "_filename": conversion}
        for number in range(1, run.lifecycle.failed_records)
    ]
    files = {parsing: [corrupt][: run.lifecycle.failed_records], conversion: converted}
    return {name: rows for name, rows in files.items() if rows}


def _lines(rows: list[JSON]) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()
