"""
Filters, order and pages of a list.

Pure: parameters and items in, a page out.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import unquote

from airflow_provider_flowservice.emulator import errors
from airflow_provider_flowservice.emulator.messages import JSON, Request

MAX_LIMIT = 100

_FILTER = re.compile(r"([\w.\[\]]*)([=!<>~]+)(.*)", re.DOTALL)
_ORDER = re.compile(r"([+-]?)([A-Za-z].*)")
_TOKEN = re.compile(r"(?:^|&)continuationToken=([^&]*)")
# The plus sign stands raw in a link, so that a client which parses the link as a form fails. Adobe's
# own client cuts the token at the first equals sign and encodes the rest; as it pages live tenants
# so, equals signs stand at the end only and may be missing, and nothing is encoded already.
_TOKEN_START, _TOKEN_END = "n+/", "=="


@dataclass(frozen=True)
class Filter:
    """
    One ``property`` parameter: a field, an operator, and values.

    A field that an item lacks matches nothing, whatever the operator. Statuses are compared without
    case: Adobe's own example asks for ``Failed``.
    """

    field: str
    operator: str
    values: tuple[str, ...]

    @classmethod
    def parse(cls, text: str, fields: frozenset[str]) -> Filter:
        """
        Read a filter.

        :param fields: Names of the top-level fields that exist.
        """
        match = _FILTER.fullmatch(text)
        field = match[1] if match else text
        if not match or re.split(r"[.\[]", field)[0] not in fields:
            raise errors.flow_service("FLOW-1449-400", f"Invalid field {field} in filter.")
        parsed = cls(field, match[2], _split(match[3]))
        parsed._check()
        return parsed

    def _check(self) -> None:
        if self.operator == "~":
            raise errors.flow_service("FLOW-1440-400", "Operator ~ is not implemented.")
        if self.operator not in {"==", "!=", "<", ">", "<=", ">="}:
            detail = f"Invalid operator {self.operator} in filter."
            raise errors.flow_service("FLOW-1450-400", detail)
        if "" in self.values:
            detail = f"Filter value of {self.field} is empty."
            raise errors.flow_service("FLOW-1453-400", detail)
        if self.operator in {"==", "!="}:
            return
        if self.field == "id":
            detail = f"Operator {self.operator} is not supported for id."
            raise errors.flow_service("FLOW-1448-400", detail)
        if len(self.values) > 1:
            detail = f"Operator {self.operator} is not allowed with several values."
            raise errors.flow_service("FLOW-1443-400", detail)
        if _number(self.values[0]) is None:
            code = "FLOW-1452-400" if self.field == "createdAt" else "FLOW-1454-400"
            raise errors.flow_service(code, f"Invalid value for {self.field}.")

    def matches(self, item: JSON) -> bool:
        """Tell whether an item passes."""
        found = list(values_at(item, self.field))
        if self.operator == "==":
            return any(self._is_wanted(value) for value in found)
        if self.operator == "!=":
            return bool(found) and not any(self._is_wanted(value) for value in found)
        return any(self._compares(_number(value)) for value in found)

    def _is_wanted(self, value: Any) -> bool:
        if self.field.endswith(".status"):
            return _text(value).lower() in {wanted.lower() for wanted in self.values}
        return _text(value) in self.values

    def _compares(self, number: float | None) -> bool:
        limit = _number(self.values[0])
        if number is None or limit is None:
            return False
        if number == limit:
            return "=" in self.operator
        return (number < limit) == self.operator.startswith("<")


@dataclass(frozen=True)
class Query:
    """What a list was asked for. A continuation token holds all of it."""

    properties: tuple[str, ...] = ()
    orderby: str = "-createdAt"
    limit: int = MAX_LIMIT
    offset: int = 0

    @classmethod
    def parse(cls, request: Request) -> Query:
        """Read the parameters of a request; what stands beside a token does not count."""
        if match := _TOKEN.search(request.raw_query):
            return cls._from_token(unquote(match[1]))
        properties = tuple(value for key, value in request.query if key == "property")
        return cls(
            properties,
            request.parameter("orderby") or "-createdAt",
            _limit(request.parameter("limit")),
        )

    @classmethod
    def _from_token(cls, token: str) -> Query:
        if not token.startswith(_TOKEN_START):
            raise _invalid_token(token)
        encoded = token.removeprefix(_TOKEN_START).removesuffix(_TOKEN_END)
        try:
            padding = "=" * (-len(encoded) % 4)
            fields = json.loads(base64.urlsafe_b64decode(encoded + padding))
            return cls(**{**fields, "properties": tuple(fields["properties"])})
        except (ValueError, TypeError, KeyError):
            raise _invalid_token(token) from None

    def next_token(self) -> str:
        """Return the token of the page after this one, as it stands in a link."""
        following = replace(self, offset=self.offset + self.limit)
        encoded = base64.urlsafe_b64encode(json.dumps(asdict(following)).encode()).decode()
        return f"{_TOKEN_START}{encoded.rstrip('=')}{_TOKEN_END}"


def ordered(items: list[JSON], orderby: str, fields: frozenset[str]) -> list[JSON]:
    """
    Sort items by one field or several, each with an optional sign.

    :param fields: Names of the top-level fields that exist.
    """
    if orderby.startswith("-"):
        items = items[::-1]  # of two runs made in the same millisecond, the later one first
    for part in reversed(orderby.split(",")):
        match = _ORDER.fullmatch(part)
        if not match:
            detail = f"Invalid sort order {part!r}: use + or - before the field."
            raise errors.flow_service("FLOW-1432-400", detail)
        sign, field = match.groups()
        if field.split(".")[0] not in fields:
            detail = f"Invalid field {field} in orderby: use +name, -name or name."
            raise errors.flow_service("FLOW-1433-400", detail)
        items = sorted(items, key=lambda item: _sort_key(item, field), reverse=sign == "-")
    return items


def values_at(item: Any, path: str) -> Iterator[Any]:
    """Yield what a dotted path leads to; ``[]`` in the path goes through all of an array."""
    name, _, rest = path.partition(".")
    value = item.get(name.removesuffix("[]")) if isinstance(item, dict) else None
    if name.endswith("[]"):
        values = value if isinstance(value, list) else []
    else:
        values = [] if value is None or isinstance(value, list) else [value]
    for each in values:
        if rest:
            yield from values_at(each, rest)
        else:
            yield each


def _sort_key(item: JSON, field: str) -> tuple[int, float, str]:
    value = next(values_at(item, field), None)
    if value is None:
        return (0, 0, "")
    number = _number(value)
    return (1, 0, _text(value)) if number is None else (1, number, "")


def _split(text: str) -> tuple[str, ...]:
    if len(text) > 1 and text[0] == text[-1] == '"':
        return (text[1:-1],)
    return tuple(text.split(","))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _limit(text: str | None) -> int:
    if text is None:
        return MAX_LIMIT
    if not text.isdecimal() or int(text) == 0:
        raise errors.flow_service("FLOW-1451-400", f"Invalid params limit={text} in query params.")
    return min(int(text), MAX_LIMIT)


def _invalid_token(token: str) -> errors.Refusal:
    detail = f"Invalid params continuationToken={token} in query params."
    return errors.flow_service("FLOW-1451-400", detail)
