"""
Old and new Airflow for event triggers.

Apart from ``_compat``, because Airflow's triggers belong to its core and are slow to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.triggers.base import BaseEventTrigger
    from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer

    HAS_EVENT_TRIGGERS = True
else:
    try:
        from airflow.triggers.base import BaseEventTrigger

        HAS_EVENT_TRIGGERS = True
    except ImportError:  # before Airflow 3.0
        from airflow.triggers.base import BaseTrigger as BaseEventTrigger

        HAS_EVENT_TRIGGERS = False
    try:
        from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer
    except ImportError:  # before Airflow 3.3, which brought what it is for
        AdvanceItem = SharedStreamProducer = object

__all__ = [
    "HAS_EVENT_TRIGGERS",
    "AdvanceItem",
    "BaseEventTrigger",
    "SharedStreamProducer",
    "asset_stores",
]


def asset_stores(accessors: Any) -> list[Any]:
    """
    Return the state store of each asset that a trigger watches for; none before Airflow 3.3.

    :param accessors: What the triggerer has given to the trigger.
    """
    # Watchers with the same arguments share a trigger, whichever assets they belong to, and then
    # there is no public way to the stores: a trigger is not told the names of its assets.
    by_name = getattr(accessors, "_by_name", None)
    if by_name is not None:
        return list(by_name.values())
    return [] if accessors is None else [accessors]
