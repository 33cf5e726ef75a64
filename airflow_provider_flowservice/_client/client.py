"""Client of the Flow Service for one connection: URLs, headers, tokens and errors."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from tempfile import SpooledTemporaryFile
from typing import Any
from urllib.parse import quote

from airflow_provider_flowservice import exceptions
from airflow_provider_flowservice._arguments.kinds import ID, check
from airflow_provider_flowservice._client import diagnostics, responses
from airflow_provider_flowservice._client.errors import catalogue_hint, diagnostics_hint, error_of
from airflow_provider_flowservice._client.http import HttpResponse, HttpSession, Params, Store
from airflow_provider_flowservice._client.ims import fetch_token
from airflow_provider_flowservice._client.retries import (
    RetryLimits,
    call_with_retries,
    is_transient,
)
from airflow_provider_flowservice._client.tokens import Token, token_source
from airflow_provider_flowservice._connection.settings import Settings
from airflow_provider_flowservice._json import identifier

API_PATH = "/data/foundation/flowservice"
SANDBOXES_PATH = "/data/foundation/sandbox-management/"

LARGEST_RESPONSE = 64 * 2**20

# What the hook calls the ID of a resource, by its collection.
_ID_ARGUMENTS = {"runs": "run_id", "flows": "flow_id", "connections": "account_id"}

Body = Callable[[], Mapping[str, Any]]
Exchange = tuple[HttpResponse, exceptions.FlowServiceApiError | None]

# Real listings are far shorter; more pages mean that their links form a loop.
_MOST_PAGES = 1000

# Files of rejected rows, and pages that list them, of one run.
_MOST_FILES = 1000
# Bytes of such a file in memory; more go to the disk.
_MOST_IN_MEMORY = 2**20


class FlowServiceClient:
    """Calls the Flow Service with one credential, in one sandbox."""

    def __init__(self, settings: Settings, limits: RetryLimits) -> None:
        self.settings = settings
        self._limits = limits
        self._http = HttpSession(
            ca_bundle=settings.ca_bundle,
            timeout=settings.request_timeout,
            largest_response=LARGEST_RESPONSE,
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
        Send a GET request to the Flow Service, and retry it after transient errors.

        :param path: Path below that of the API.
        :return: The JSON in the response.
        """
        return self._get(API_PATH + path, params)

    def get_item(self, collection: str, item_id: str) -> Mapping[str, Any]:
        """
        Read one resource.

        :param collection: Kind of the resource, such as ``runs``.
        :raises FlowServiceNotFoundError: The sandbox has no such resource, or hides it.
        :raises FlowServiceAnswerError: The response holds something else.
        :raises ValueError: ``item_id`` cannot be an ID.
        """
        path = _path_of(collection, item_id)
        tried = f"GET {path}"
        item = responses.only_item(self.get(path), tried)
        if item is None:
            raise exceptions.FlowServiceNotFoundError(
                f"{tried}: the response is empty, so the sandbox has no such resource."
            )
        if identifier(item.get("id")).lower() != item_id.lower():
            raise exceptions.FlowServiceAnswerError(
                f"{tried}: the response is another resource, or has no ID."
            )
        return item

    def test_account(self, account_id: str) -> bool:
        """
        Let the service test the account of a source.

        :return: Whether the account works; the service reports either with HTTP 200.
        :raises FlowServiceAnswerError: The response does not say.
        """
        path = f"{_path_of('connections', account_id)}/test"
        body = self.get(path)
        result = body.get("result") if isinstance(body, Mapping) else None
        if not isinstance(result, bool):
            raise exceptions.FlowServiceAnswerError(
                f"GET {path}: the response does not say whether the account works."
            )
        return result

    def get_by_ids(self, collection: str, item_ids: Sequence[str]) -> Any:
        """
        Read several resources with one request.

        :param item_ids: Their IDs, at most a page of them.
        :raises ValueError: One of ``item_ids`` cannot be an ID.
        """
        for item_id in item_ids:
            _check_id(collection, item_id)
        params = [("property", f"id=={','.join(item_ids)}"), ("limit", str(len(item_ids)))]
        return self.get(f"/{collection}", params)

    def act(
        self,
        collection: str,
        item_id: str,
        op: str,
        may_retry: Callable[[BaseException], bool] = is_transient,
        before_send: Callable[[], None] | None = None,
    ) -> Any:
        """
        Perform an action on a resource.

        :param op: The service's name for the action.
        :param may_retry: Whether a retry after an error is safe, see :meth:`post`.
        :param before_send: See :meth:`post`.
        :return: The JSON in the response.
        :raises ValueError: ``item_id`` cannot be an ID.
        """
        path = f"{_path_of(collection, item_id)}/action"
        return self.post(path, may_retry, before_send, params=[("op", op)])

    def post(
        self,
        path: str,
        may_retry: Callable[[BaseException], bool],
        before_send: Callable[[], None] | None = None,
        *,
        params: Params = (),
        body: Body | None = None,
    ) -> Any:
        """
        Send a POST request.

        :param path: Path below that of the API.
        :param may_retry: Whether an error is transient and proves that the service did nothing.
        :param body: Makes the body, when it is sent.
        :param before_send: Called right before the request is sent, each time; if it raises, nothing is
            sent.
        :return: The JSON in the response.
        :raises FlowServiceConnectionError: No response came; its ``sent`` says whether the request
            may have arrived.
        """
        call = partial(self._call, "POST", API_PATH + path, params, before_send, body=body)
        return call_with_retries(call, self._limits, may_retry)

    def exchange(self, method: str, path: str, params: Params = ()) -> Exchange:
        """
        Send a request without retries, and return the response, whatever its status.

        A rejected token is replaced, as for every call.

        :param path: Path below that of the API.
        :return: The response, and the error that other calls would raise.
        :raises FlowServiceConnectionError: No response came; its ``sent`` says whether the request
            may have arrived.
        """
        return self._exchange(method, API_PATH + path, params)

    def list_items(
        self,
        path: str,
        filters: Iterable[str],
        order_by: str = "-createdAt",
        limit: int | None = None,
    ) -> Iterator[Mapping[str, Any]]:
        """
        List resources.

        :param path: Path of the list, such as ``/runs``.
        :param filters: A resource must match all of them.
        :param order_by: Field to sort by; with a leading ``-``, the largest value comes first.
        :param limit: Largest number of resources to list, at least 1; ``None`` for all.
        """
        # Several filters are several parameters; a comma would be part of a value.
        params = [("property", value) for value in filters]
        page = min(limit or responses.LARGEST_PAGE, responses.LARGEST_PAGE)
        params += [("orderby", order_by), ("limit", str(page))]
        pages = self._get_pages(path, params)
        items = chain.from_iterable(responses.items_of(body, f"GET {path}") for body in pages)
        yield from islice(items, limit)

    def _get_pages(self, path: str, params: Params) -> Iterator[Any]:
        """
        Read a listing page by page.

        :raises FlowServiceAnswerError: The links between the pages form a loop.
        """
        yield (body := self.get(path, params))
        seen: set[str] = set()
        while (query := responses.next_query(body, params, f"GET {path}")) is not None:
            if query in seen or len(seen) >= _MOST_PAGES:
                raise exceptions.FlowServiceAnswerError(
                    f"GET {path}: the links to the next page form a loop "
                    f"after {len(seen) + 1} pages."
                )
            seen.add(query)
            yield (body := self.get(f"{path}?{query}"))

    def iter_rejected_rows(self, path: str, limit: int) -> Iterator[dict[str, Any]]:
        """
        Iterate over the rejected rows in a file or a folder of error diagnostics.

        Each file is requested when it is needed, and read up to the rows that are needed.

        :param path: Path and query, see :func:`diagnostics.path_of`.
        :param limit: Largest number of rows.
        :raises FlowServiceNotFoundError: There are no diagnostics, or none any more.
        :raises FlowServiceAnswerError: An address in a listing leads elsewhere, or there are too many.
        """
        paths, known, left = deque([path]), {path}, limit
        for _ in range(_MOST_FILES):
            # The time of a response is limited, and a slow reader of the rows would use it up. So
            # the response comes into a file first: of no name, and gone when the reader stops.
            with SpooledTemporaryFile(_MOST_IN_MEMORY) as file:
                store = partial(diagnostics.store, file=file, most_rows=left)
                self._get(paths.popleft(), store=store)
                document = diagnostics.document_in(file)
                links = diagnostics.links_in(document)
                if links is None:
                    for row in islice(diagnostics.rows_in(file, document), left):
                        left -= 1
                        yield row
            new = dict.fromkeys(map(diagnostics.path_of, links or ()))
            paths += [path for path in new if path not in known]
            known.update(new)
            if not paths or not left:
                return
        raise exceptions.FlowServiceAnswerError(
            f"The rejected records are in more than {_MOST_FILES} files."
        )

    def get_token(self) -> Token:
        """Get an access token; every call does so itself."""
        return call_with_retries(self._get_token, self._limits)

    def get_sandboxes(self) -> Any:
        """List the sandboxes that the credential may use; every valid token may read them."""
        return self._get(SANDBOXES_PATH)

    def _get_token(self) -> Token:
        try:
            return self._tokens.get(partial(fetch_token, self.settings, self._http))
        except exceptions.FlowServiceError as error:
            error.sent = "no"  # the request that needs the token
            raise

    def _get(self, path: str, params: Params = (), store: Store | None = None) -> Any:
        call = partial(self._call, "GET", path, params, store=store)
        return call_with_retries(call, self._limits)

    def _call(
        self,
        method: str,
        path: str,
        params: Params,
        before_send: Callable[[], None] | None = None,
        store: Store | None = None,
        body: Body | None = None,
    ) -> Any:
        response, error = self._exchange(method, path, params, before_send, store, body)
        if error:
            raise error
        return response.body

    def _exchange(
        self,
        method: str,
        path: str,
        params: Params,
        before_send: Callable[[], None] | None = None,
        store: Store | None = None,
        body: Body | None = None,
    ) -> Exchange:
        send = partial(self._send, method, path, params, before_send, store, body)
        token = self._get_token()
        response, error = send(token)
        is_rejected = isinstance(error, exceptions.FlowServiceAuthError)
        if is_rejected and self._tokens.renew(token, response.http_status):
            # If the service refuses the new token as well, a permission is missing.
            return send(self._get_token())
        return response, error

    def _send(
        self,
        method: str,
        path: str,
        params: Params,
        before_send: Callable[[], None] | None,
        store: Store | None,
        body: Body | None,
        token: Token,
    ) -> Exchange:
        headers = self._headers
        if path == SANDBOXES_PATH:
            headers = {key: value for key, value in headers.items() if key != "x-sandbox-name"}
        response = self._http.send(
            method,
            self.settings.base_url + path,
            params=params,
            headers=headers,
            auth=token,
            body=body() if body else None,
            before_send=before_send,
            store=store,
        )
        if response.is_success:
            return response, None
        shown = path.removeprefix(API_PATH).partition("?")[0]
        secrets = (token.text, self.settings.client_secret)
        hint_for = catalogue_hint if store is None else diagnostics_hint
        return response, error_of(response, f"{method} {shown}", secrets, hint_for)


def _path_of(collection: str, item_id: str) -> str:
    """Return the path of a resource; its ID is quoted, so that it cannot lead to another path."""
    _check_id(collection, item_id)
    return f"/{collection}/{quote(item_id, safe='')}"


def _check_id(collection: str, item_id: object) -> None:
    """Refuse a value that cannot be an ID."""
    check(**{_ID_ARGUMENTS.get(collection, "connection_id"): (item_id, ID)})
