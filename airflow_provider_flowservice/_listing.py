"""How listings of the service are asked for and read, page by page as they are used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_flowservice._client.responses import items_of
from airflow_provider_flowservice.exceptions import FlowServiceApiError

if TYPE_CHECKING:
    from airflow_provider_flowservice._client.client import FlowServiceClient
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
    from airflow_provider_flowservice.runs import DataflowRun

# The largest page the documentation names, and so the most resources one request asks for.
LARGEST_PAGE = 100


def list_items(
    client: FlowServiceClient,
    path: str,
    filters: Iterable[str],
    order_by: str = "-createdAt",
    limit: int | None = None,
) -> Iterator[Mapping[str, Any]]:
    """
    List resources.

    :param filters: All have to hold.
    :param order_by: Field to sort by; with ``-`` before it, the largest comes first.
    :param limit: Number of resources to list at most, one or more.
    """
    # Several filters are several parameters; a comma would be part of a value.
    params = [("property", value) for value in filters]
    page = LARGEST_PAGE if limit is None else min(limit, LARGEST_PAGE)
    params += [("orderby", order_by), ("limit", str(page))]
    left = limit
    for body in client.get_pages(path, params):
        for item in items_of(body, f"GET {path}")[:left]:
            yield item
            left = None if left is None else left - 1
        if left == 0:
            return


def find_runs(hook: FlowServiceHook, run_ids: Sequence[str]) -> dict[str, DataflowRun]:
    """
    Return those runs that the service shows when it is asked for many at once.

    :param run_ids: Any number of IDs.
    """
    found: dict[str, DataflowRun] = {}
    try:
        for start in range(0, len(run_ids), LARGEST_PAGE):
            found |= hook.get_runs(run_ids[start : start + LARGEST_PAGE])
    except FlowServiceApiError as error:
        # Perhaps the service does not know the filter.
        if error.http_status != 400:
            raise
    return found
