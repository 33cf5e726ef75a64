"""Nothing of ours uses what the newest Airflows call deprecated. What their providers use does not count."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from airflow import __version__ as airflow_version
from packaging.version import Version

ROOT = Path(__file__).parents[2]
DAG_FILES = [*ROOT.glob("example_dags/*.py"), *ROOT.glob("tests/users_dags/*.py")]

IMPORT_ALL = """
import airflow.sdk  # whatever that warns of itself
import importlib, json, pkgutil, warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import airflow_provider_flowservice as package
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    names = [module.name for module in found if not module.name.endswith(".__main__")]
    for name in names:
        importlib.import_module(name)
ours = [str(w.message) for w in caught if "/airflow/providers/" not in w.filename]
print(json.dumps({"modules": names, "warnings": ours}))
"""

pytestmark = pytest.mark.skipif(
    Version(airflow_version) < Version("3.3"),
    reason="Earlier releases lack some of the new names.",
)


@pytest.mark.parametrize("path", sorted(DAG_FILES), ids=lambda path: path.stem)
def test_a_dag_is_loaded_without_a_warning(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        spec.loader.exec_module(importlib.util.module_from_spec(spec))

    ours = [w for w in caught if "/airflow/providers/" not in w.filename]
    assert [str(w.message) for w in ours] == []


def test_the_package_is_imported_without_a_warning():
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=True
    )

    told = json.loads(done.stdout.splitlines()[-1])
    assert "airflow_provider_flowservice.operators.flowservice" in told["modules"]
    assert told["warnings"] == []
