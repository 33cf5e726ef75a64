"""
Says why Airflow cannot read a connection from its environment variable.

Airflow itself then says that the connection is not defined. No sentence shows a value.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from airflow_provider_flowservice._json import is_json_object

_FIELDS = frozenset(
    {"conn_type", "description", "host", "login", "password", "schema", "port", "extra"}
)
_EXAMPLE = (
    'Write it as JSON, such as {"conn_type": "flowservice", "login": "CLIENT_ID", '
    '"password": "CLIENT_SECRET", "extra": {"org_id": "0123ABC@AdobeOrg", '
    '"sandbox_name": "staging"}}'
)


def variable_problem(conn_id: str, *, was_read: bool) -> str | None:
    """
    Return a sentence on what is wrong with a connection's variable.

    :param was_read: Whether Airflow made a connection of it.
    :return: ``None`` if there is no such variable, or nothing wrong with its form.
    """
    name = f"AIRFLOW_CONN_{conn_id.upper()}"
    if (value := os.environ.get(name)) is None:
        return None
    problem = _problem(value.strip())
    if problem is None and not was_read:
        problem = "Airflow cannot read it; in a URI, special characters must be percent-encoded"
    return problem and f"The environment variable {name} is set, but {problem}. {_EXAMPLE}."


def _problem(value: str) -> str | None:
    if not value:
        return "it is empty"
    if not value.startswith("{"):
        return None if "://" in value else "it is neither JSON nor a URI"
    try:
        fields = json.loads(value)
    except json.JSONDecodeError as error:
        return f"it is no valid JSON ({error.msg}: character {error.pos + 1})"
    except RecursionError:
        return "its JSON is nested too deeply"
    return _field_problem(fields)


def _field_problem(fields: Mapping[str, object]) -> str | None:
    if unknown := sorted(fields.keys() - _FIELDS):
        return (
            f"a connection has no field {', '.join(map(repr, unknown))}; fields of the service "
            "belong into 'extra'"
        )
    if not str(fields.get("port") or 0).strip().isdecimal():
        return "'port' is no number"
    if not is_json_object(fields.get("extra") or {}):
        return "'extra' is no JSON object"
    return None
