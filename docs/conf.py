"""How the documentation is built: ``make docs``. Tables that repeat the code are made from it."""

from __future__ import annotations

import atexit
import os
import pkgutil
import shutil
import tempfile
from pathlib import Path

# Airflow reads this when it is first imported, and nothing of the developer's is to be touched.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)

import airflow_provider_flowservice
from airflow_provider_flowservice._client import errors, ims, run_requests
from airflow_provider_flowservice._commands.definitions import COMMANDS, Command
from airflow_provider_flowservice._connection import form
from airflow_provider_flowservice.emulator import __main__ as emulator

DOCS = Path(__file__).parent

project = "airflow-provider-flowservice"
author = "the authors of airflow-provider-flowservice"
version = release = airflow_provider_flowservice.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build", "sample_project"]
html_theme = "furo"
html_title = f"{project} {release}"

myst_enable_extensions = ["colon_fence", "substitution"]
myst_heading_anchors = 3

autodoc_class_signature = "separated"
autodoc_inherit_docstrings = False  # those of Airflow are written for another builder
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the signature in the source says them; here they would drown the words


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _connection_fields() -> str:
    standard = {
        "host": f"Address of the service, without a path. If empty, {form.PLATFORM_URL}.",
        "login": "The credential's Client ID, as the Developer Console shows it.",
        "password": "The credential's client secret, which the Developer Console shows on request.",
    }
    labels = form.behaviour()["relabeling"]
    rows = [(labels[name], f"`{name}`", text) for name, text in standard.items()]
    for field in form.FIELDS:
        text = f"**Required.** {field.description}" if field.is_required else field.description
        rows.append((field.label, f"`{field.name}` in `extra`", text))
    return _table(("Field", "Name in JSON", "Meaning"), rows)


def _codes(advice: dict[str, str]) -> str:
    rows = [(f"`{code}`", f"{_sentence(hint)}.") for code, hint in advice.items()]
    return _table(("Code", "What to do"), rows)


def _sentence(text: str) -> str:
    word, _, rest = text.partition(" ")
    # A sentence may begin with the name of an argument.
    return f"`{word}` {rest}" if "_" in word else f"{text[0].upper()}{text[1:]}"


def _emulator_options() -> str:
    actions = [action for action in emulator._parser()._actions if action.dest != "help"]
    rows = [
        (f"`{action.option_strings[-1]}`", f"{action.help}", f"`{action.default}`")
        for action in actions
    ]
    return _table(("Option", "What", "Default"), rows)


def _command_options(command: Command) -> str:
    rows = [
        (f"`{flag if flag.startswith('-') else values['metavar']}`", values["help"] % values)
        for (*_, flag), values in command.options
    ]
    return _table(("Option", "What"), rows)


myst_substitutions = {
    **{f"{command.name}_options": _command_options(command) for command in COMMANDS},
    "emulator_options": _emulator_options(),
    "emulator_guesses": emulator._GUESSES.replace(":\n", ":\n\n", 1),
    "connection_fields": _connection_fields(),
    "gateway_codes": _codes(errors._GATEWAY),
    "ims_refusals": _codes(ims._REFUSALS),
    "retrigger_refusals": _codes(run_requests.NOT_RETRIGGERABLE),
    "start_refusals": _codes(run_requests.WRONG_START | run_requests.NOT_STARTABLE),
    "role_hint": f"{errors._ROLE}.",
    "missing_hint": f"{errors._MISSING}.",
    "server_error_hint": f"{errors._SERVER_ERROR}.",
    "foreign_hint": f"{errors.FOREIGN}.",
    "diagnostics_hint": f"{errors._NO_DIAGNOSTICS}.",
}


def _write_api() -> None:
    """Write a page for each public module, so that a new one needs no other place."""
    folder = DOCS / "reference" / "api"
    folder.mkdir(exist_ok=True)
    package = airflow_provider_flowservice
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    names = [
        module.name for module in found if not module.ispkg or module.name.endswith("emulator")
    ]
    public = [name for name in names if not any(part.startswith("_") for part in name.split("."))]
    inner = f"{package.__name__}.emulator."
    for name in public:
        if not name.startswith(inner):
            title = name.removeprefix(f"{package.__name__}.")
            text = f"{title}\n{'=' * len(title)}\n\n.. automodule:: {name}\n   :members:\n"
            if title == "emulator":  # its class is spread over private parents
                text += "   :inherited-members:\n"
                text += "   :exclude-members: now_ms, sandboxes, clock\n"  # see emulator.md
            (folder / f"{title}.rst").write_text(text)


_write_api()
