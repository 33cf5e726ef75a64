"""
The connection form: its fields, their texts, and their defaults.

Imports nothing of the package, since Airflow loads it early: from 3.2 on through the provider's
description, before that through the hook.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CONN_TYPE = "flowservice"
HOOK_NAME = "Adobe Experience Platform Flow Service"

PLATFORM_URL = "https://platform.adobe.io"
IMS_URL = "https://ims-na1.adobelogin.com"
SCOPES = "openid,AdobeID,read_organizations,additional_info.projectedProductContext,session"
REQUEST_TIMEOUT = 30.0
LONGEST_TIMEOUT = 3600.0

_SHORTEST_TIMEOUT = 1
_ORG_ID = "A1B2C3D4E5F6A7B8C9D0E1F2@AdobeOrg"


@dataclass(frozen=True)
class Field:
    """
    A field of the connection's extra.

    :param name: Its key in the extra.
    :param description: Text below the field.
    :param example: Placeholder while the field is empty.
    :param is_secret: Whether the form hides the value.
    """

    name: str
    label: str
    description: str
    example: str = ""
    is_required: bool = False
    is_secret: bool = False
    is_number: bool = False

    def as_conn_field(self) -> dict[str, Any]:
        """Return the field in the format of Airflow 3.2 and later."""
        kind = "number" if self.is_number else "string"
        schema: dict[str, Any] = {"type": kind if self.is_required else [kind, "null"]}
        if self.is_required:
            schema["minLength"] = 1
        if self.is_secret:
            schema["format"] = "password"
        if self.is_number:
            # Not `exclusiveMinimum`, which the form does not know.
            schema.update(minimum=_SHORTEST_TIMEOUT, maximum=LONGEST_TIMEOUT)
        return {"label": self.label, "description": self.description, "schema": schema}


# The form of Airflow 3.2 and later shows no examples beside these fields, so the descriptions of
# the required ones have their own.
FIELDS = (
    Field(
        "org_id",
        "Organization ID",
        "The Organization ID that the Developer Console shows with the credential, such as "
        f"{_ORG_ID}.",
        _ORG_ID,
        is_required=True,
    ),
    Field(
        "sandbox_name",
        "Sandbox name",
        "Name, not title, of the sandbox with the dataflows, such as staging. There is no default, "
        "so that nothing touches production by accident.",
        "staging",
        is_required=True,
    ),
    Field(
        "scopes",
        "Scopes",
        "The credential's scopes as the Developer Console lists them, with commas between them. If "
        "empty, those of the Experience Platform API.",
        SCOPES,
    ),
    Field(
        "access_token",
        "Access token",
        "Only to use a token that you already have, instead of the Client secret. It is not "
        "refreshed when it expires.",
        is_secret=True,
    ),
    Field(
        "api_key",
        "API key",
        "If empty, the Client ID. With an access token: the Client ID that the token was issued for.",
    ),
    Field(
        "tenant",
        "Tenant",
        "Only for links to Experience Platform: the name after #/@ in its addresses, such as acme. "
        "If empty, the Organization ID.",
        "acme",
    ),
    Field(
        "ims_url",
        "IMS URL",
        f"Address of Adobe's identity service, which grants tokens. If empty, {IMS_URL}.",
        IMS_URL,
    ),
    Field(
        "ca_bundle",
        "CA bundle",
        "Path of a file or folder with the certificates to trust, for a proxy that intercepts TLS. "
        "It must exist on all machines that run tasks or triggers. If empty, the usual ones.",
        "/etc/ssl/certs/ca-certificates.crt",
    ),
    Field(
        "request_timeout",
        "Request timeout",
        f"Seconds to wait for one HTTP response, at least {_SHORTEST_TIMEOUT}. If empty, "
        f"{REQUEST_TIMEOUT:.0f}.",
        f"{REQUEST_TIMEOUT:.0f}",
        is_number=True,
    ),
)

_HIDDEN = ["schema", "port", "extra"]
_LABELS = {"host": "Platform URL", "login": "Client ID", "password": "Client secret"}
_PLACEHOLDERS = {
    "host": PLATFORM_URL,
    "login": "Client ID of an OAuth Server-to-Server credential",
    "password": "Its client secret",
    **{field.name: field.example for field in FIELDS if field.example},
}


def conn_fields() -> dict[str, Any]:
    """Return the fields of the extra in the format of Airflow 3.2 and later."""
    return {field.name: field.as_conn_field() for field in FIELDS}


def behaviour(separator: str = "_") -> dict[str, Any]:
    """
    Return labels and placeholders of the standard fields, and which of them are hidden.

    :param separator: Separator in keys: ``_`` in a hook, ``-`` in a provider's description.
    """
    return {
        f"hidden{separator}fields": _HIDDEN,
        "relabeling": _LABELS,
        "placeholders": _PLACEHOLDERS,
    }


def widgets() -> dict[str, Any]:
    """Return the fields of the extra as form widgets, for Airflow before 3.2."""
    # Only the web server of Airflow 2 has these packages; later releases replace them by mocks.
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from wtforms import IntegerField, PasswordField, StringField
    from wtforms.validators import NumberRange, Optional

    def widget(field: Field) -> Any:
        # One page holds the fields of all connection types, so no field may be required in the
        # form.
        mark = "Required. " if field.is_required else ""
        validators = [Optional()]
        if field.is_number:
            validators.append(NumberRange(_SHORTEST_TIMEOUT, LONGEST_TIMEOUT))
        arguments = {"description": mark + field.description, "validators": validators}
        if field.is_secret:
            return PasswordField(field.label, widget=BS3PasswordFieldWidget(), **arguments)
        kind = IntegerField if field.is_number else StringField
        return kind(field.label, widget=BS3TextFieldWidget(), **arguments)

    return {field.name: widget(field) for field in FIELDS}
