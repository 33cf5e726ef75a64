"""The Flow Service behind one connection: URLs, headers, tokens and errors of its calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from airflow_provider_flowservice._client.errors import error_of
from airflow_provider_flowservice._client.http import HttpSession, Params
from airflow_provider_flowservice._client.ims import fetch_token
from airflow_provider_flowservice._client.responses import (
    LARGEST_PAGE,
    items_of,
    next_query,
    only_item,
)
from airflow_provider_flowservice._client.retries import RetryLimits, call_with_retries
from airflow_provider_flowservice._client.tokens import Token, token_source
from airflow_provider_flowservice._connection.settings import Settings
from airflow_provider_flowservice._json import identifier
from airflow_provider_flowservice.exceptions import (
    FlowServiceAnswerError,
    FlowServiceAuthError,
    FlowServiceError,
    FlowServiceNotFoundError,
)

API_PATH = "/data/foundation/flowservice"
SANDBOXES_PATH = "/data/foundation/sandbox-management/"

LARGEST_RESPONSE = 64 * 2**20

# A real listing is far shorter; more pages mean that the service goes round in circles.
_MOST_PAGES = 1000


class FlowServiceClient:
    """
    Calls the Flow Service as one credential in one sandbox.

    :param settings: Where, and as whom.
    :param limits: How hard to try.
    """

    def __init__(self, settings: Settings, limits: RetryLimits) -> None:
        self.settings = settings
        self._limits = limits
        self._http = HttpSession(
            ca_bundle=settings.ca_bundle,
            timeout=settings.request_timeout,
            largest_answer=LARGEST_RESPONSE,
        )
        self._tokens = token_source(settings)
        self._headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "x-api-key": settings.api_key,
            "x-gw-ims-org-id": settings.org_id,
            "x-sandbox-name": settings.sandbox_name,
        }

    def get(self, path: str, params: Params = ()) -> Any:
        """
        Read what is below a path of the Flow Service.

        :raises FlowServiceConnectionError: No answer came.
        :raises FlowServiceApiError: The answer was an error.
        """
        return self._get(API_PATH + path, params)

    def get_item(self, collection: str, item_id: str) -> Mapping[str, Any]:
        """
        Read one resource.

        :raises FlowServiceNotFoundError: The sandbox has no such resource, or hides it.
        :raises FlowServiceAnswerError: The answer is something else.
        :raises ValueError: It cannot be an ID.
        """
        path = _path_of(collection, item_id)
        tried = f"GET {path}"
        item = only_item(self.get(path), tried)
        if item is None:
            raise FlowServiceNotFoundError(
                f"{tried}: the answer is empty, so there is no such resource in the sandbox."
            )
        if identifier(item.get("id")).lower() != item_id.lower():
            raise FlowServiceAnswerError(f"{tried}: the answer is another resource, or has no ID.")
        return item

    def get_by_ids(self, collection: str, item_ids: Sequence[str]) -> Any:
        """
        Read several resources with one request.

        :raises ValueError: One cannot be an ID.
        """
        for item_id in item_ids:
            _check_id(item_id)
            if "," in item_id:
                raise ValueError(f"An ID in a list cannot hold a comma: {item_id!r}.")
        params = [("property", f"id=={','.join(item_ids)}"), ("limit", str(len(item_ids)))]
        return self.get(f"/{collection}", params)

    def act(
        self,
        collection: str,
        item_id: str,
        op: str,
        may_retry: Callable[[BaseException], bool],
    ) -> Any:
        """
        Ask for an action on a resource.

        :param op: The service's word for it.
        :param may_retry: Whether an error proves that nothing was done, and may pass.
        :raises FlowServiceConnectionError: No answer came; ``sent`` says what that means.
        :raises FlowServiceApiError: The answer was an error.
        :raises ValueError: It cannot be an ID.
        """
        path = f"{API_PATH}{_path_of(collection, item_id)}/action"
        call = partial(self._call, "POST", path, [("op", op)])
        return call_with_retries(call, self._limits, may_retry)

    def list_items(
        self,
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
        for body in self._get_pages(path, params):
            for item in items_of(body, f"GET {path}")[:left]:
                yield item
                left = None if left is None else left - 1
            if left == 0:
                return

    def _get_pages(self, path: str, params: Params) -> Iterator[Any]:
        """
        Read a listing page by page.

        :raises FlowServiceAnswerError: The pages go round in circles.
        """
        body = self.get(path, params)
        yield body
        seen: set[str] = set()
        while (query := next_query(body, params, f"GET {path}")) is not None:
            if query in seen or len(seen) >= _MOST_PAGES:
                raise FlowServiceAnswerError(
                    f"GET {path}: the links to the next page go round in circles "
                    f"after {len(seen) + 1} pages."
                )
            seen.add(query)
            body = self.get(f"{path}?{query}")
            yield body

    def get_token(self) -> Token:
        """
        Get a token, as every call does by itself.

        :raises FlowServiceAuthError: IMS refuses the credential.
        """
        return call_with_retries(self._get_token, self._limits)

    def get_sandboxes(self) -> Any:
        """List the sandboxes this credential may use; open to every valid token."""
        return self._get(SANDBOXES_PATH)

    def _get_token(self) -> Token:
        try:
            return self._tokens.get(partial(fetch_token, self.settings, self._http))
        except FlowServiceError as error:
            error.sent = "no"  # the request that the token is for
            raise

    def _get(self, path: str, params: Params = ()) -> Any:
        return call_with_retries(partial(self._call, "GET", path, params), self._limits)

    def _call(self, method: str, path: str, params: Params) -> Any:
        token = self._get_token()
        try:
            return self._send(method, path, params, token)
        except FlowServiceAuthError as error:
            if not self._tokens.renew(token, error.http_status or 0):
                raise
        # Once more with a new token. If that is refused as well, it is a matter of permissions.
        return self._send(method, path, params, self._get_token())

    def _send(self, method: str, path: str, params: Params, token: Token) -> Any:
        headers = self._headers
        if path == SANDBOXES_PATH:
            headers = {key: value for key, value in headers.items() if key != "x-sandbox-name"}
        answer = self._http.send(
            method, self.settings.base_url + path, params=params, headers=headers, auth=token
        )
        if answer.is_success:
            return answer.body
        shown = path.removeprefix(API_PATH).partition("?")[0]
        secrets = (token.text, self.settings.client_secret)
        raise error_of(answer, f"{method} {shown}", secrets)


def _path_of(collection: str, item_id: str) -> str:
    """Write the path of a resource, with the ID quoted, so that it cannot become another path."""
    _check_id(item_id)
    return f"/{collection}/{quote(item_id, safe='')}"


def _check_id(item_id: object) -> None:
    """
    Refuse what cannot be an ID.

    :raises ValueError: It is none.
    """
    is_word = isinstance(item_id, str) and item_id.isprintable() and " " not in item_id
    # A template that found nothing leaves "None" behind.
    if not is_word or item_id in ("", ".", "..", "None"):
        raise ValueError(f"The ID of a dataflow run or flow cannot be {item_id!r}.")
