"""The provider's description for Airflow; imports little, since Airflow loads it early."""

from __future__ import annotations

from typing import Any

from airflow_provider_flowservice import __version__
from airflow_provider_flowservice._connection import form

_PACKAGE = "airflow_provider_flowservice"
_ASSET_URIS = [
    {
        "schemes": ["aep"],
        "handler": f"{_PACKAGE}.assets.flowservice.sanitize_uri",
        "to_openlineage_converter": f"{_PACKAGE}.assets.flowservice.convert_asset_to_openlineage",
    }
]


def get_provider_info() -> dict[str, Any]:
    """Return the provider's classes, and its connection type with the connection form."""
    modules = {
        kind: [
            {
                "integration-name": form.HOOK_NAME,
                "python-modules": [f"{_PACKAGE}.{kind}.flowservice"],
            }
        ]
        for kind in ("hooks", "operators", "sensors", "triggers")
    }
    return {
        "package-name": "airflow-provider-flowservice",
        "name": form.HOOK_NAME,
        "description": "Re-trigger and start dataflow runs of Adobe Experience Platform, and wait for them.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": form.HOOK_NAME,
                "external-doc-url": "https://experienceleague.adobe.com/docs/experience-platform/sources/home.html",
                "how-to-guide": [
                    "/docs/how-to/connect.md",
                    "/docs/how-to/retrigger.md",
                    "/docs/how-to/load-on-demand.md",
                    "/docs/how-to/wait.md",
                    "/docs/how-to/heal.md",
                    "/docs/how-to/use-the-result.md",
                ],
                "tags": ["service"],
            }
        ],
        **modules,
        "extra-links": [f"{_PACKAGE}.links.flowservice.DataflowRunLink"],
        "asset-uris": _ASSET_URIS,
        "dataset-uris": _ASSET_URIS,  # before Airflow 3.0
        "cli": [f"{_PACKAGE}._commands.airflow_cli.get_commands"],  # from Airflow 3.2 on
        "connection-types": [
            {
                "connection-type": form.CONN_TYPE,
                "hook-class-name": f"{_PACKAGE}.hooks.flowservice.FlowServiceHook",
                "hook-name": form.HOOK_NAME,
                "conn-fields": form.conn_fields(),
                "ui-field-behaviour": form.behaviour("-"),
            }
        ],
    }
