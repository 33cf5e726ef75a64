"""
Tables of the documentation that are made from the code, in Markdown.

``docs/conf.py`` takes them from here. README.md, which no Sphinx builds, is written by
``python -m dev.tables``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from importlib.metadata import requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.version import Version

from airflow_provider_flowservice._arguments.kinds import DURATION, INTERVAL, Kind
from airflow_provider_flowservice._commands.definitions import Command
from airflow_provider_flowservice._connection import form
from airflow_provider_flowservice.emulator import __main__ as emulator
from airflow_provider_flowservice.operators._base import NewRunOperator
from airflow_provider_flowservice.operators.flowservice import RetriggerDataflowRunOperator

README = Path(__file__).resolve().parent.parent / "README.md"

_PACKAGE = "airflow_provider_flowservice"
_BEGIN = "<!-- Made from the form by `python -m dev.tables`. -->"
_END = "<!-- The end of the table. -->"
_PARAM = re.compile(r"^:param (\w+): (.*?)(?=^:|\Z)", re.MULTILINE | re.DOTALL)
_NEEDS = re.compile(r"Needs Airflow (\d+\.\d+)\.")
_ROLE = re.compile(r":(class|func|meth):`")
_TEMPLATED = " (templated)"
# What a default that is read from Airflow's configuration depends on.
_CONFIGURED = {
    "deferrable": "`False`, or Airflow's `[operators] default_deferrable`",
    "timeout": "Airflow's `[sensors] default_timeout`, by default 7 days",
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def connection_fields() -> str:
    """Return the fields of the connection, as its form describes them."""
    standard = {
        "host": f"Address of the service, without a path. If empty, {form.PLATFORM_URL}.",
        "login": "The credential's Client ID, as the Developer Console shows it.",
        "password": "The credential's client secret, which the Developer Console shows on request.",
    }
    labels = form.behaviour()["relabeling"]
    rows = [(label, f"`{name}`", standard[name]) for name, label in labels.items()]
    for field in form.FIELDS:
        text = f"**Required.** {field.description}" if field.is_required else field.description
        rows.append((field.label, f"`{field.name}` in `extra`", text))
    return table(("Field", "Name in JSON", "Meaning"), rows)


def codes(advice: Mapping[str, str]) -> str:
    """Return error codes with what to do about each."""
    rows = [(f"`{code}`", f"{sentence(hint)}.") for code, hint in advice.items()]
    return table(("Code", "What to do"), rows)


def sentence(text: str) -> str:
    """Return a text that begins as a sentence does."""
    word, _, rest = text.partition(" ")
    # It may begin with the name of an argument.
    return f"`{word}` {rest}" if "_" in word else f"{text[0].upper()}{text[1:]}"


def emulator_options() -> str:
    """Return the options of the emulator's command."""
    actions = [action for action in emulator._parser()._actions if action.dest != "help"]
    rows = [
        (f"`{action.option_strings[-1]}`", f"{action.help}", f"`{action.default}`")
        for action in actions
    ]
    return table(("Option", "What", "Default"), rows)


def command_options(command: Command) -> str:
    """Return the options of a command."""
    rows = [
        (f"`{flag if flag.startswith('-') else values['metavar']}`", values["help"] % values)
        for (*_, flag), values in command.options
    ]
    return table(("Option", "What"), rows)


def arguments(cls: type) -> str:
    """
    Return the arguments of a class: what each may be, its default, and what it does.

    :raises KeyError: An argument has no description, or nothing says what it may be.
    """
    kinds: Mapping[str, Kind] = vars(cls)["argument_kinds"]
    described = _descriptions(cls)
    needs = _NEEDS.search(inspect.getdoc(cls) or "")
    airflow = needs[1] if needs else _oldest_airflow()
    templates = getattr(cls, "template_fields", None)
    columns = ["Argument", "Type", "Default", "Templated", "Airflow", "What"]
    if templates is None:  # neither a hook nor a trigger has any
        columns.remove("Templated")
    rows = []
    for parameter in parameters(cls):
        name = parameter.name
        cells = {
            "Argument": f"`{name}`",
            "Type": kinds[name].allowed,
            "Default": _default(parameter, kinds[name]),
            "Templated": "yes" if name in (templates or ()) else "",
            "Airflow": airflow,
            "What": described[name],
        }
        rows.append([cells[column] for column in columns])
    return f"```{{rst-class}} arguments\n```\n\n{table(columns, rows)}"


def parameters(cls: type) -> Iterator[inspect.Parameter]:
    """Yield the parameters of a class, those of its base classes in this package as well."""
    seen = set()
    for each in cls.__mro__:
        if not each.__module__.startswith(_PACKAGE) or "__init__" not in vars(each):
            continue
        own: Any = vars(each)["__init__"]
        for parameter in list(inspect.signature(own).parameters.values())[1:]:
            if parameter.kind is not parameter.VAR_KEYWORD and parameter.name not in seen:
                seen.add(parameter.name)
                yield parameter


def signature(cls: type) -> str:
    """Return the signature of a class, those of its base classes in this package included."""
    shown = [
        parameter.replace(kind=parameter.KEYWORD_ONLY, annotation=parameter.empty)
        for parameter in parameters(cls)
    ]
    return str(inspect.Signature(shown))


def _descriptions(cls: type) -> dict[str, str]:
    """Return what docstrings say of arguments; those of operators that request a run are shared."""
    classes = list(reversed(cls.__mro__))
    if issubclass(cls, NewRunOperator):
        classes.insert(0, RetriggerDataflowRunOperator)
    found = {}
    for each in classes:
        if each.__module__.startswith(_PACKAGE):
            for name, text in _PARAM.findall(inspect.cleandoc(each.__doc__ or "")):
                found[name] = _in_markdown(text)
    return found


def _in_markdown(text: str) -> str:
    text = " ".join(text.split()).replace(_TEMPLATED, "").replace("``", "`").replace("|", "\\|")
    return _ROLE.sub(r"{py:\1}`", text)


def _default(parameter: inspect.Parameter, kind: Kind) -> str:
    default = parameter.default
    if default is parameter.empty:
        return "required"
    if parameter.name in _CONFIGURED and (default is None or isinstance(default, bool)):
        return _CONFIGURED[parameter.name]
    if kind in (DURATION, INTERVAL) and default >= 60:
        return f"`{default:.0f}` ({_in_words(timedelta(seconds=default))})"
    if isinstance(default, tuple):
        default = [getattr(each, "__name__", each) for each in default]
        return ", ".join(f"`{each}`" for each in default)
    return f"`{default!r}`"


def _in_words(duration: timedelta) -> str:
    minutes = duration // timedelta(minutes=1)
    number, unit = (minutes, "minute") if minutes < 120 else (minutes // 60, "hour")
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _oldest_airflow() -> str:
    required = map(Requirement, requires("airflow-provider-flowservice") or ())
    (airflow,) = (each for each in required if each.name == "apache-airflow")
    return min((spec.version for spec in airflow.specifier), key=Version)


def readme() -> str:
    """Return README.md with its tables as they should be."""
    before, _, rest = README.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not end:
        raise ValueError(f"README.md lacks {_BEGIN} or {_END}")
    return f"{before}{_BEGIN}\n\n{connection_fields()}\n\n{_END}{after}"


if __name__ == "__main__":
    README.write_text(readme())
