"""What an IMS access token says about itself. It is read only; nobody here can check its signature."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_flowservice._json import count, identifier


def read_claims(token: str) -> Mapping[str, Any]:
    """Return the claims of a token; none where they cannot be read."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    padded = parts[1] + "=" * (-len(parts[1]) % 4)
    try:
        claims = json.loads(base64.urlsafe_b64decode(padded))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def ends_at(claims: Mapping[str, Any]) -> float | None:
    """Return the epoch seconds at which a token ends. Both claims are milliseconds, as text."""
    created, lifetime = count(claims.get("created_at")), count(claims.get("expires_in"))
    if not created or not lifetime:
        return None
    return (created + lifetime) / 1000


def org_of(claims: Mapping[str, Any]) -> str:
    """Return the organization a token is for; empty where it does not say."""
    return identifier(claims.get("org"))
