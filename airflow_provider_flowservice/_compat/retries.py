"""
Old and new Airflow for retry policies.

Apart from ``_compat``, because most DAG files use none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import RetryDecision, RetryPolicy
else:
    try:
        from airflow.sdk import RetryDecision, RetryPolicy
    except ImportError:  # before Airflow 3.3
        RetryDecision = RetryPolicy = None

__all__ = ["RetryDecision", "RetryPolicy"]
