"""What Airflow needs to know of this provider; imports nothing, since Airflow asks early."""

from __future__ import annotations

from typing import Any

_PACKAGE = "airflow_provider_flowservice"
_INTEGRATION = "Adobe Experience Platform Flow Service"
_ASSET_URIS = [
    {
        "schemes": ["aep"],
        "handler": f"{_PACKAGE}.assets.flowservice.sanitize_uri",
        "to_openlineage_converter": f"{_PACKAGE}.assets.flowservice.convert_asset_to_openlineage",
    }
]


def get_provider_info() -> dict[str, Any]:
    """Describe the provider's classes and its connection type."""
    return {
        "package-name": "airflow-provider-flowservice",
        "name": _INTEGRATION,
        "description": "Re-trigger dataflow runs of Adobe Experience Platform, and wait for them.",
        "versions": ["0.1.0"],
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://experienceleague.adobe.com/docs/experience-platform/sources/home.html",
                "tags": ["service"],
            }
        ],
        "hooks": _modules("hooks"),
        "operators": _modules("operators"),
        "sensors": _modules("sensors"),
        "triggers": _modules("triggers"),
        "extra-links": [f"{_PACKAGE}.links.flowservice.DataflowRunLink"],
        "asset-uris": _ASSET_URIS,
        "dataset-uris": _ASSET_URIS,  # before Airflow 3.0
        "connection-types": [
            {
                "connection-type": "flowservice",
                "hook-class-name": f"{_PACKAGE}.hooks.flowservice.FlowServiceHook",
                "hook-name": _INTEGRATION,
            }
        ],
    }


def _modules(kind: str) -> list[dict[str, Any]]:
    return [
        {"integration-name": _INTEGRATION, "python-modules": [f"{_PACKAGE}.{kind}.flowservice"]}
    ]
