"""
Defaults that several classes share.

The module imports nothing, so that DAG files parse fast.
"""

from __future__ import annotations

CONN_ID = "flowservice_default"

POLL_INTERVAL = 60.0
OUTAGE_TIMEOUT = 30 * 60.0
MISSING_GRACE = 2 * 60.0
SETTLE_TIME = 60.0
