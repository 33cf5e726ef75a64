"""The emulator as an Airflow connection."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from airflow_provider_flowservice.emulator.knobs import Knobs
from airflow_provider_flowservice.emulator.messages import JSON


def connection_to(url: str, knobs: Knobs) -> JSON:
    """Return the connection with which a task reaches an emulator."""
    extra = {"org_id": knobs.org_id, "sandbox_name": "dev", "ims_url": url}
    if knobs.api_key:
        extra["api_key"] = knobs.api_key
    return {
        "conn_type": "flowservice",
        "login": knobs.client_id,
        "password": knobs.client_secret,
        "host": url,
        "extra": extra,
    }


def as_uri(connection: JSON) -> str:
    """Write a connection as a URI. Its host is a URL itself, and stands there quoted."""
    login, password, host = (
        quote(connection[part], safe="") for part in ("login", "password", "host")
    )
    return f"flowservice://{login}:{password}@{host}/?{urlencode(connection['extra'])}"
