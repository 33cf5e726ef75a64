"""
Takes out of requests and responses what identifies a customer, and what may be a secret.

Pure but for its memory of names. What stays is listed in ``harmless``: a key that is not there is left out
with all that is below it, and a value stays only if it is of the kind that its key has.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from email.utils import format_datetime, parsedate_to_datetime
from functools import partial
from typing import Any, NoReturn
from urllib.parse import SplitResult, quote, unquote, urlsplit

from airflow_provider_flowservice._recording import harmless
from airflow_provider_flowservice._recording.names import Names

REMOVED = "(removed)"
_GAP = "…"

# Without a prefix, only the numbers of the catalogues: others could be of a telephone.
_CODE = re.compile(
    rf"(?:{'|'.join(harmless.CODE_PREFIXES)})-[0-9]{{1,4}}(?:-(?:[45][0-9]{{2}}|FAILED|SKIP))?"
    "|(?:1[0-7][0-9]{2}|200[0-2]|21[0-2][0-9]|22[05]0)-(?:4[01][0-9]|50[0-4])"
)
# Of the copy engine, and of the gateway.
_SHORT_CODE = re.compile("[0-9]{1,4}|4[0-2][0-9]{4}")
_EDITION = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}")
_INTEGER = re.compile("0|-?[1-9][0-9]{0,12}")  # zeros in front may be of a telephone number
_CONDITION = re.compile(r"([\w.\[\]-]+)(==|!=|>=|<=|!>|>|<|~)(.*)", re.ASCII | re.DOTALL)
_ORDER = re.compile(r"([+ -]?)([\w.\[\]]+)(:(?:asc|desc))?", re.ASCII)
_RATE_LIMIT = re.compile(r"(x-)?ratelimit-(limit|remaining|reset)", re.IGNORECASE)
# Larger numbers are no counts, and may be of an account or a card. Cards have 13 digits at least, and
# ten terabytes are more than a run loads.
_LARGEST_NUMBER = 10**13
_FEW = range(10**6)
# Epoch seconds and milliseconds of the years 2001 to 2096.
_SECONDS = range(10**9, 4 * 10**9)
_MILLISECONDS = range(10**12, 4 * 10**12)
_LONGEST_TEXT = 2000
_BETWEEN_WORDS = re.compile(r"""[\s,;='"`(){}\[\]]+""")
# Characters of a page token that a client may get wrong, plain or percent-encoded.
_SPECIAL = re.compile("[-+/=._~:,|]|%(?:2[5BCDEFbcdef]|3[ADad]|7[CEce])")


class UnreadableError(ValueError):
    """What cannot be parsed cannot be searched, and so must not be written."""


class Scrubber:
    """
    Replaces and removes, always in the same way.

    :param keep: Further keys and words that are harmless, as the user says.
    """

    def __init__(self, keep: Iterable[str] = ()) -> None:
        self.names = Names()
        self.removed: Counter[str] = Counter()
        #: What was left out for want of knowledge: for the user, and for no file.
        self.unknown_keys: Counter[str] = Counter()
        self.unknown_words: Counter[str] = Counter()
        self._keep = frozenset(keep)
        self._words: dict[str, int] = {}
        self._tokens: dict[str, int] = {}
        self._kinds = {**dict.fromkeys(self._keep, "kept"), **harmless.KINDS}
        self._by_kind: dict[str, Callable[[str], str]] = {
            "identity": self._identity,
            "name": self.name,
            "moment": partial(self._numeral, "moment"),
            "number": partial(self._numeral, "number"),
            "few": partial(self._numeral, "few"),
            "word": self._word,
            "code": lambda text: text if self._is_code(text) else self._word(text),
            "sort": lambda text: self._link(text) if _address(text) else self._word(text),
            "caption": self.name,
            "text": self._sentence,
            "kept": self._sentence,
            "link": self._link,
            "edition": lambda text: text if _EDITION.fullmatch(text) else self._identity(text),
            "token": self._token,
        }

    def json(self, content: bytes) -> Any:
        """
        Return the harmless part of a JSON document; ``None`` if there is none.

        :raises UnreadableError: The content is no JSON.
        """
        if not content.strip():
            return None
        try:
            document = json.loads(content.decode(), parse_constant=_refuse)
            return self._value(document, "group")
        except (ValueError, RecursionError):  # its message may quote the content
            raise UnreadableError(f"{len(content)} bytes that are no JSON") from None

    def path(self, path: str) -> str:
        """Return a path whose unknown segments have other names."""
        return "/".join(self._segment(segment) for segment in path.split("/"))

    def query(self, query: str) -> str:
        """Return the known parameters of a query, percent-encoded."""
        parts = (self._parameter(part) for part in query.split("&") if part)
        return "&".join(part for part in parts if part)

    def request_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return what of a request's headers may be shown."""
        given = {name.lower(): value for name, value in headers.items()}
        found = {
            name: self._header(name, value)
            for name in harmless.REQUEST_HEADERS
            if (value := given.get(name.lower())) is not None
        }
        return self._counted(found, len(headers))

    def response_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return what of a response's headers may be shown."""
        found = {
            name: shown
            for name, value in headers.items()
            if (shown := self._response_header(name, value))
        }
        return self._counted(found, len(headers))

    def name(self, text: str) -> str:
        """Return the other name of a customer's name, such as that of a sandbox."""
        suffix = next(filter(text.endswith, harmless.ACCOUNT_SUFFIXES), "")
        bare = text.removesuffix(suffix)
        if bare in harmless.CONSTANTS or bare in (REMOVED, "") or {text, bare} & self._keep:
            return text
        self.removed["names"] += 1
        return self.names.of(bare, "name") + suffix

    # Values, by the kinds of their keys

    def _value(self, value: object, kind: str) -> Any:
        if isinstance(value, dict):
            return self._object(value)
        if isinstance(value, list):
            return [self._value(entry, kind) for entry in value]
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._text_of(kind, value)
        if isinstance(value, (int, float)) and self._is_harmless_number(value, kind):
            return value
        self.removed["values"] += 1
        return None

    def _object(self, value: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        is_error = not harmless.KEYS_OF_ERRORS.isdisjoint(value)
        for key, inner in value.items():
            kind = self._kinds.get(key)
            if kind == "caption" and is_error:
                kind = "text"
            if kind is None:
                self.removed["keys"] += 1
                self.unknown_keys[key] += 1
            else:
                found[key] = self._value(inner, kind)
        return found

    def _is_harmless_number(self, value: float, kind: str) -> bool:
        if value % 1:  # a fraction may have any digits; it is also that of 1e999, which JSON has
            return False
        number = int(value)
        match kind:
            case "moment":
                return number == 0 or number in _SECONDS or number in _MILLISECONDS
            case "few":
                return number in _FEW
            case "number" | "kept":
                return -1 <= number < _LARGEST_NUMBER
            case "word":  # the HTTP status of an error
                return number in range(100, 600)
            case "code":
                return self._is_code(str(number))
        return kind in ("edition", "identity") and number in range(1000)

    def _text_of(self, kind: str, text: str) -> str:
        if text in (REMOVED, ""):
            return text
        return self._by_kind.get(kind, self._remove)(text)

    def _identity(self, text: str) -> str:
        bare = text.strip('"')
        if text != bare:  # an etag has quotes of its own
            return f'"{self._identity(bare)}"' if bare else text
        if text in harmless.CONSTANTS or text in self._keep:
            return text
        self.removed["names"] += 1
        return self.names.of(text, "id")

    def _numeral(self, kind: str, text: str) -> str:
        return text if self._is_harmless_numeral(text, kind) else self._remove(text)

    def _is_harmless_numeral(self, text: str, kind: str) -> bool:
        return bool(_INTEGER.fullmatch(text)) and self._is_harmless_number(int(text), kind)

    def _word(self, text: str) -> str:
        if _is_value(text) or text in self._keep:
            return text
        self.removed["words"] += 1
        self.unknown_words[text] += 1
        return f"(word-{_number_of(text.lower(), self._words)})"

    @staticmethod
    def _is_code(text: str) -> bool:
        return bool(_CODE.fullmatch(text) or _SHORT_CODE.fullmatch(text))

    def _sentence(self, text: str) -> str:
        """Keep the words of Adobe's own messages; a gap stands for all between them."""
        found: list[str] = []
        for each in _BETWEEN_WORDS.split(text[:_LONGEST_TEXT]):
            word = each.strip(".:!?")
            is_known = word in self._kinds or word.lower() in harmless.WORDS or _is_value(word)
            shown = word if not word or is_known or _CODE.fullmatch(word) else _GAP
            if shown and (shown != _GAP or found[-1:] != [_GAP]):
                found.append(shown)
        if _GAP in found:
            self.removed["texts"] += 1
        return " ".join(found)

    def _remove(self, _: str) -> str:
        self.removed["values"] += 1
        return REMOVED

    # Addresses

    def _link(self, text: str) -> str:
        parts = _address(text)
        if not parts:
            return self.name(text)  # of a file in a customer's storage, or of the storage
        query = self.query(parts.query)
        link = self.path(parts.path) + (f"?{query}" if query else "")
        return f"{parts.scheme}://{self._host(parts.hostname)}{link}" if parts.hostname else link

    def _host(self, host: str) -> str:
        if host in harmless.HOSTS:
            return host
        self.removed["names"] += 1
        return f"{self.names.of(host.removesuffix('.example'), 'host')}.example"

    def _segment(self, segment: str) -> str:
        plain = unquote(segment)
        if not plain or plain in harmless.SEGMENTS or _CODE.fullmatch(plain):
            return quote(plain, safe="")
        return quote(self._identity(plain), safe="")

    def _parameter(self, part: str) -> str:
        raw_name, equals, raw = part.partition("=")
        name = unquote(raw_name)
        kind = harmless.PARAMETERS.get(name) or self._kinds.get(name)
        if kind is None:
            self.removed["parameters"] += 1
            return ""
        if kind == "token":
            return f"{name}{equals}{self._token(raw)}"
        value = unquote(raw)
        if kind == "condition":
            shown = self._condition(value)
        elif kind == "order":
            shown = self._order(value)
        elif kind == "link":
            shown = "/".join(map(self._segment, value.split("/")))
        else:
            shown = self._text_of(kind, value)
        return f"{name}{equals}{quote(shown, safe='=,:!.')}"

    def _condition(self, text: str) -> str:
        """Return a filter: a field, an operator, and values of the field's kind."""
        match = _CONDITION.fullmatch(text)
        if not match or not self._is_known_field(match[1]):
            return self._remove(text)
        kind = self._kinds[_fields(match[1])[-1]]
        values = (self._quoted(kind, value) for value in match[3].split(","))
        return f"{match[1]}{match[2]}{','.join(values)}"

    def _quoted(self, kind: str, value: str) -> str:
        is_quoted = len(value) > 1 and value[0] == value[-1] == '"'
        return f'"{self._text_of(kind, value[1:-1])}"' if is_quoted else self._text_of(kind, value)

    def _order(self, text: str) -> str:
        match = _ORDER.fullmatch(text)
        return text if match and self._is_known_field(match[2]) else self._remove(text)

    def _is_known_field(self, path: str) -> bool:
        return all(field in self._kinds for field in _fields(path))

    def _token(self, raw: str) -> str:
        """Return another token, with each special character of it once, as it was written."""
        self.removed["names"] += 1
        special = "".join(sorted({*_SPECIAL.findall(raw)}))
        return f"page{_number_of(raw, self._tokens)}{special}"

    # Headers

    def _header(self, name: str, value: str) -> str:
        if name in ("Content-Type", "Accept"):
            return _media_type(value)
        return self.name(value)

    def _response_header(self, name: str, value: str) -> str:
        match name.lower():
            case "content-type":
                return _media_type(value)
            case "date":
                return _date(value)
            case "retry-after":
                return value if self._is_harmless_numeral(value, "few") else _date(value)
            case "x-request-id":
                return self._identity(value)
        if not _RATE_LIMIT.fullmatch(name):
            return ""
        kinds = ("few", "moment") if name.lower().endswith("reset") else ("few",)
        return value if any(self._is_harmless_numeral(value, kind) for kind in kinds) else ""

    def _counted(self, found: dict[str, str], given: int) -> dict[str, str]:
        self.removed["headers"] += given - len(found)
        return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError("no JSON")


def _is_value(text: str) -> bool:
    return re.sub(r"[ _-]", "", text).lower() in harmless.VALUES


def _number_of(text: str, numbers: dict[str, int]) -> int:
    return numbers.setdefault(text, len(numbers) + 1)


def _address(text: str) -> SplitResult | None:
    """Return the parts of a web address, or of a path with a folder; ``None`` if a text is neither."""
    try:
        parts = urlsplit(text)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return None
    is_path = not parts.scheme and not parts.netloc and "/" in parts.path
    return parts if is_web or (is_path and not parts.path.startswith("//")) else None


def _fields(path: str) -> list[str]:
    return [field.removesuffix("[]") for field in path.split(".")]


def _media_type(value: str) -> str:
    kind = value.partition(";")[0].strip().lower()
    return kind if kind in harmless.MEDIA_TYPES else REMOVED


def _date(value: str) -> str:
    """Return a date of HTTP, written anew; nothing if it is none."""
    try:
        return format_datetime(parsedate_to_datetime(value), usegmt=True)
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""
