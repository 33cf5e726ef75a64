"""The package as it is installed."""

from __future__ import annotations

import json
from importlib.metadata import distribution
from pathlib import Path

import airflow_provider_flowservice

ROOT = Path(__file__).parents[2]


def test_what_is_tested_is_what_is_installed():
    installed = distribution("airflow-provider-flowservice")
    is_editable = "dir_info" in json.loads(installed.read_text("direct_url.json"))

    home = ROOT if is_editable else Path(installed.locate_file(""))
    assert Path(airflow_provider_flowservice.__file__).parent.parent == home
