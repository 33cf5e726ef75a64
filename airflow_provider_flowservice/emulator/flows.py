"""A flow and the things around it: its specification and its connections."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Literal

from airflow_provider_flowservice.emulator.messages import JSON

Frequency = Literal["once", "minute", "hour", "day", "week"]

BATCH_SPEC = "9753525b-82c7-4dce-8a9b-5ccfce2b9876"
STREAMING_SPEC = "d69717ba-71b4-4313-b654-49f9cf126d7a"
DESTINATION_SPEC = "5f09cb4c-0000-4000-8000-00000000de57"

_S3_SPEC = "ecadc60c-7455-4d87-84dc-2a0e293d997b"
_LAKE_SPEC = "c604ff05-7f1a-43c0-8e18-33bf874cb11c"

SPECS: dict[str, JSON] = {
    BATCH_SPEC: {
        "id": BATCH_SPEC,
        "name": "CloudStorageToAEP",
        "version": "1.0",
        "attributes": {
            "isSourceFlow": True,
            "frequency": "batch",
            "uiAttributes": {"apiFeatures": {"flowRunsSupported": True}},
        },
        "permissionsInfo": {"manage": [{"@type": "lowLevel", "name": "EnterpriseSource"}]},
    },
    STREAMING_SPEC: {
        "id": STREAMING_SPEC,
        "name": "Streaming source with mapping",
        "version": "1.0",
        "attributes": {
            "isSourceFlow": True,
            "frequency": "streaming",
            "uiAttributes": {"apiFeatures": {"flowRunsSupported": False}},
        },
        "permissionsInfo": {"manage": [{"@type": "lowLevel", "name": "StreamingSource"}]},
    },
    DESTINATION_SPEC: {
        "id": DESTINATION_SPEC,
        "name": "ProfileToCloudStorage",
        "version": "1.0",
        "attributes": {"isDestinationFlow": True},
    },
}

CONNECTION_SPECS: dict[str, JSON] = {
    _S3_SPEC: {
        "id": _S3_SPEC,
        "name": "amazon-s3",
        "version": "1.0",
        "type": "sourceConnectionSpec",
    },
    _LAKE_SPEC: {
        "id": _LAKE_SPEC,
        "name": "Data Lake",
        "version": "1.0",
        "type": "targetConnectionSpec",
    },
}


@dataclass
class Flow:
    """
    A flow.

    :param batch: Whether it has a schedule; a streaming source has none.
    :param source: Whether it is a source, and not a destination.
    :param created_at: When it was created, in milliseconds since the epoch.
    :param overrides: Top-level fields to put over those of its JSON; ``...`` takes a field away.
    :param source_account_works: What a test of the source account tells.
    :param frequency: How often it is scheduled.
    :param delta_column: Column that tells which rows of its tables are new, empty until an
        on-demand run has named one; ``None`` if it reads files.
    """

    flow_id: str
    name: str
    state: str
    batch: bool
    source: bool
    sandbox: str
    org_id: str
    created_at: int
    overrides: JSON
    source_account_works: bool = True
    frequency: Frequency = "hour"
    delta_column: str | None = None
    etag: str = field(default_factory=lambda: f'"{uuid.uuid4()}"')

    @property
    def sandbox_id(self) -> str:
        """ID of the sandbox, the same for the same name."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, self.sandbox))

    @property
    def spec_id(self) -> str:
        """ID of the flow specification."""
        if not self.source:
            return DESTINATION_SPEC
        return BATCH_SPEC if self.batch else STREAMING_SPEC

    @property
    def source_account_id(self) -> str:
        """ID of the account of the source, a base connection; empty for the lake, which has none."""
        name = f"account of {self.flow_id}"
        return str(uuid.uuid5(uuid.NAMESPACE_OID, name)) if self.source else ""

    @property
    def source_connection_id(self) -> str:
        """ID of the source connection."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"source of {self.flow_id}"))

    @property
    def target_connection_id(self) -> str:
        """ID of the target connection."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"target of {self.flow_id}"))

    def document(self, last_run: JSON | None) -> JSON:
        """
        Return the flow's JSON.

        :param last_run: Latest run of the flow, if there is one.
        """
        document: JSON = {
            "id": self.flow_id,
            "name": self.name,
            "description": "",
            "createdAt": self.created_at,
            "updatedAt": self.created_at,
            "imsOrgId": self.org_id,
            "sandboxName": self.sandbox,
            "flowSpec": {"id": self.spec_id, "version": "1.0"},
            "state": self.state,
            "version": self.etag,
            "etag": self.etag,
            **self._connections(),
            "options": {"errorDiagnosticsEnabled": True, "partialIngestionPercent": 5},
            "transformations": [],
            "runs": f"/runs?property=flowId=={self.flow_id}",
            "lastOperation": {"started": self.created_at, "updated": 0, "operation": "create"},
        }
        if self.source and self.batch:
            document["scheduleParams"] = _schedule(self.created_at, self.frequency)
            delta = {"deltaColumn": {"name": self.delta_column}} if self.delta_column else {}
            document["transformations"] = [{"name": "Copy", "params": delta}]
        if last_run:
            document["lastRunDetails"] = _last_run_details(last_run)
        document.update(self.overrides)
        return {key: value for key, value in document.items() if value is not ...}

    def _connections(self) -> JSON:
        spec = {"id": _S3_SPEC, "version": "1.0"}
        lake = {"id": _LAKE_SPEC, "version": "1.0"}
        source, target = (spec, lake) if self.source else (lake, spec)
        kind = "isSourceFlow" if self.source else "isDestinationFlow"
        source_id, target_id = self.source_connection_id, self.target_connection_id
        account = {"id": self.source_account_id, "connectionSpec": source}
        base = {"baseConnection": account} if self.source else {}
        return {
            "sourceConnectionIds": [source_id],
            "targetConnectionIds": [target_id],
            "inheritedAttributes": {
                "properties": {kind: True},
                "sourceConnections": [{"id": source_id, "connectionSpec": source, **base}],
                "targetConnections": [{"id": target_id, "connectionSpec": target}],
            },
        }

    def source_connection(self) -> JSON:
        """Return the JSON of the source connection."""
        account = {"baseConnectionId": self.source_account_id} if self.source else {}
        return {
            **account,
            "id": self.source_connection_id,
            "name": f"{self.name} (source)",
            "connectionSpec": {"id": _S3_SPEC, "version": "1.0"},
            "data": {"format": "delimited"},
            "params": {"path": f"/emulator/{self.flow_id}/", "type": "folder"},
        }

    def source_account(self) -> JSON:
        """Return the JSON of the account of the source."""
        return {
            "id": self.source_account_id,
            "name": f"{self.name} (account)",
            "connectionSpec": {"id": _S3_SPEC, "version": "1.0"},
            "state": "enabled",
        }

    def target_connection(self) -> JSON:
        """Return the JSON of the target connection."""
        return {
            "id": self.target_connection_id,
            "name": f"{self.name} (target)",
            "connectionSpec": {"id": _LAKE_SPEC, "version": "1.0"},
            "params": {"dataSetId": uuid.uuid5(uuid.NAMESPACE_OID, self.flow_id).hex[:24]},
        }


def _schedule(created_at: int, frequency: Frequency) -> JSON:
    # Seconds, and text: unlike all other times of this API.
    schedule = {"startTime": str(created_at // 1000), "frequency": frequency}
    if frequency == "once":
        return schedule
    interval = "15" if frequency == "minute" else "1"
    return {**schedule, "interval": interval, "backfill": "true"}


def _last_run_details(run: JSON) -> JSON:
    metrics = run.get("metrics") or {}
    duration, status = (metrics.get(key) or {} for key in ("durationSummary", "statusSummary"))
    times = {key: duration[key] for key in ("startedAtUTC", "completedAtUTC") if key in duration}
    return {"id": run.get("id"), "state": status.get("status"), **times}
