"""The connection of a recorder."""

from __future__ import annotations

import json

import pytest
from airflow.models import Connection

from airflow_provider_flowservice._connection.settings import Settings


@pytest.fixture
def settings():
    extra = {"org_id": "0123456789ABCDEF01234567@AdobeOrg", "sandbox_name": "acme-dev"}
    return Settings.from_connection(
        Connection(
            conn_id="tenant",
            conn_type="flowservice",
            login="acme-client",
            password="emulator-secret-5f3c9a",
            extra=json.dumps(extra),
        )
    )
