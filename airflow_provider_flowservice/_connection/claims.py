"""Reads the claims of an IMS access token. Their signature is not checked."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_flowservice._json import count, identifier


def read_claims(token: str) -> Mapping[str, Any]:
    """Return the claims of a token; an empty mapping if they cannot be read."""
    try:
        _, part, _ = token.split(".")
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def expires_at(claims: Mapping[str, Any]) -> float | None:
    """Return the epoch seconds at which a token expires; ``None`` if its claims do not say."""
    # Both claims are milliseconds, as text.
    created_ms, lifetime_ms = count(claims.get("created_at")), count(claims.get("expires_in"))
    if not created_ms or not lifetime_ms:
        return None
    return (created_ms + lifetime_ms) / 1000


def org_of(claims: Mapping[str, Any]) -> str:
    """Return the organization of a token; empty if its claims do not say."""
    return identifier(claims.get("org"))
