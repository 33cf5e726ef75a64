"""The settings that the hook reads from its Airflow connection."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from airflow_provider_flowservice._connection.claims import org_of, read_claims
from airflow_provider_flowservice._connection.form import (
    CONN_TYPE,
    IMS_URL,
    LONGEST_TIMEOUT,
    PLATFORM_URL,
    REQUEST_TIMEOUT,
    SCOPES,
)
from airflow_provider_flowservice._json import is_json_object, line

if TYPE_CHECKING:
    from airflow_provider_flowservice._compat import Connection

_NO_OBJECT = 'Its \'extra\' is no JSON object, such as {"org_id": ..., "sandbox_name": ...}'
_HEADER_VALUE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class Settings:
    """
    Everything the hook needs to reach one sandbox.

    :param request_timeout: Seconds to wait for one HTTP response.
    """

    base_url: str
    ims_url: str
    client_id: str
    client_secret: str = field(repr=False)
    access_token: str = field(repr=False)
    api_key: str
    org_id: str
    sandbox_name: str
    scopes: str
    tenant: str
    ca_bundle: str | None
    request_timeout: float

    @classmethod
    def from_connection(cls, conn: Connection) -> Settings:
        """
        Read the settings from an Airflow connection.

        :raises ValueError: Fields are missing or wrong; the message names all of them.
        """
        if not is_json_object(conn.extra or "{}"):
            raise ValueError(f"Airflow connection {conn.conn_id!r} cannot be used. {_NO_OBJECT}.")
        extra = _plain_names(conn.extra_dejson)
        client_id, org_id = _text(conn.login), _text(extra.get("org_id"))
        settings = cls(
            base_url=_url(conn.host, PLATFORM_URL, conn.port),
            ims_url=_url(extra.get("ims_url"), IMS_URL),
            client_id=client_id,
            client_secret=_text(conn.password),
            access_token=_text(extra.get("access_token")),
            api_key=_text(extra.get("api_key")) or client_id,
            org_id=org_id,
            sandbox_name=_text(extra.get("sandbox_name")),
            scopes=_scopes(extra.get("scopes")),
            tenant=_text(extra.get("tenant")) or org_id,
            ca_bundle=_text(extra.get("ca_bundle")) or None,
            request_timeout=_seconds(extra.get("request_timeout")),
        )
        if problems := [*settings._problems()]:
            if conn.conn_type and conn.conn_type != CONN_TYPE:
                problems.append(
                    f"The connection's type is {conn.conn_type!r}: choose one of type {CONN_TYPE!r}"
                )
            raise ValueError(
                f"Airflow connection {conn.conn_id!r} cannot be used. "
                + " ".join(f"{problem}." for problem in problems)
            )
        return settings

    @property
    def own_clients(self) -> frozenset[str]:
        """What the service may call the connection's own client."""
        return frozenset({self.client_id, self.api_key})

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled, since a pickle would hold the secret."""
        raise TypeError("Settings hold a secret and cannot be pickled; read the connection again.")

    def _problems(self) -> Iterator[str]:
        """List a sentence on each field that is missing or wrong."""
        yield from self._credential_problems()
        if "@" not in self.org_id:
            yield "'org_id' must be the organization's ID, such as 0123ABC@AdobeOrg"
        if not self.sandbox_name:
            yield "'sandbox_name' is empty: name the sandbox, there is no default"
        elif self.sandbox_name == "*":
            yield "'sandbox_name' must name one sandbox, '*' is for Adobe's own services"
        for name in ("api_key", "org_id", "sandbox_name", "access_token"):
            if (value := getattr(self, name)) and not _HEADER_VALUE.fullmatch(value):
                yield f"'{name}' holds blanks or characters that an HTTP header cannot contain"
        for label, url in (("Platform URL (host)", self.base_url), ("'ims_url'", self.ims_url)):
            if problem := _url_problem(url):
                yield f"{label} {problem}"
        if not 0 < self.request_timeout <= LONGEST_TIMEOUT:
            yield (
                "'request_timeout' must be a number of seconds above 0, and at most "
                f"{LONGEST_TIMEOUT:.0f}"
            )
        if self.ca_bundle and (problem := _ca_bundle_problem(self.ca_bundle)):
            yield f"'ca_bundle' {problem}"

    def _credential_problems(self) -> Iterator[str]:
        if not self.access_token:
            if not self.client_id:
                yield "Client ID (login) is empty"
            if not self.client_secret:
                yield "Client secret (password) is empty"
            return
        if not self.api_key:
            yield "'api_key' is empty: an access token needs the API key it was issued for"
        org_id = org_of(read_claims(self.access_token))
        if org_id and self.org_id and org_id != self.org_id:
            yield (
                f"'access_token' is a token for the organization {org_id}, and 'org_id' is "
                f"{self.org_id}"
            )


def _plain_names(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Add the fields without the prefix that forms of old Airflow releases put before names."""
    prefix = f"extra__{CONN_TYPE}__"
    return {**{key.removeprefix(prefix): value for key, value in extra.items()}, **extra}


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _url(value: object, default: str, port: int | None = None) -> str:
    """
    Complete an address to a URL.

    A connection in URI format holds the port separately, and an IPv6 address without its brackets.
    """
    if not (address := _text(value).rstrip("/")):
        return default
    scheme, _, rest = address.rpartition("://")
    host, slash, path = rest.partition("/")
    if _is_ipv6(host):
        host = f"[{host}]"
    if port and not re.search(r":\d+$", host):
        host = f"{host}:{port}"
    return f"{scheme or 'https'}://{host}{slash}{path}"


def _url_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return "is not a URL"  # the message does not quote it, since it may hold a password
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        return "must be a URL such as https://platform.adobe.io"
    if parts.username or parts.password:
        return "must not hold a user name or password"
    if parts.path:
        return f"must end after the host or port, without the path {line(parts.path, 100)}"
    if parts.scheme == "http" and not _is_loopback(host):
        return (
            f"must begin with https://; plain http would expose the token to the network ({host})"
        )
    return None


def _ca_bundle_problem(path: str) -> str | None:
    """Load the bundle once, since later its error would look like a network error."""
    import ssl  # late, since it takes as long to load as the rest of this module

    where = {"capath": path} if os.path.isdir(path) else {"cafile": path}
    try:
        ssl.create_default_context(**where)  # type: ignore[arg-type]
    except (OSError, ValueError) as error:
        return f"cannot be read on this machine: {path} ({error.__class__.__name__}: {error})"
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


def _scopes(value: object) -> str:
    """Join scopes with commas, from a list or a string, without blanks."""
    parts = value if isinstance(value, list) else _text(value).split(",")
    return ",".join(scope for part in parts if (scope := _text(part))) or SCOPES


def _seconds(value: object) -> float:
    if value is None or value == "":
        return REQUEST_TIMEOUT
    try:
        return float(str(value))
    except ValueError:
        return 0.0
