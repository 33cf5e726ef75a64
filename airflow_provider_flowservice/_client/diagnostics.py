"""
Reads error diagnostics: the rejected rows of a run, and the folders that list files of them.

The service writes rows as JSON Lines; its documentation also shows them as JSON over several lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import IO, Any
from urllib.parse import urlsplit

from airflow_provider_flowservice._client.errors import FOREIGN
from airflow_provider_flowservice._client.responses import next_href
from airflow_provider_flowservice._json import mapping
from airflow_provider_flowservice.exceptions import FlowServiceAnswerError, FlowServiceError

# Of the Data Access API, on the same host as the Flow Service.
EXPORT_PATH = "/data/foundation/export/"

# Largest line, and largest JSON over several lines, in bytes: what is in memory at once.
LARGEST_PIECE = 4 * 2**20

# No percent sign: it could hide a segment that leads to another path.
_PATH = re.compile(re.escape(EXPORT_PATH) + r"[\w./~-]+", re.ASCII)
_QUERY = re.compile(r"[!-~]*")
# The ends of lines that are not blank. One that a chunk begins with is not found, which does no harm.
_LINE_END = re.compile(rb"\S\s*\n")
# What the service itself calls a row that it cannot parse.
_CORRUPT = "_corrupt_record"


def path_of(address: object) -> str:
    """
    Return path and query of an address of diagnostics, to be read from the connection's own host.

    :raises FlowServiceAnswerError: The address is not one of the Data Access API.
    """
    try:
        parts = urlsplit(address if isinstance(address, str) else "")
    except ValueError:  # a host in brackets that is no address
        parts = urlsplit("")
    is_inside = _PATH.fullmatch(parts.path) and not {".", ".."} & {*parts.path.split("/")}
    if not is_inside or not _QUERY.fullmatch(parts.query):
        raise FlowServiceAnswerError(
            f"An address of rejected records does not lead to {EXPORT_PATH}, so it was not called."
        )
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def store(parts: Iterable[bytes], file: IO[bytes], most_rows: int) -> None:
    """
    Write a response into a file, up to the end or until it holds enough rows.

    :param parts: The response; what is not needed is not read.
    :param file: A file to overwrite.
    :param most_rows: Number of rows that are needed. It counts only in files of JSON Lines, in which
        each line is a row.
    :raises FlowServiceError: The file cannot be written.
    """
    file.seek(0)
    file.truncate()
    lines, has_rows = 0, None
    for part in parts:
        _write(file, part)
        lines += len(_LINE_END.findall(part))
        if lines and has_rows is None:
            file.seek(0)
            has_rows = isinstance(_json(_first_line(file)), dict)
            file.seek(0, 2)  # the end
        if has_rows and lines >= most_rows:
            return


def document_in(file: IO[bytes]) -> object:
    """
    Return the JSON in a file; ``None`` if each of its lines is one row.

    :raises FlowServiceAnswerError: The file is a page, or JSON over several lines that cannot be read.
    """
    file.seek(0)
    text = file.read(LARGEST_PIECE + 1)
    if text.lstrip().startswith(b"<"):
        raise FlowServiceAnswerError(
            f"Rejected records were asked for, and a page came. {FOREIGN}."
        )
    is_over_lines = text.lstrip().partition(b"\n")[0].strip() in (b"{", b"[")
    if len(text) > LARGEST_PIECE:
        if is_over_lines:
            raise FlowServiceAnswerError(
                f"Rejected records over several lines are larger than {LARGEST_PIECE} bytes."
            )
        return None
    document = _json(text)
    return _pieces(text) if document is None and is_over_lines else document


def _pieces(text: bytes) -> list[object]:
    """Read pieces of JSON over several lines, one after another."""
    rest, pieces = text.decode("utf-8", errors="backslashreplace").strip(), []
    try:
        while rest:
            piece, end = json.JSONDecoder().raw_decode(rest)
            pieces += piece if isinstance(piece, list) else [piece]
            rest = rest[end:].lstrip()
    except (ValueError, RecursionError):
        raise FlowServiceAnswerError("Rejected records over several lines are no JSON.") from None
    return pieces


def links_in(document: object) -> list[object] | None:
    """Return the addresses in the listing of a folder; ``None`` if the document is none."""
    if not isinstance(document, dict) or not isinstance(entries := document.get("data"), list):
        return None
    # A row may have a field of that name, too.
    if "_errors" in document or not all(mapping(entry, "_links") for entry in entries):
        return None
    links = [mapping(entry["_links"], "self").get("href") for entry in entries]
    following = next_href(document)
    return [*links, following] if following else links


def rows_in(file: IO[bytes], document: object) -> Iterator[dict[str, Any]]:
    """
    Iterate over the rows in a file. What is no JSON object becomes a row as it is.

    :param document: The JSON in the file: a row, or an array of rows; ``None`` if each line is one.
    :raises FlowServiceAnswerError: A line is too long.
    """
    if document is not None:
        for row in document if isinstance(document, list) else [document]:
            yield row if isinstance(row, dict) else {_CORRUPT: json.dumps(row)}
        return
    file.seek(0)
    while line := _line(file):
        if line.strip():
            row = _json(line)
            text = line.decode("utf-8", errors="backslashreplace").strip()
            yield row if isinstance(row, dict) else {_CORRUPT: text}


def _write(file: IO[bytes], part: bytes) -> None:
    try:
        file.write(part)
    except OSError as error:  # which would be taken for one of the network
        raise FlowServiceError(f"Rejected records cannot be kept in a file: {error}") from error


def _first_line(file: IO[bytes]) -> bytes:
    while (line := _line(file)) and not line.strip():
        pass
    return line


def _line(file: IO[bytes]) -> bytes:
    line = file.readline(LARGEST_PIECE + 1)
    if len(line) > LARGEST_PIECE:
        raise FlowServiceAnswerError(f"A rejected record is longer than {LARGEST_PIECE} bytes.")
    return line


def _json(text: bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
