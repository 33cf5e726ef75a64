"""What the registry of providers is told is all that is public."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import yaml

from airflow_provider_flowservice.get_provider_info import get_provider_info

ROOT = Path(__file__).parents[2]
PACKAGE = "airflow_provider_flowservice"
SUFFIXES = {
    "operators": "Operator",
    "sensors": "Sensor",
    "triggers": "Trigger",
    "hooks": "Hook",
    "links": "Link",
}

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def registry():
    return yaml.safe_load((ROOT / ".airflow-registry.yaml").read_text())


@pytest.mark.parametrize("kind", SUFFIXES)
def test_every_public_class_is_listed(registry, kind):
    path = f"{PACKAGE}.{kind}.flowservice"
    module = importlib.import_module(path)
    public = {
        f"{path}.{name}"
        for name in getattr(module, "__all__", vars(module))
        if name.endswith(SUFFIXES[kind]) and getattr(module, name).__module__.startswith(PACKAGE)
    }
    listed = [entry["module"] for entry in registry["other" if kind == "links" else kind]]

    assert public
    assert sorted(listed) == sorted(public)


def test_every_kind_of_the_provider_is_covered():
    kinds = {path.parent.name for path in (ROOT / PACKAGE).glob("*/flowservice.py")}

    assert kinds - {"assets"} == set(SUFFIXES)


def test_it_is_described_as_airflow_describes_it(registry):
    info = get_provider_info()

    assert registry["package-name"] == info["package-name"]
    assert registry["display-name"] == info["name"]
    assert registry["description"] == info["description"]


def test_it_names_no_other_addresses_than_the_project(registry):
    project = (ROOT / "pyproject.toml").read_text()
    repository, documentation = re.findall(
        r'^(?:repository|documentation) = "(.*?)"', project, re.MULTILINE
    )

    assert registry.get("source-url", repository) == repository
    assert registry.get("docs-url", documentation) == documentation
