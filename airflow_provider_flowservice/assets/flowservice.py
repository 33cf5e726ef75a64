"""
Datasets of Experience Platform as Airflow assets: ``aep://{organization}/{sandbox}/dataset/{id}``.

The organization is without its ``@AdobeOrg``, since some releases of Airflow take the part before
an ``@`` for a user name and drop it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

if TYPE_CHECKING:
    from openlineage.client.event_v2 import Dataset

_ORG_SUFFIX = "@AdobeOrg"
_FORM = "aep://{organization}/{sandbox}/dataset/{id}"


def dataset_uri(org_id: str, sandbox_name: str, dataset_id: str) -> str:
    """
    Return the URI of a dataset, for ``Asset(uri)``.

    :param org_id: ID of the organization, with or without its ``@AdobeOrg``.
    :param sandbox_name: Name of the sandbox.
    :param dataset_id: ID of the dataset.
    """
    parts = (_bare(org_id), sandbox_name.lower(), dataset_id)
    org, sandbox, dataset = (quote(part, safe="") for part in parts)
    return f"aep://{org}/{sandbox}/dataset/{dataset}"


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """
    Normalize the URI of a dataset.

    :raises ValueError: The URI is not one of a dataset.
    """
    org = _bare(unquote(uri.netloc))
    parts = uri.path.split("/")
    # A release of Airflow that drops the part before the `@` leaves only the suffix.
    if not org or org.lower() == _ORG_SUFFIX[1:].lower():
        raise ValueError(f"The organization is missing; write it without @AdobeOrg: {_FORM}")
    if len(parts) != 4 or parts[2] != "dataset" or not all(parts[1:]) or uri.query:
        raise ValueError(f"The URI is not of the form {_FORM}: {uri.geturl()}")
    return urlsplit(dataset_uri(org, unquote(parts[1]), unquote(parts[3])))


def convert_asset_to_openlineage(asset: Any, lineage_context: Any) -> Dataset:
    """Return the OpenLineage dataset of an asset."""
    from openlineage.client.event_v2 import Dataset

    return Dataset(*openlineage_name(asset.uri))


def openlineage_name(uri: str) -> tuple[str, str]:
    """Return OpenLineage's namespace and name of a dataset."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}", parts.path.lstrip("/")


def _bare(org_id: str) -> str:
    is_whole = org_id.lower().endswith(_ORG_SUFFIX.lower())
    return org_id[: -len(_ORG_SUFFIX)] if is_whole else org_id
