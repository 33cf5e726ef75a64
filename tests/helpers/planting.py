"""Exchanges with secrets planted everywhere, and a search for them in what was written."""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
import string
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from airflow_provider_flowservice._recording import harmless
from airflow_provider_flowservice._recording.recorder import Response
from airflow_provider_flowservice.emulator.messages import FLOW_SERVICE, Request

_KNOWN_KEYS = sorted(harmless.KINDS)
_NOT_NUMBERS = [
    key for key in _KNOWN_KEYS if harmless.KINDS[key] not in ("number", "few", "moment")
]
_PATHS = [
    f"{FLOW_SERVICE}/runs",
    f"{FLOW_SERVICE}/flows",
    f"{FLOW_SERVICE}/runs/{{}}",
    f"{FLOW_SERVICE}/runs/{{}}/action",
    "/data/foundation/sandbox-management/",
    "/ims/token/v3",
    "/data/foundation/export/batches/{}/meta",
    "/{}/{}",
]
_ADDRESSES = [
    "https://{}.example.net/runs",
    "https://user:{}@platform.adobe.io/data/foundation/flowservice/runs",
    "/runs?continuationToken={}",
    "/runs?property=flowId=={}&limit=10",
    "/runs?property={}==failed",
    "/runs?{}=1",
    "https://platform.adobe.io/data/foundation/export/batches/{}/meta?path={}",
    "s3://{}/{}",
    "/runs#{}",
]
_SENTENCES = [
    "The requested runs resource {} is not found.",
    "Meet network issue when connect to {} at {}, SocketErrorCode: 'TimedOut'",
    "{}",
    "run id={} failed",
    '{{"inner": "{}"}}',
]
_REQUEST_HEADERS = [*harmless.REQUEST_HEADERS, "Authorization", "Cookie", "X-Forwarded-For"]
_RESPONSE_HEADERS = ["Content-Type", "Date", "Retry-After", "x-request-id", "Set-Cookie", "Server"]
_RESPONSE_HEADERS += ["X-RateLimit-Remaining", "etag", "Location"]
_PARAMETERS = ["property", "orderby", "limit", "continuationToken", "op", "count", "path", "start"]


class Planted(NamedTuple):
    """An exchange, and the secrets in it."""

    request: Request
    response: Response
    secrets: list[str]


