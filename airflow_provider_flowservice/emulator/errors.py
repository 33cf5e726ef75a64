"""Refusals, in the body shapes of the service that utters them."""

from __future__ import annotations

from airflow_provider_flowservice.emulator.messages import JSON, Answer

_TYPE = "https://ns.adobe.com/aep/errors/"
_TITLES = {
    "EMULATOR-501": "Not played here",
    "FLOW-1439-404": "Resource not found",
    "FLOW-2100-404": "Sandbox not found",
    "FLOW-2105-400": "Header is missing",
    "FLOW-2110-400": "Headers not allowed",
    "FLOW-2111-403": "Headers with value restricted",
    "FLOW-2120-403": "Forbidden",
    "FLOW-2121-403": "Forbidden",
}
_HTML_404 = "<html><head><title>404 Not Found</title></head><body>404 Not Found</body></html>"


class Refusal(Exception):
    """
    The service says no.

    :param status: HTTP status.
    :param body: Body of the answer.
    """

    def __init__(self, status: int, body: JSON | str) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body

    def answer(self, request_id: str) -> Answer:
        """Return the answer; a report in it names the request."""
        if isinstance(self.body, dict) and "report" in self.body:
            report = {**self.body["report"], "request-id": request_id}
            return Answer(self.status, {**self.body, "report": report})
        return Answer(self.status, self.body)


def ims(error: str, description: str) -> Refusal:
    """Return a refusal of the token service."""
    return Refusal(400, {"error": error, "error_description": description})


def gateway(status: int, code: str, message: str) -> Refusal:
    """Return a refusal of the gateway, before the Flow Service sees the call."""
    return Refusal(status, {"error_code": code, "message": message})


def flow_service(code: str, detail: str, **report: str) -> Refusal:
    """
    Return a refusal of the Flow Service.

    :param code: Error code; its last part is the HTTP status.
    :param detail: What is wrong.
    :param report: Further entries of the report.
    """
    status = int(code.rsplit("-", 1)[1])
    return Refusal(
        status,
        {
            "type": _TYPE + code,
            "title": _TITLES.get(code, "Invalid request"),
            "status": status,
            "report": {"detailed-message": detail, **report},
            "errorMessage": detail,
            "errorDetails": detail,
        },
    )


def not_found(collection: str, resource_id: str) -> Refusal:
    """Return the refusal for a resource that the sandbox does not have."""
    detail = (
        f"The requested {collection} resource {resource_id} is not found. "
        "Verify the resource ID before trying again."
    )
    return flow_service("FLOW-1439-404", detail, id=resource_id, type=collection)


def no_diagnostics() -> Refusal:
    """Return the refusal for a batch or a file that the Data Access API does not have."""
    return gateway(404, "404", "The requested path of the batch is not found.")


def connector(code: str, detail: str, *, wrapped: bool) -> Refusal:
    """
    Return a refusal of the connector behind a flow.

    :param wrapped: Whether the Flow Service passes it on inside an error of its own.
    """
    if wrapped:
        return flow_service("FLOW-1100-400", f"Error from flow provider: {code}: {detail}")
    return flow_service(code, detail)


def not_played(method: str, path: str) -> Refusal:
    """Return the refusal of what the real service does, and the emulator does not."""
    return flow_service("EMULATOR-501", f"The emulator does not play {method} {path}.")


def not_recorded(request: str) -> Refusal:
    """Return the refusal of what a recording does not hold."""
    return flow_service("EMULATOR-501", f"The recording holds no such request: {request}.")


def unknown_path() -> Refusal:
    """Return the refusal for a path nobody serves; it is HTML on the real gateway too."""
    return Refusal(404, _HTML_404)
