"""Checks a connection in stages; a stage that fails says what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._client.errors import FOREIGN
from airflow_provider_flowservice._client.responses import items_of
from airflow_provider_flowservice._compat import AirflowException
from airflow_provider_flowservice._connection.form import CONN_TYPE
from airflow_provider_flowservice._connection.variable import variable_problem
from airflow_provider_flowservice._json import identifier, line, mapping, mappings
from airflow_provider_flowservice.flows import Dataflow, SourceConnection

if TYPE_CHECKING:
    from airflow_provider_flowservice._client.client import FlowServiceClient

_ADD = (
    f" Add one of type {CONN_TYPE!r}, under Admin > Connections or with the command: "
    f"airflow connections add {{}} --conn-type {CONN_TYPE} ..."
)


class Stage(NamedTuple):
    """
    One stage of the check.

    :param is_ok: Whether the stage passed. No stage runs after one that failed.
    :param text: What the stage found; after a failure, also what to do.
    """

    name: str
    is_ok: bool
    text: str


def check_connection(
    conn_id: str, connect: Callable[[], FlowServiceClient], flow_id: str | None = None
) -> Iterator[Stage]:
    """
    Check an Airflow connection, stage by stage, up to the first one that fails.

    The check only reads, so it cannot find out whether the credential may re-trigger or start runs.

    :param connect: Reads the connection and returns a client for it.
    :param flow_id: ID of a flow whose source account to test as well.
    :return: The stages, each as soon as it has run.
    """
    stages: dict[str, Callable[[FlowServiceClient], str]] = {
        "connection": _check_settings,
        "token": _check_token,
        "sandbox": _check_sandbox,
        "flows": _check_flows,
    }
    if flow_id is not None:
        stages["source"] = partial(_check_source, flow_id=flow_id)
    for name, check in stages.items():
        try:
            yield Stage(name, True, check(connect()))
        except (ValueError, AirflowException) as error:
            yield Stage(name, False, failure_text(name, error, conn_id))
            return


def failure_text(stage: str, error: Exception, conn_id: str) -> str:
    """
    Say what is wrong, and what to do.

    :param stage: Name of the stage that failed.
    """
    if stage == "connection":
        # An error that is not ours is Airflow's own: no such connection.
        was_read = isinstance(error, ValueError)
        if problem := variable_problem(conn_id, was_read=was_read):
            return problem
        advice = "" if was_read else _ADD.format(conn_id)
    else:
        advice = _advice(stage, error.__cause__ or error)
    return f"{str(error).rstrip('.')}.{advice}"


def _advice(stage: str, error: BaseException) -> str:
    """Return advice on an error whose own text gives none."""
    if isinstance(error, exceptions.FlowServiceConnectionError) and "ca_bundle" not in str(error):
        field = "'ims_url'" if stage == "token" else "Platform URL (host)"
        return (
            f" Check {field} of the connection, and whether this machine can reach it. "
            "Requests to https:// URLs go through the proxy in HTTPS_PROXY, if it is set."
        )
    status = getattr(error, "http_status", None) or 0
    if status == 429 or status > 500:
        return " Try again later."
    return ""


def _check_settings(client: FlowServiceClient) -> str:
    settings = client.settings
    who = f"API key {settings.api_key}" if settings.access_token else f"client {settings.client_id}"
    return f"{settings.base_url} as {who} of {settings.org_id}."


def _check_token(client: FlowServiceClient) -> str:
    client.get_token()
    if client.settings.access_token:
        return "The connection holds a pre-issued access token; it is not refreshed."
    return f"{client.settings.ims_url} grants a token."


def _check_sandbox(client: FlowServiceClient) -> str:
    wanted = client.settings.sandbox_name
    body = client.get_sandboxes()
    if not isinstance(body, dict):
        raise exceptions.FlowServiceAnswerError(f"The response is no list of sandboxes. {FOREIGN}.")
    states = {
        line(sandbox.get("name"), 100): line(sandbox.get("state"), 100) or "active"
        for sandbox in mappings(body.get("sandboxes"))
    }
    if states.get(wanted) == "active":
        return f"The credential may use sandbox {wanted!r}."
    if wanted in states:
        raise ValueError(
            f"Sandbox {wanted!r} is {states[wanted]}, not active. Wait until it is, or name another "
            "in 'sandbox_name' of the connection."
        )
    if mapping(body, "_links").get("next"):
        return f"The first page of the sandbox list does not show {wanted!r}; later pages may."
    raise ValueError(
        f"The credential may not use sandbox {wanted!r}. It may use: "
        f"{', '.join(states) or 'none'}. Check 'sandbox_name' of the connection; in Experience "
        "Platform, an administrator adds the credential to a role that has the sandbox "
        "(Permissions > Roles > API credentials)."
    )


def _check_flows(client: FlowServiceClient) -> str:
    body = client.get("/flows", [("limit", "1")])
    try:
        items_of(body, "GET /flows")
    except exceptions.FlowServiceAnswerError as error:
        raise ValueError(f"{error} {FOREIGN}.") from None
    return "Flows can be read. To re-trigger or start runs, the role needs Manage Sources as well."


def _check_source(client: FlowServiceClient, flow_id: str) -> str:
    try:
        item = client.get_item("flows", flow_id)
    except exceptions.FlowServiceError as error:
        raise ValueError(f"Flow {flow_id!r} of --flow cannot be read. {error}") from error
    flow = Dataflow.from_api(item)
    whose = f"Flow {flow.name or flow_id!r}"
    accounts = [_named(client, account_id) for account_id in _accounts_of(client, flow, item)]
    if not accounts:
        return f"{whose} shows no source account."
    for account_id, name in accounts:
        who = f"{whose} reads with the source account {name}"
        try:
            works = client.test_account(account_id)
        except exceptions.FlowServiceError as error:
            raise ValueError(f"{who}, which could not be tested. {error}") from error
        if not works:
            raise ValueError(
                f"{who}, and the service says that it does not work. Check it in Experience Platform "
                "(Sources > Accounts), and renew its credential if it has expired; until it works, a "
                "re-trigger fails alike."
            )
    names = ", ".join(name for _, name in accounts)
    return f"{whose} reads with the source account {names}; the service says that it works."


def _accounts_of(
    client: FlowServiceClient, flow: Dataflow, item: Mapping[str, Any]
) -> dict[str, None]:
    """Return the IDs of the accounts that a flow reads with, each once."""
    inherited = mapping(item, "inheritedAttributes").get("sourceConnections")
    known = {
        identifier(entry.get("id")): identifier(mapping(entry, "baseConnection").get("id"))
        for entry in mappings(inherited)
    }
    found: dict[str, None] = {}
    for connection_id in flow.source_connection_ids or filter(None, known):
        account_id = _account_of(client, connection_id) or known.get(connection_id)
        if account_id:
            found[account_id] = None
    return found


def _account_of(client: FlowServiceClient, connection_id: str) -> str:
    try:
        item = client.get_item("sourceConnections", connection_id)
    except exceptions.FlowServiceApiError:
        return ""  # hidden; the flow may name the account itself
    return SourceConnection.from_api(item).account_id


def _named(client: FlowServiceClient, account_id: str) -> tuple[str, str]:
    """Return the ID of an account, and what to call it."""
    try:
        name = line(client.get_item("connections", account_id).get("name"), 200)
    except exceptions.FlowServiceApiError:
        name = ""  # its test may work all the same
    return account_id, f"{name!r} ({account_id})" if name else account_id