class Planter:
    """Makes exchanges, other ones for each seed."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._secrets: list[str] = []

    def exchange(self) -> Planted:
        """Make an exchange with new secrets."""
        self._secrets = [self._secret() for _ in range(4)]
        path = re.sub(r"\{\}", lambda _: quote(self._shown(), safe=""), self._rng.choice(_PATHS))
        request = Request(
            method=self._rng.choice(["GET", "POST"]),
            path=path,
            raw_query="&".join(self._parameter() for _ in range(self._rng.randrange(4))),
            headers=self._headers(_REQUEST_HEADERS),
            body=self._body(),
        )
        status = self._rng.choice([200, 201, 400, 404, 429, 500, 503])
        response = Response(status, self._headers(_RESPONSE_HEADERS), self._body())
        return Planted(request, response, self._secrets)

    def _secret(self) -> str:
        rng, word = self._rng, self._word
        makers: list[Callable[[], str]] = [
            lambda: base64.b64encode(rng.randbytes(24)).decode(),
            lambda: f"eyJ{word()}{word()}.{word()}{word()}.{word()}",
            lambda: f"{word().title()} {word().title()}",
            lambda: f"{word()}.{word()}@{word()}.com",
            lambda: f"{word()}.{word()}.internal",
            lambda: f"/{word()}/{word()}-2024-01-01.csv",
            lambda: str(uuid.UUID(int=rng.getrandbits(128))),
            lambda: str(rng.randrange(10**15, 10**19)),
            lambda: str(rng.randrange(10**13, 10**15)),
            lambda: f"0{rng.randrange(10**9, 10**12)}",
            lambda: f"{rng.randrange(3000, 10**4)}-{rng.randrange(400, 600)}",
            lambda: f"{rng.randrange(10**3, 10**4)}.{rng.randrange(10**5, 10**6)}",
            lambda: "".join(rng.choice("jkqvwxz") for _ in range(5)),
            lambda: f"{rng.getrandbits(96):024X}@AdobeOrg",
            lambda: word().upper(),
            lambda: f"{word()}ä{word()}",
        ]
        return rng.choice(makers)()

    def _word(self) -> str:
        return "".join(self._rng.choice(string.ascii_lowercase) for _ in range(9))

    def _shown(self) -> str:
        """Return a secret in one of its spellings."""
        secret = self._rng.choice(self._secrets)
        data = secret.encode()
        spellings: list[Callable[[], str]] = [
            lambda: secret,
            lambda: secret,
            lambda: secret.upper(),
            lambda: base64.b64encode(data).decode(),
            lambda: base64.urlsafe_b64encode(data).decode().rstrip("="),
            lambda: quote(secret, safe=""),
            lambda: "".join(f"%{byte:02X}" for byte in data),
            lambda: data.hex(),
            lambda: f'"{secret}"',
            lambda: f"(word-{secret})",
            lambda: f"name-{secret}",
            lambda: f"{secret}@AdobeID@AdobeID",
        ]
        return self._rng.choice(spellings)()

    def _number(self) -> float | str:
        """Return a secret as a number, if one of them is."""
        found = [secret for secret in self._secrets if secret.replace(".", "").isdigit()]
        if not found:
            return self._shown()
        secret = self._rng.choice(found)
        fraction = secret.replace(".", "")[:15]
        return self._rng.choice(
            [float(secret), float(f"0.{fraction}"), float(f"4.{fraction}"), secret]
        )

    def _filled(self, templates: list[str]) -> str:
        template = self._rng.choice(templates)
        return template.format(*(self._shown() for _ in range(template.count("{}"))))

    def _parameter(self) -> str:
        rng = self._rng
        name = rng.choice(_PARAMETERS) if rng.random() < 0.8 else quote(self._shown())
        if name == "property":
            field = rng.choice([*_NOT_NUMBERS, self._shown()])
            path = ".".join([*rng.sample(["metrics", "items", self._shown()], 1), field])
            return f"property={quote(rng.choice([field, path]) + rng.choice(['==', '>', '!=']) + self._shown())}"
        return f"{name}={rng.choice([quote(self._shown()), self._shown().replace('&', '')])}"

    def _headers(self, names: list[str]) -> dict[str, str]:
        rng = self._rng
        headers = {rng.choice(names): self._shown() for _ in range(4)}
        headers[re.sub(r"\W", "", self._shown()) or "x"] = self._shown()
        return headers

    def _body(self) -> bytes:
        rng = self._rng
        text = json.dumps(self._object(0), ensure_ascii=rng.random() < 0.5)
        match rng.randrange(30):
            case 0:
                return f"<html><title>{self._shown()}</title></html>".encode()
            case 1:
                return text[: len(text) // 2].encode() + self._shown().encode()
            case 2:
                return f"{text}\n{text}\n".encode()
            case 3:
                return gzip.compress(text.encode())
            case 4:
                return b"[" * 100_000 + self._shown().encode()
            case 5:
                return f'{{"status": NaN, "name": "{self._secrets[0]}"}}'.encode()
            case 6:
                return json.dumps(self._shown()).encode()
        return text.encode()

    def _object(self, depth: int) -> dict[str, Any]:
        return dict(self._entries(depth))

    def _entries(self, depth: int) -> Iterator[tuple[str, Any]]:
        rng = self._rng
        for _ in range(rng.randrange(1, 6)):
            if rng.random() < 0.15:
                yield self._shown(), self._value(depth)
            elif rng.random() < 0.1:
                yield rng.choice(_NOT_NUMBERS), rng.randrange(10**6, 10**18)
            else:
                yield rng.choice(_KNOWN_KEYS), self._value(depth)
        if rng.random() < 0.3:
            yield "status", rng.choice(["success", "failed", "inProgress"])

    def _value(self, depth: int) -> Any:
        match self._rng.randrange(7 if depth < 4 else 4):
            case 0:
                return self._shown()
            case 1:
                return self._filled(_SENTENCES)
            case 2:
                return self._filled(_ADDRESSES)
            case 3:
                return self._number()
            case 4:
                return [self._value(depth + 1) for _ in range(self._rng.randrange(3))]
            case _:
                return self._object(depth + 1)


def found_in(text: str, secrets: list[str]) -> list[str]:
    """Return the parts of secrets that a text shows, in whichever spelling."""
    spread = _readings(text)
    return [part for secret in secrets for part in _parts(secret) if part in spread]


def _parts(secret: str) -> list[str]:
    """Return the parts of a secret by which it could be known."""
    parts = re.findall(r"\w{5,}", secret.lower())
    numbers = re.findall(r"[0-9]+[-.][0-9]{3,}", secret)
    return [part for part in [*parts, *numbers] if part not in ("adobeorg", "internal")]


def _readings(text: str) -> str:
    """Return a text with all that is encoded in it."""
    readings = [text, unquote(text), unquote(unquote(text))]
    for run in re.findall(r"[A-Za-z0-9+/_-]{8,}", unquote(text)):
        plain = run.replace("-", "+").replace("_", "/")
        data = base64.b64decode(plain + "=" * (-len(plain) % 4)) if len(plain) % 4 != 1 else b""
        readings.append(data.decode(errors="replace"))
        # Digits alone may be those of a count.
        if re.fullmatch(r"(?:[0-9a-fA-F]{2})+", run) and not run.isdigit():
            readings.append(bytes.fromhex(run).decode(errors="replace"))
    readings.append(text.encode("ascii", "backslashreplace").decode("unicode_escape", "replace"))
    return "\n".join(readings).lower()
