"""
Differences between Airflow releases in event triggers.

Separate from ``_compat``, since Airflow's triggers belong to its core and are slow to import.
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
    except ImportError:  # before Airflow 3.3, which brought shared streams
        AdvanceItem = SharedStreamProducer = object


def asset_stores(accessors: Any) -> list[Any]:
    """
    Return the state stores of the assets that a trigger watches for; none before Airflow 3.3.

    :param accessors: The trigger's ``asset_state_store``.
    """
    # Watchers of several assets share one trigger if their arguments are equal. The public API then
    # has no way to the stores, since a trigger does not know the names of its assets.
    by_name = getattr(accessors, "_by_name", None)
    if by_name is not None:
        return list(by_name.values())
    return [] if accessors is None else [accessors]
