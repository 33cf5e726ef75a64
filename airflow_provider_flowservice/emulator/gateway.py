"""The way in: who may call, with what headers, and who answers."""

from __future__ import annotations

from airflow_provider_flowservice.emulator import errors
from airflow_provider_flowservice.emulator.api import Api
from airflow_provider_flowservice.emulator.data_access import EXPORT, DataAccess
from airflow_provider_flowservice.emulator.ims import Ims
from airflow_provider_flowservice.emulator.messages import FLOW_SERVICE, JSON, Answer, Request
from airflow_provider_flowservice.emulator.settings import EmulatorSettings

_SANDBOX_MANAGEMENT = "/data/foundation/sandbox-management"


class Gateway:
    """Checks a request and hands it to the service it is for. Not thread-safe by itself."""

    def __init__(
        self, settings: EmulatorSettings, ims: Ims, api: Api, data_access: DataAccess
    ) -> None:
        self._settings = settings
        self._ims = ims
        self._api = api
        self._data_access = data_access

    def answer(self, request: Request, request_id: str) -> Answer:
        """
        Answer a request.

        :param request_id: What an error's report calls the request.
        """
        try:
            return self._answer(request)
        except errors.Refusal as refusal:
            return refusal.answer(request_id)

    def _answer(self, request: Request) -> Answer:
        if request.asks_for_token:
            return self._ims.answer(request)
        if request.path.rstrip("/") == _SANDBOX_MANAGEMENT and request.method == "GET":
            self._check_caller(request)
            return Answer(200, self._sandbox_list())
        if request.path.startswith(f"{EXPORT}/"):
            self._check_caller(request)
            self._check_role(request)
            return self._data_access.answer(request, self._sandbox(request))
        if not request.path.startswith(f"{FLOW_SERVICE}/"):
            raise errors.unknown_path()
        self._check_caller(request)
        self._check_role(request)
        return self._api.answer(request, self._sandbox(request))

    def _check_caller(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        key = request.headers.get("x-api-key")
        org = request.headers.get("x-gw-ims-org-id")
        if not scheme:
            raise errors.gateway(403, "403010", "Oauth token is missing.")
        if scheme.lower() != "bearer" or not self._ims.accepts(token):
            raise errors.gateway(401, "401013", "Oauth token is not valid")
        if not key:
            raise errors.gateway(403, "403000", "Api Key is required")
        if key != (self._settings.api_key or self._settings.client_id):
            raise errors.gateway(403, "403003", "Api Key is invalid")
        if not org:
            raise errors.gateway(400, "400003", "Missing header")
        if org != self._settings.org_id:
            raise errors.gateway(403, "403027", "User region is missing")

    def _check_role(self, request: Request) -> None:
        if self._settings.forbidden == "gateway":
            raise errors.gateway(403, "403025", "Profile is not valid")
        if self._settings.forbidden == "manage":
            if request.method == "GET":
                return
            detail = "Permission to manage Enterprise Source is denied."
            raise errors.flow_service("FLOW-2121-403", detail)
        if self._settings.forbidden:
            raise errors.flow_service("FLOW-2120-403", "Not enough permission.")

    def _sandbox(self, request: Request) -> str:
        name = request.headers.get("x-sandbox-name", "")
        if "x-sandbox-id" in request.headers:
            detail = "Header x-sandbox-id is not allowed with a user token."
            raise errors.flow_service("FLOW-2110-400", detail)
        if request.segments == ["connectionSpecs"]:
            return name  # not a thing of any sandbox
        if not name:
            raise errors.flow_service("FLOW-2105-400", "Header x-sandbox-name is missing.")
        if name == "*":
            detail = "Header x-sandbox-name with value * is restricted."
            raise errors.flow_service("FLOW-2111-403", detail)
        if name not in self._settings.sandboxes:
            raise errors.flow_service("FLOW-2100-404", f"Sandbox {name} is not found.")
        return name

    def _sandbox_list(self) -> JSON:
        is_blind = self._settings.forbidden not in {False, "manage"}
        names = [] if is_blind else self._settings.sandboxes
        sandboxes = [
            {
                "name": name,
                "title": name.capitalize(),
                "state": "active",
                "type": "production" if name == "prod" else "development",
                "region": "VA7",
                "isDefault": name == "prod",
                "eTag": 1,
            }
            for name in names
        ]
        return {
            "sandboxes": sandboxes,
            "_page": {"limit": 200, "count": len(sandboxes)},
            "_links": {"page": {"href": f"{_SANDBOX_MANAGEMENT}/?limit=200", "templated": True}},
        }
