"""Dataflows, whose executions are runs, and the connections they read from and write to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_flowservice._json import identifier, identifiers, line, mapping

# Flow specifications known to stream (HTTP API; Kinesis, Event Hubs and Pub/Sub; and two without
# mapping). Others may exist, so a specification that is missing here proves nothing.
STREAMING_FLOW_SPECS = frozenset(
    {
        "c1a19761-d2c7-4702-b9fa-fe91f0613e81",
        "d69717ba-71b4-4313-b654-49f9cf126d7a",
        "e77fde5a-22a8-11ed-861d-0242ac120002",
        "d8a6f005-7eaf-4153-983e-e8574508b877",
    }
)


@dataclass(frozen=True)
class Dataflow:
    """
    A dataflow as the service reported it.

    :param state: State in the service's spelling, such as ``enabled`` or ``disabled``.
    :param is_source: Whether it loads data from a source; ``None`` if the service does not say.
    :param is_destination: Whether it sends data to a destination; ``None`` likewise.
    :param has_schedule: Whether it shows a schedule, as batch flows do.
    :param frequency: How often it is scheduled, such as ``once`` or ``hour``; empty if the service does
        not show it.
    """

    flow_id: str
    name: str
    state: str
    flow_spec_id: str | None
    is_source: bool | None
    is_destination: bool | None
    has_schedule: bool
    source_connection_ids: tuple[str, ...] = ()
    target_connection_ids: tuple[str, ...] = ()
    frequency: str = ""

    @classmethod
    def from_api(cls, item: Mapping[str, Any]) -> Dataflow:
        """
        Read a flow from the API's JSON, in which all but the ID may be missing.

        :raises ValueError: The ID is missing.
        """
        # An object in real responses, and a bare ID in an example of the published schema.
        spec = item.get("flowSpec")
        spec_id = spec.get("id") if isinstance(spec, Mapping) else spec
        properties = mapping(mapping(item, "inheritedAttributes"), "properties")
        return cls(
            flow_id=_id_of(item, "dataflow"),
            name=line(item.get("name")),
            state=line(item.get("state"), longest=100),
            flow_spec_id=identifier(spec_id) or None,
            is_source=_flag(properties.get("isSourceFlow")),
            is_destination=_flag(properties.get("isDestinationFlow")),
            has_schedule=bool(schedule := mapping(item, "scheduleParams")),
            frequency=line(schedule.get("frequency"), longest=100).lower(),
            source_connection_ids=identifiers(item.get("sourceConnectionIds")),
            target_connection_ids=identifiers(item.get("targetConnectionIds")),
        )

    @property
    def is_streaming(self) -> bool:
        """Whether the flow is known to stream; ``False`` proves nothing."""
        return self.flow_spec_id in STREAMING_FLOW_SPECS


@dataclass(frozen=True)
class SourceConnection:
    """
    A connection that a dataflow reads from.

    :param connection_id: Its ID.
    :param account_id: ID of its account, which Adobe calls base connection.
    :param name: Path or table; empty if the service shows neither.
    """

    connection_id: str
    account_id: str
    name: str

    @classmethod
    def from_api(cls, item: Mapping[str, Any]) -> SourceConnection:
        """
        Read a source connection from the API's JSON, in which all but the ID may be missing.

        :raises ValueError: The ID is missing.
        """
        params = mapping(item, "params")
        return cls(
            connection_id=_id_of(item, "connection"),
            account_id=identifier(item.get("baseConnectionId")),
            name=line(params.get("path")) or line(params.get("tableName")),
        )


@dataclass(frozen=True)
class TargetConnection:
    """
    A connection that a dataflow writes to.

    :param connection_id: Its ID.
    :param dataset_ids: IDs of datasets; some targets name a table instead.
    """

    connection_id: str
    dataset_ids: tuple[str, ...]

    @classmethod
    def from_api(cls, item: Mapping[str, Any]) -> TargetConnection:
        """
        Read a target connection from the API's JSON, in which all but the ID may be missing.

        :raises ValueError: The ID is missing.
        """
        return cls(
            connection_id=_id_of(item, "connection"),
            dataset_ids=identifiers(list(_datasets(mapping(item, "params")))),
        )


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _id_of(item: Mapping[str, Any], kind: str) -> str:
    if not (found := identifier(item.get("id"))):
        raise ValueError(f"a {kind} without an ID")
    return found


def _datasets(params: Mapping[str, Any]) -> Iterator[object]:
    # Source flows write `dataSetId`, others `datasetId`, and destinations a list of either.
    several = params.get("datasets")
    for entry in (params, *(several if isinstance(several, list) else [])):
        if isinstance(entry, Mapping):
            yield from (entry.get("dataSetId"), entry.get("datasetId"))
        else:
            yield entry
