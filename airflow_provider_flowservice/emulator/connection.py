"""A service on this machine as an Airflow connection."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from airflow_provider_flowservice.emulator.messages import JSON


def connection_to(
    url: str,
    *,
    client_id: str,
    client_secret: str,
    org_id: str,
    sandbox_name: str,
    api_key: str | None = None,
) -> JSON:
    """Return the connection with which a task reaches a Flow Service and its tokens at ``url``."""
    extra = {"org_id": org_id, "sandbox_name": sandbox_name, "ims_url": url}
    if api_key:
        extra["api_key"] = api_key
    return {
        "conn_type": "flowservice",
        "login": client_id,
        "password": client_secret,
        "host": url,
        "extra": extra,
    }


def as_uri(connection: JSON) -> str:
    """Write a connection as a URI. Its host is a URL itself, and stands there quoted."""
    login, password, host = (
        quote(connection[part], safe="") for part in ("login", "password", "host")
    )
    return f"flowservice://{login}:{password}@{host}/?{urlencode(connection['extra'])}"
