"""The emulator as an Airflow connection."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from airflow_provider_flowservice.emulator.messages import JSON
from airflow_provider_flowservice.emulator.settings import EmulatorSettings


def connection_to(url: str, settings: EmulatorSettings) -> JSON:
    """Return the connection with which a task reaches an emulator."""
    extra = {"org_id": settings.org_id, "sandbox_name": "staging", "ims_url": url}
    if settings.api_key:
        extra["api_key"] = settings.api_key
    return {
        "conn_type": "flowservice",
        "login": settings.client_id,
        "password": settings.client_secret,
        "host": url,
        "extra": extra,
    }


def as_uri(connection: JSON) -> str:
    """Write a connection as a URI. Its host is a URL itself, and stands there quoted."""
    login, password, host = (
        quote(connection[part], safe="") for part in ("login", "password", "host")
    )
    return f"flowservice://{login}:{password}@{host}/?{urlencode(connection['extra'])}"
