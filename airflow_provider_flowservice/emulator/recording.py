"""
Recordings: files of requests to a Flow Service and of its answers, as a recorder wrote them.

A recording is a file of JSON Lines. The first line says what it is, what was removed from it, and how its
client was called. Each further line is an exchange, in order. The last line counts what was removed; it
is missing if the recorder was killed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from airflow_provider_flowservice.emulator.messages import JSON

FORMAT, VERSION = "flowservice-recording", 1
_CLIENT = ("client_id", "org_id", "sandbox_name")


class RecordingError(ValueError):
    """A file is no recording that can be read."""


@dataclass(frozen=True)
class Exchange:
    """
    A request and its answer.

    :param path: Full path, percent-encoded, without the query.
    :param query: Query, percent-encoded.
    :param request_body: JSON of the request; ``None`` if it had none.
    :param status: HTTP status of the answer; ``None`` if none came.
    :param body: JSON of the answer; ``None`` if it had none, or if it was refused.
    :param refused: Why the body of the answer is not here; empty if it is.
    :param at: Seconds from the beginning of the recording to the request.
    :param seconds: Seconds from the request to the answer.
    :param removed: How much was removed of what.
    """

    method: str
    path: str
    query: str = ""
    request_headers: dict[str, str] = field(default_factory=dict)
    request_body: Any = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    refused: str = ""
    at: float = 0.0
    seconds: float = 0.0
    removed: dict[str, int] = field(default_factory=dict)

    def as_line(self) -> str:
        """Return the exchange as a line of a recording."""
        response: JSON | None = None
        if self.status is not None:
            response = {"status": self.status, "headers": self.headers, "body": self.body}
        document = {
            "at": self.at,
            "seconds": self.seconds,
            "request": {
                "method": self.method,
                "path": self.path,
                "query": self.query,
                "headers": self.request_headers,
                "body": self.request_body,
            },
            "response": response,
            "refused": self.refused,
            "removed": self.removed,
        }
        return _line(document)

    @classmethod
    def from_json(cls, document: JSON) -> Exchange:
        """
        Read an exchange.

        :raises LookupError: A key is missing.
        :raises TypeError: A value is of another type than its key asks for.
        """
        request, response = document["request"], document["response"] or {}
        exchange = cls(
            method=request["method"],
            path=request["path"],
            query=request["query"],
            request_headers=request["headers"],
            request_body=request["body"],
            status=response.get("status"),
            headers=response.get("headers", {}),
            body=response.get("body"),
            refused=document["refused"],
            at=document["at"],
            seconds=document["seconds"],
            removed=document["removed"],
        )
        exchange._check_types()
        return exchange

    def _check_types(self) -> None:
        texts = [self.method, self.path, self.query, self.refused]
        for headers in (self.request_headers, self.headers):
            texts += [*headers.keys(), *headers.values()]
        _check_texts(texts)
        if not isinstance(self.status, int | None):
            raise TypeError(f"a status is {self.status!r}")


class Recording(NamedTuple):
    """
    A recording that was read.

    :param about: What was removed from it, as lines for people.
    :param client: What the recording calls its ``client_id``, ``org_id`` and ``sandbox_name``.
    """

    about: list[str]
    client: dict[str, str]
    exchanges: list[Exchange]


def head_line(about: list[str], client: dict[str, str]) -> str:
    """Return the first line of a recording."""
    head = {"format": FORMAT, "version": VERSION, "about": about, "client": client}
    return _line(head)


def end_line(removed: dict[str, int]) -> str:
    """Return the last line of a recording."""
    return _line({"end": {"removed": removed}})


def read(path: Path) -> Recording:
    """
    Read a recording.

    :raises RecordingError: The file is none, or none that this release reads.
    :raises OSError: The file cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as file:
            documents = [*_documents(file, path)]
    except UnicodeDecodeError as error:
        raise RecordingError(f"{path} is no recording: it is no text.") from error
    head = documents[0] if documents else {}
    if head.get("format") != FORMAT:
        raise RecordingError(f"{path} is no recording: it does not begin with its format.")
    if head.get("version") != VERSION:
        raise RecordingError(
            f"{path} has version {head.get('version')!r} of the format; this release reads {VERSION}."
        )
    try:
        exchanges = [Exchange.from_json(each) for each in documents[1:] if "end" not in each]
        about, client = [*head["about"]], {name: head["client"][name] for name in _CLIENT}
        _check_texts([*about, *client.values()])
        return Recording(about, client, exchanges)
    except (LookupError, AttributeError, TypeError) as error:
        raise RecordingError(f"{path} is no recording that can be read: {error!r}.") from error


def _check_texts(values: Iterable[object]) -> None:
    for value in values:
        if not isinstance(value, str):
            raise TypeError(f"{value!r} is no text")


def _line(document: JSON) -> str:
    text = json.dumps(document, ensure_ascii=False)
    # Half a surrogate pair could not be written; escaped like this, JSON has it back.
    return text.encode(errors="backslashreplace").decode()


def _documents(lines: Iterator[str], path: Path) -> Iterator[JSON]:
    for number, line in enumerate(lines, start=1):
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            document = None
        if document is None and number > 1 and not line.endswith("\n"):
            return  # the recorder was killed while it wrote the line
        if not isinstance(document, dict):
            raise RecordingError(f"Line {number} of {path} is no JSON object.")
        yield document
