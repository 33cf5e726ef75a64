"""A proxy on loopback: forwards requests to the hosts of a connection, and records the exchanges."""

from __future__ import annotations

from collections import Counter

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from airflow_provider_flowservice._client.client import LARGEST_RESPONSE
from airflow_provider_flowservice._client.http import connection_error
from airflow_provider_flowservice._connection.settings import Settings
from airflow_provider_flowservice._recording.recorder import Recorder, Response
from airflow_provider_flowservice.emulator.loopback import LoopbackService
from airflow_provider_flowservice.emulator.messages import Answer, Reply, Request

_CHUNK = 64 * 1024
# Of one connection, and so not to be passed on. The body is passed on unpacked.
_OWN = (
    "connection keep-alive te trailer transfer-encoding upgrade host accept-encoding content-length"
)
_NOT_PASSED_ON = frozenset({*_OWN.split(), "content-encoding", "set-cookie"})


class RecordingProxy(LoopbackService):
    """
    A context manager that serves on a loopback port.

    It has no credential of its own: whoever calls it sends one.

    :param settings: The connection whose hosts it stands for.
    :param port: Port to listen on, 0 for a free one.
    """

    def __init__(self, settings: Settings, recorder: Recorder, port: int = 0) -> None:
        super().__init__("127.0.0.1", port)
        #: Why hosts gave no response: for the user, since a caller learns only that there was none.
        self.unanswered: Counter[str] = Counter()
        self._settings = settings
        self._recorder = recorder

    def _respond(self, request: Request) -> Reply:
        """Forward a request, and record it. If no complete response came, hang up as well."""
        at = self._recorder.now()
        try:
            response = self._forward(request)
        except (requests.RequestException, HTTPError, OSError) as error:
            self.unanswered[str(connection_error(self._base_of(request), error))] += 1
            self._recorder.record(request, None, at)
            return Reply(None)
        self._recorder.record(request, response, at)
        passed_on = {
            name.title(): value
            for name, value in response.headers.items()
            if name.lower() not in _NOT_PASSED_ON
        }
        return Reply(Answer(response.status, response.body, passed_on))

    def _forward(self, request: Request) -> Response:
        settings = self._settings
        if not request.path.startswith("/"):  # it would change the host
            raise requests.exceptions.InvalidURL("no path")
        base = self._base_of(request)
        query = f"?{request.raw_query}" if request.raw_query else ""
        headers = {k: v for k, v in request.headers.items() if k not in _NOT_PASSED_ON}
        # A new connection for each request: a dead one would lose a request that may not be repeated.
        with requests.Session() as session:
            session.headers = CaseInsensitiveDict({"Accept-Encoding": "gzip"})
            session.trust_env = base.startswith("https://")  # no proxy is on the way to loopback
            made = requests.Request(request.method, base, headers=headers, data=request.body)
            # Without an `auth`, requests would take one from `.netrc`.
            made.auth = lambda prepared: prepared
            prepared = session.prepare_request(made)
            prepared.url = f"{base}{request.path}{query}"  # byte for byte, as page tokens need it
            environment = session.merge_environment_settings(prepared.url, {}, True, None, None)
            if settings.ca_bundle:
                environment["verify"] = settings.ca_bundle
            with session.send(
                prepared, timeout=settings.request_timeout, allow_redirects=False, **environment
            ) as response:
                return Response(response.status_code, response.headers, _content(response))

    def _base_of(self, request: Request) -> str:
        is_ims = request.path.startswith("/ims/")
        return self._settings.ims_url if is_ims else self._settings.base_url


def _content(response: requests.Response) -> bytes:
    content = bytearray()
    for part in response.iter_content(_CHUNK):
        content += part
        if len(content) > LARGEST_RESPONSE:
            raise requests.exceptions.ContentDecodingError("the response is too large")
    return bytes(content)
