"""What Adobe's OpenAPI file of the Flow Service lists and the emulator does not play."""

from __future__ import annotations

from airflow_provider_flowservice.emulator import errors
from airflow_provider_flowservice.emulator.messages import Request

# Those that it does play are here as well: they never come this far.
_METHODS = {
    "connections": "GET POST",
    "connections/search": "POST",
    "connections/*": "GET PATCH DELETE",
    "connections/*/action": "POST",
    "connections/*/configs": "GET",
    "connections/*/explore": "GET",
    "connections/*/test": "GET",
    "connectionSpecs": "GET POST",
    "connectionSpecs/*": "GET PUT",
    "connectionSpecs/*/configs": "GET",
    "connectionSpecs/*/explore": "GET",
    "flows": "GET POST",
    "flows/search": "POST",
    "flows/*": "GET PATCH DELETE",
    "flows/*/action": "POST",
    "flowSpecs": "GET POST",
    "flowSpecs/search": "POST",
    "flowSpecs/*": "GET PUT",
    "runs": "GET POST",
    "runs/*": "GET PUT",
    "runs/*/action": "POST",
    "sourceConnections": "GET POST",
    "sourceConnections/*": "GET PATCH DELETE",
    "sourceConnections/*/action": "POST",
    "targetConnections": "GET POST",
    "targetConnections/*": "GET PATCH DELETE",
    "targetConnections/*/action": "POST",
}


def refusal(request: Request) -> errors.Refusal:
    """Return the refusal of a request that the emulator does not play, or that nobody knows."""
    collection, *rest = request.segments
    if (request.method, collection, len(rest)) == ("PUT", "runs", 1):
        detail = "A flow run can neither be created nor updated with a user token."
        return errors.flow_service("FLOW-1427-400", detail)
    as_it_is = "/".join([collection, *rest])
    with_any_id = "/".join([collection, "*", *rest[1:]])
    for path in (as_it_is, with_any_id):
        if request.method in _METHODS.get(path, "").split():
            return errors.not_played(request.method, request.api_path)
    return errors.unknown_path()
