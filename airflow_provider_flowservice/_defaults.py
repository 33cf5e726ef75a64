"""
What arguments are where users give none.

Apart from what works with them, so that a file that only declares tasks imports nothing else.
"""

from __future__ import annotations

CONN_ID = "flowservice_default"

POLL_INTERVAL = 60.0
PATIENCE = 30 * 60.0
MISSING_GRACE = 2 * 60.0
SETTLE_TIME = 60.0
