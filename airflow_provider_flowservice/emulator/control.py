"""
The emulator's own endpoints, for tests in another process.

======  ==========================  ==================================================================
Method  Path                        What
======  ==========================  ==================================================================
POST    ``/_emulator/faults``       switch on a fault: the arguments of ``Fault`` as JSON
DELETE  ``/_emulator/faults``       switch all faults off
GET     ``/_emulator/requests``     requests seen
DELETE  ``/_emulator/requests``     forget them
GET     ``/_emulator/retriggers``   pairs of source run and new run
GET     ``/_emulator/starts``       pairs of flow and new on-demand run
GET     ``/_emulator/summary``      counts by route, of token requests and of runs started
POST    ``/_emulator/flows``        add a flow: the arguments of ``add_flow`` as JSON
POST    ``/_emulator/runs``         add a run: the arguments of ``add_run`` as JSON
POST    ``/_emulator/plan``         ``{"id": "...", "lifecycles": [["inProgress", "failed"], ...]}``
POST    ``/_emulator/script``       ``{"run_id": "...", "statuses": ["inProgress", "success"]}``
======  ==========================  ==================================================================

Besides a list of statuses, a lifecycle is an object: the arguments of ``Lifecycle``, or one of its
class methods with its arguments, as in ``{"named": "rejects", "failed_records": 3, "of": 1200}``. A
run that is added may have ``ended`` so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from airflow_provider_flowservice.emulator.faults import Fault
from airflow_provider_flowservice.emulator.in_memory import InMemoryService
from airflow_provider_flowservice.emulator.lifecycle import Lifecycle
from airflow_provider_flowservice.emulator.messages import JSON, Answer, Request

PREFIX = "/_emulator/"
_NAMED: dict[str, Callable[..., Lifecycle]] = {
    name: getattr(Lifecycle, name)
    for name, member in vars(Lifecycle).items()
    if isinstance(member, classmethod) and not name.startswith("_")
}


def answer(service: InMemoryService, request: Request) -> Answer:
    """Act on a request to the emulator itself."""
    try:
        body = json.loads(request.body or b"{}")
        return Answer(200, _act(service, request, body))
    except LookupError as error:
        return Answer(404, {"error": f"not found: {error}"})
    except (TypeError, ValueError) as error:
        return Answer(400, {"error": str(error)})


def _act(service: InMemoryService, request: Request, body: JSON) -> Any:  # noqa: C901  # a table
    match request.method, request.path.removeprefix(PREFIX):
        case "GET", "requests":
            return [asdict(seen) for seen in service.requests]
        case "GET", "retriggers":
            return service.retriggers
        case "GET", "starts":
            return service.starts
        case "GET", "summary":
            return service.summary()
        case "DELETE", "requests":
            service.clear_requests()
        case "DELETE", "faults":
            service.clear_faults()
        case "POST", "faults":
            service.fail(Fault(**body))
        case "POST", "flows":
            return {"id": service.add_flow(**body)}
        case "POST", "runs":
            ended = _lifecycle(body.pop("ended")) if "ended" in body else None
            return {"id": service.add_run(**body, ended=ended)}
        case "POST", "plan":
            service.plan(body["id"], *map(_lifecycle, body["lifecycles"]))
        case "POST", "script":
            service.script(body["run_id"], body["statuses"])
        case method, name:
            raise LookupError(f"{method} {PREFIX}{name}")
    return {}


def _lifecycle(value: Any) -> Lifecycle:
    if not isinstance(value, dict):
        return Lifecycle(value)
    make = _NAMED[value.pop("named")] if "named" in value else Lifecycle
    return make(**value)
