"""What Airflow is told about the provider."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
from importlib.metadata import distribution, entry_points, version
from importlib.resources import files

import jsonschema
import pytest

import airflow_provider_flowservice
from airflow_provider_flowservice.get_provider_info import get_provider_info
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook


def schema(name):
    return json.loads(files("airflow").joinpath(name).read_text())


def test_airflow_finds_it_by_its_entry_point():
    (entry,) = (
        entry
        for entry in entry_points(group="apache_airflow_provider")
        if entry.value.startswith("airflow_provider_flowservice")
    )

    assert entry.load() is get_provider_info


def test_it_is_what_this_airflow_expects():
    jsonschema.validate(get_provider_info(), schema("provider_info.schema.json"))


def test_the_form_of_the_hook_is_what_this_airflow_expects():
    jsonschema.validate(
        FlowServiceHook.get_ui_field_behaviour(),
        schema("customized_form_field_behaviours.schema.json"),
    )


def test_it_names_the_package_and_its_version():
    info = get_provider_info()

    assert info["package-name"] == distribution(info["package-name"]).name
    assert info["versions"] == [version(info["package-name"])]


@pytest.mark.parametrize("kind", ["hooks", "operators", "sensors", "triggers"])
def test_every_module_of_a_kind_is_listed_and_loads(kind):
    package = importlib.import_module(f"airflow_provider_flowservice.{kind}")
    written = {
        f"{package.__name__}.{module.name}"
        for module in pkgutil.iter_modules(package.__path__)
        if not module.name.startswith("_")
    }
    listed = {
        name for integration in get_provider_info()[kind] for name in integration["python-modules"]
    }

    assert listed == written
    assert all(map(importlib.import_module, listed))


def test_every_link_of_an_operator_is_listed():
    package = "airflow_provider_flowservice"
    modules = [
        importlib.import_module(f"{package}.{kind}.flowservice")
        for kind in ("operators", "sensors")
    ]
    links = {
        f"{type(link).__module__}.{type(link).__qualname__}"
        for module in modules
        for value in vars(module).values()
        if getattr(value, "__module__", None) == module.__name__
        for link in getattr(value, "operator_extra_links", ())
    }

    assert links == set(get_provider_info()["extra-links"])


def test_the_hook_is_the_one_of_the_connection_type():
    (connection,) = get_provider_info()["connection-types"]

    assert connection["connection-type"] == FlowServiceHook.conn_type
    assert connection["hook-name"] == FlowServiceHook.hook_name
    assert connection["hook-class-name"] == f"{FlowServiceHook.__module__}.FlowServiceHook"


def test_asking_for_it_loads_nothing_of_airflow():
    program = (
        "import sys; from airflow_provider_flowservice.get_provider_info import get_provider_info;"
        "get_provider_info(); print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()

    assert airflow_provider_flowservice.__name__ in loaded
    assert not {"airflow", "requests", "flask_appbuilder"} & set(loaded)
