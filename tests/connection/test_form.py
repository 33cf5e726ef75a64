"""The connection form, as the Airflow at hand reads it."""

from __future__ import annotations

import json
from importlib.util import find_spec

import airflow
import pytest
from airflow.models import Connection
from airflow.providers_manager import ProvidersManager

from airflow_provider_flowservice._connection import form as connection_form
from airflow_provider_flowservice._connection.settings import Settings
from airflow_provider_flowservice.get_provider_info import get_provider_info
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

TOKEN = "a-ready-token-4711"
TOP_SECRET = "a-client-secret-0815"


@pytest.fixture(scope="module")
def form():
    """What the web page is made of: labels of all fields, and those of the extra in detail."""
    try:
        from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
    except ImportError:  # before Airflow 3.0
        return _form_of_airflow_2()
    (meta,) = (
        meta for meta in HookMetaService.hook_meta_data() if meta.connection_type == "flowservice"
    )
    if airflow.__version__.startswith("3.0.") and not find_spec("flask_appbuilder"):
        pytest.skip("Airflow 3.0 has forms only beside the FAB provider, which is not installed")
    fields = meta.standard_fields.model_dump()
    fields["schema"] = fields.pop("url_schema")
    extra = {
        name: {
            "label": field["schema"]["title"],
            "description": field["description"],
            "is_secret": field["schema"].get("format") == "password",
        }
        for name, field in meta.extra_fields.items()
    }
    return {
        "labels": {name: field["title"] for name, field in fields.items() if field},
        "placeholders": {name: field["placeholder"] for name, field in fields.items() if field},
        "hidden": {name for name, field in fields.items() if field and field["hidden"]},
        "extra": extra,
    }


def _form_of_airflow_2():
    manager = ProvidersManager()
    behaviour = manager.field_behaviours["flowservice"]
    extra = {
        info.field_name: {
            "label": info.field.args[0],
            "description": info.field.kwargs["description"],
            "is_secret": info.is_sensitive,
        }
        for name, info in manager.connection_form_widgets.items()
        if name.startswith("extra__flowservice__")
    }
    return {
        "labels": behaviour["relabeling"],
        "placeholders": behaviour["placeholders"],
        "hidden": set(behaviour["hidden_fields"]),
        "extra": extra,
    }


def test_the_standard_fields_have_the_names_adobe_gives_them(form):
    labels = {name: form["labels"][name] for name in ("host", "login", "password")}

    assert labels == {"host": "Platform URL", "login": "Client ID", "password": "Client secret"}
    assert form["placeholders"]["host"] == connection_form.PLATFORM_URL
    assert form["hidden"] >= {"schema", "port"}


def test_every_field_of_the_extra_is_there_in_order_and_explained(form):
    assert list(form["extra"]) == [field.name for field in connection_form.FIELDS]
    for field in connection_form.FIELDS:
        shown = form["extra"][field.name]
        assert shown["label"] == field.label
        # The form of Airflow 3.2 and later marks a required field by itself.
        assert shown["description"] in (field.description, f"Required. {field.description}")


def test_required_fields_are_explained_by_an_example():
    # The form of Airflow 3.2 and later shows no placeholder beside fields of the extra.
    for field in connection_form.FIELDS:
        assert not field.is_required or field.example in field.description


def test_a_timeout_is_at_least_a_second_in_the_form():
    schema = connection_form.conn_fields()["request_timeout"]["schema"]

    # The form of Airflow 3.3 honours these two, and no `exclusiveMinimum`.
    assert (schema["minimum"], schema["maximum"]) == (1, 3600)


@pytest.mark.skipif(
    not airflow.__version__.startswith("2."), reason="Later releases make forms without WTForms"
)
@pytest.mark.parametrize(("seconds", "is_taken"), [("0", False), ("1", True), ("", True)])
def test_the_form_of_airflow_2_takes_no_timeout_of_0(seconds, is_taken):
    from werkzeug.datastructures import MultiDict
    from wtforms import Form

    form = type("ConnectionForm", (Form,), connection_form.widgets())

    assert form(MultiDict({"request_timeout": seconds})).validate() == is_taken


def test_only_the_token_is_typed_unseen(form):
    assert [name for name, shown in form["extra"].items() if shown["is_secret"]] == ["access_token"]


def test_the_form_marks_what_the_hook_insists_on():
    minimal = Connection("c", "flowservice", login="id", password="secret", extra="{}")

    with pytest.raises(ValueError, match="cannot be used") as refused:
        Settings.from_connection(minimal)

    asked_for = {
        field.name for field in connection_form.FIELDS if f"'{field.name}'" in str(refused.value)
    }
    assert asked_for == {field.name for field in connection_form.FIELDS if field.is_required}


def test_the_hook_reads_every_field_of_the_form(tmp_path):
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    values = {field.name: f"{field.name}-value" for field in connection_form.FIELDS}
    values |= {
        "org_id": "ABC@AdobeOrg",
        "ims_url": "https://ims.example.com",
        "ca_bundle": "",
        "request_timeout": 7,
    }

    extra = json.dumps({f"extra__flowservice__{name}": value for name, value in values.items()})
    settings = Settings.from_connection(Connection("c", "flowservice", extra=extra))

    assert settings.request_timeout == 7
    read = {name: getattr(settings, name) for name in values} | {"ca_bundle": ""}
    assert read == values


def test_the_provider_description_and_the_hook_say_the_same():
    (connection,) = get_provider_info()["connection-types"]
    behaviour = {
        name.replace("-", "_"): value for name, value in connection["ui-field-behaviour"].items()
    }

    assert behaviour == FlowServiceHook.get_ui_field_behaviour()
    assert set(behaviour["placeholders"]) <= {
        "host",
        "login",
        "password",
        *connection["conn-fields"],
    }


def test_the_rest_api_shows_no_secret():
    connection = Connection(
        "c",
        "flowservice",
        login="id",
        password=TOP_SECRET,
        extra=json.dumps({"org_id": "ABC@AdobeOrg", "access_token": TOKEN}),
    )

    shown = _as_the_rest_api_shows(connection)

    assert "ABC@AdobeOrg" in shown
    assert TOKEN not in shown
    assert TOP_SECRET not in shown


def _as_the_rest_api_shows(connection):
    try:
        from airflow.api_fastapi.core_api.datamodels.connections import ConnectionResponse
    except ImportError:  # before Airflow 3.0
        from airflow.api_connexion.schemas.connection_schema import connection_schema

        return json.dumps(connection_schema.dump(connection))
    return ConnectionResponse.model_validate(connection, from_attributes=True).model_dump_json()
