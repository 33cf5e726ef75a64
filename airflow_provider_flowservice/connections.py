"""What a dataflow connects: a place in a source, and datasets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_flowservice._json import identifier, line, mapping


@dataclass(frozen=True)
class SourceConnection:
    """
    Where a dataflow reads.

    :param connection_id: Its ID.
    :param account_id: ID of the account it belongs to, which Adobe calls base connection.
    :param name: Path or table; empty where the service shows neither.
    """

    connection_id: str
    account_id: str
    name: str

    @classmethod
    def from_api(cls, item: Mapping[str, Any]) -> SourceConnection:
        """
        Read a source connection as the service writes it; all but its ID may be missing.

        :raises ValueError: There is no ID.
        """
        params = mapping(item, "params")
        return cls(
            connection_id=_id_of(item),
            account_id=identifier(item.get("baseConnectionId")),
            name=line(params.get("path")) or line(params.get("tableName")),
        )


@dataclass(frozen=True)
class TargetConnection:
    """
    Where a dataflow writes.

    :param connection_id: Its ID.
    :param dataset_ids: IDs of datasets; some targets name a table instead.
    """

    connection_id: str
    dataset_ids: tuple[str, ...]

    @classmethod
    def from_api(cls, item: Mapping[str, Any]) -> TargetConnection:
        """
        Read a target connection as the service writes it; all but its ID may be missing.

        :raises ValueError: There is no ID.
        """
        found = dict.fromkeys(_dataset_ids(mapping(item, "params")))
        return cls(connection_id=_id_of(item), dataset_ids=tuple(found))


def _id_of(item: Mapping[str, Any]) -> str:
    if not (connection_id := identifier(item.get("id"))):
        raise ValueError("a connection without an ID")
    return connection_id


def _dataset_ids(params: Mapping[str, Any]) -> Iterator[str]:
    # Sources write `dataSetId`, others `datasetId`, and destinations a list of either.
    several = params.get("datasets")
    for entry in (params, *(several if isinstance(several, list) else [])):
        values = (
            [entry.get(key) for key in ("dataSetId", "datasetId")]
            if isinstance(entry, Mapping)
            else [entry]
        )
        yield from filter(None, map(identifier, values))
