"""How the documentation is built: ``make docs``. Tables that repeat the code are made from it."""

from __future__ import annotations

import atexit
import os
import pkgutil
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

# Airflow reads this when it is first imported, and nothing of the developer's is to be touched.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))  # for `dev`

import airflow_provider_flowservice
from airflow_provider_flowservice._client import errors, ims, run_requests
from airflow_provider_flowservice._commands.definitions import COMMANDS
from airflow_provider_flowservice.emulator import __main__ as emulator
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
from airflow_provider_flowservice.operators import flowservice as operators
from airflow_provider_flowservice.retry_policy import FlowServiceRetryPolicy
from airflow_provider_flowservice.sensors import flowservice as sensors
from airflow_provider_flowservice.triggers import flowservice as triggers
from dev import tables

project = "airflow-provider-flowservice"
author = "the authors of airflow-provider-flowservice"
version = release = airflow_provider_flowservice.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinxcontrib.svgbob"]
exclude_patterns = ["_build", "sample_project"]
html_theme = "furo"
html_title = f"{project} {release}"
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["wide.css"]

myst_enable_extensions = ["colon_fence", "substitution"]
myst_heading_anchors = 3

autodoc_class_signature = "mixed"
autodoc_inherit_docstrings = False  # those of Airflow are written for another builder
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the signature in the source says them; here they would drown the words


_MODULES = (operators, sensors, triggers)
_CLASSES = [getattr(module, name) for module in _MODULES for name in module.__all__]
_CLASSES += [FlowServiceHook, FlowServiceRetryPolicy]

myst_substitutions = {
    **{f"arguments_of_{cls.__name__}": tables.arguments(cls) for cls in _CLASSES},
    **{f"{command.name}_options": tables.command_options(command) for command in COMMANDS},
    "emulator_options": tables.emulator_options(),
    "emulator_guesses": emulator._GUESSES.replace(":\n", ":\n\n", 1),
    "connection_fields": tables.connection_fields(),
    "gateway_codes": tables.codes(errors._GATEWAY),
    "ims_refusals": tables.codes(ims._REFUSALS),
    "retrigger_refusals": tables.codes(run_requests.NOT_RETRIGGERABLE),
    "start_refusals": tables.codes(run_requests.WRONG_START | run_requests.NOT_STARTABLE),
    "role_hint": f"{errors._ROLE}.",
    "missing_hint": f"{errors._MISSING}.",
    "server_error_hint": f"{errors._SERVER_ERROR}.",
    "foreign_hint": f"{errors.FOREIGN}.",
    "diagnostics_hint": f"{errors._NO_DIAGNOSTICS}.",
}


def _write_api() -> None:
    """Write a page for each public module, so that a new one needs no other place."""
    folder = DOCS / "reference" / "api"
    shutil.rmtree(folder, ignore_errors=True)  # of modules that are gone
    folder.mkdir()
    package = airflow_provider_flowservice
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        title = module.name.removeprefix(f"{package.__name__}.")
        is_emulator = title == "emulator"
        if re.search(r"(^|\.)_|^emulator\.", title) or (module.ispkg and not is_emulator):
            continue
        text = f"{title}\n{'=' * len(title)}\n\n.. automodule:: {module.name}\n   :members:\n"
        if is_emulator:  # its class is spread over private parents
            text += "   :inherited-members:\n"
            text += "   :exclude-members: now_ms, sandboxes, clock\n"  # see emulate.md
        (folder / f"{title}.rst").write_text(text)


_write_api()


def _whole_signature(
    app: Any, what: str, name: str, obj: Any, options: Any, *signature: Any
) -> tuple[str, None] | None:
    """Show the arguments of base classes as well, in place of ``**kwargs``."""
    is_checked = what == "class" and hasattr(obj, "argument_kinds")
    return (tables.signature(obj), None) if is_checked else None


def setup(app: Any) -> None:
    """Take part in Sphinx's events."""
    app.connect("autodoc-process-signature", _whole_signature)
