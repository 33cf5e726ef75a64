"""Where Airflow finds DAGs that a test runs in its own process."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress

import pytest


@contextmanager
def only_dags_of(folder):
    """Let Airflow find the DAGs of one folder: from 3.0 on, ``dag.test()`` knows a DAG from its bundle."""
    bundle = {
        "name": "tests",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(folder)},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
        _forget_bundles()
        yield
    _forget_bundles()


def _forget_bundles():
    """Let Airflow read the setting anew, which from 3.4 on a process does once."""
    with suppress(ImportError, AttributeError):
        from airflow.dag_processing.bundles import manager

        manager._load_bundle_config_snapshot.cache_clear()
