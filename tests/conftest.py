"""Tests run in an Airflow of their own: nothing of the developer's is read or written."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

# Airflow reads these when it is first imported, so they are set before any test module is.
for name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
    del os.environ[name]
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(Path(__file__).parent.parent / "example_dags")
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)

# Its tables of Unicode take seconds to make: once for each Python, and not for each Airflow.
set_hypothesis_home_dir(Path(__file__).parent.parent / ".hypothesis")
# The machine may be busy, and a failure must come back on the next run.
settings.register_profile("tests", deadline=None, derandomize=True, database=None)
settings.load_profile("tests")

collect_ignore = ["other_clients"]  # they have an environment of their own, see noxfile.py

# What meets Python and its libraries, and of Airflow only what few of its releases change.
_PURE = {"client", "emulator", "probe", "recording", "selection"}
_PURE |= {
    f"test_{name}.py" for name in ("exceptions", "flows", "probe", "record", "report", "runs")
}
# Of the room exactly_once, whose other tests let Airflow run DAGs.
_PURE |= {f"test_{name}.py" for name in ("bulk", "decisions", "engine", "siblings", "two_writers")}
_BUT = {"test_check.py"}  # reads connections

pytest_plugins = ["helpers.secret_scan", "helpers.shared_fixtures"]


def pytest_collection_modifyitems(items):
    """Mark the tests that know next to no Airflow."""
    tests = Path(__file__).parent
    for item in items:
        path = item.path.relative_to(tests) if item.path.is_relative_to(tests) else item.path
        if {path.parts[0], path.name} & _PURE and path.name not in _BUT:
            item.add_marker("pure")
