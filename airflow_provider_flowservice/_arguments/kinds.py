"""
The kinds of arguments, and what each may be.

Pure. A kind reads a value: it returns the value as the package uses it, or raises.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

# Forms that Python parses from 3.11 on: a final Z, and those of Airflow's `ds_nodash` and `ts_nodash`.
_LATER_FORMS = (
    (re.compile("Z$"), "+00:00"),
    (re.compile(r"^(\d{4})(\d\d)(\d\d)(?=T|$)"), r"\1-\2-\3"),
    (re.compile(r"T(\d\d)(\d\d)(\d\d)"), r"T\1:\2:\3"),
    (re.compile(r"(T.*[+-]\d\d)(\d\d)$"), r"\1:\2"),
)
_DELTA_COLUMN_KEYS = ("name", "dateFormat", "timezone")
# What Python and Airflow can add to the time of day without an overflow.
_LONGEST_SECONDS = 10 * 365 * 24 * 60 * 60


class WrongArgumentError(ValueError):
    """A value that is not allowed; the message, if any, gives advice."""


@dataclass(frozen=True)
class Kind:
    """
    A kind of argument.

    :param allowed: What a value must be.
    :param read: Returns a value as the package uses it, or raises a :class:`WrongArgumentError`.
    :param parse: Reads the text that a template has rendered.
    """

    allowed: str
    read: Callable[[Any], Any]
    parse: Callable[[str], Any] = str

    def or_none(self) -> Kind:
        """Return the kind that allows ``None`` as well."""
        return Kind(
            f"{self.allowed}, or None",
            lambda value: None if value is None else self.read(value),
            self.parse,
        )


def one_of(*words: str) -> Kind:
    """Return the kind of a choice between words."""
    *others, last = map(repr, words)

    def read(value: Any) -> str:
        if isinstance(value, str) and value in words:
            return value
        raise WrongArgumentError

    return Kind(f"{', '.join(others)} or {last}", read)


def instance_of(wanted: type) -> Kind:
    """Return the kind of the objects of a class."""

    def read(value: Any) -> Any:
        if isinstance(value, wanted):
            return value
        raise WrongArgumentError

    return Kind(f"a {wanted.__name__}", read)


def number(
    allowed: str, least: float, most: float = math.inf, *, above: bool = False, whole: bool = False
) -> Kind:
    """
    Return a kind of number.

    :param above: Whether a value must be more than ``least``.
    :param whole: Whether a value must be an integer.
    """

    def read(value: Any) -> Any:
        # NaN is neither more nor less than anything.
        if (
            isinstance(value, int if whole else int | float)
            and not isinstance(value, bool)
            and least <= value <= most
            and not (above and value == least)
        ):
            return value
        raise WrongArgumentError

    return Kind(allowed, read, int if whole else float)


def _seconds(least: str, *, above: bool) -> Kind:
    seconds = number("", 0, _LONGEST_SECONDS, above=above)

    def read(value: Any) -> float:
        value = value.total_seconds() if isinstance(value, timedelta) else value
        return float(seconds.read(value))

    return Kind(f"a number of seconds or a timedelta, {least}, ten years at most", read, float)


def _read_flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise WrongArgumentError


def _parse_flag(text: str) -> Any:
    return {"true": True, "false": False}.get(text.strip().lower(), text)


def _read_id(value: Any) -> str:
    if value is None or value == "None":
        raise WrongArgumentError(
            "What it was to come from holds nothing: a task without output, a parameter without "
            "value, or a template that found neither"
        )
    # A comma separates IDs in a filter.
    is_word = isinstance(value, str) and value.isprintable() and not {" ", ","} & {*value}
    if is_word and value not in ("", ".", ".."):
        return str(value)
    raise WrongArgumentError


def _read_ids(value: Any) -> Sequence[str]:
    if isinstance(value, str):
        raise WrongArgumentError(
            "A template renders text; pass the output of a task itself, such as "
            "run_ids=list_runs.output, or let the DAG render_template_as_native_obj"
        )
    if not isinstance(value, Sequence):
        raise WrongArgumentError
    ids = list(value)  # once: the output of mapped tasks is read from Airflow as it is iterated
    for index, each in enumerate(ids):
        try:
            _read_id(each)
        except WrongArgumentError as error:
            raise WrongArgumentError(
                f"Entry {index} is {brief(each)}. {error}".rstrip(". ")
            ) from None
    return ids


def _read_one_or_several_ids(value: Any) -> str | Sequence[str]:
    return _read_id(value) if isinstance(value, str) or value is None else _read_ids(value)


def _read_id_or_nothing(value: Any) -> str | None:
    # A template renders a parameter without value as an empty text, if it is told to.
    return None if value is None or value == "" else _read_id(value)


def _read_text(value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise WrongArgumentError


def _read_texts(value: Any) -> Sequence[str]:
    if isinstance(value, Collection) and not isinstance(value, str | Mapping):
        return [_read_text(each) for each in value]
    raise WrongArgumentError


def _read_errors(value: Any) -> Sequence[type[Exception]]:
    is_list = isinstance(value, Collection) and not isinstance(value, str)
    if is_list and all(isinstance(each, type) and issubclass(each, Exception) for each in value):
        return list(value)
    raise WrongArgumentError


def _read_statuses(value: Any) -> str | Sequence[str]:
    # Late, since most DAGs name no status.
    from airflow_provider_flowservice.runs import is_known_status

    words = [value] if isinstance(value, str) else _read_texts(value)
    if words and all(word.strip() and is_known_status(word) for word in words):
        return value if isinstance(value, str) else words
    raise WrongArgumentError


def _extended(time: str) -> str:
    """Return a time in ISO 8601 as all versions of Python parse it."""
    for form, extended in _LATER_FORMS:
        time = form.sub(extended, time)
    return time


def _timestamp(time: str | datetime) -> float:
    if isinstance(time, str):
        time = datetime.fromisoformat(_extended(time.strip()))
    return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp()


def epoch_milliseconds(time: str | datetime) -> int:
    """
    Return a time as epoch milliseconds; without a time zone, it is in UTC.

    :param time: A time, or a text in ISO 8601, which templates render.
    :raises ValueError: The text is no time.
    """
    return round(_timestamp(time) * 1000)


def epoch_seconds(time: str | datetime) -> int:
    """Return a time as whole epoch seconds; what is less than a second is cut off."""
    return math.floor(_timestamp(time))


def _read_time(value: Any) -> str | datetime:
    if value is None or value == "None":
        raise WrongArgumentError(
            "A DAG run without a logical date has no data interval; from Airflow 3.0 on, each has "
            "{{ dag_run.run_after }}"
        )
    if not isinstance(value, str | datetime):
        raise WrongArgumentError
    try:
        epoch_milliseconds(value)
    except (ValueError, OverflowError):
        raise WrongArgumentError from None
    return value


def _read_delta_column(value: Any) -> dict[str, str]:
    column = {"name": value} if isinstance(value, str) else value
    if not isinstance(column, Mapping) or "name" not in column:
        raise WrongArgumentError
    if unknown := [key for key in column if key not in _DELTA_COLUMN_KEYS]:
        raise WrongArgumentError(f"It has no {brief(unknown[0])}")
    return {_read_text(key): _read_text(text) for key, text in column.items()}


def _read_hook_params(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise WrongArgumentError
    if unknown := [name for name in value if name not in HOOK_ARGUMENTS]:
        raise WrongArgumentError(f"It has no {brief(unknown[0])}, only {', '.join(HOOK_ARGUMENTS)}")
    arguments, problems = read_all(HOOK_ARGUMENTS, value)
    if problems:
        raise WrongArgumentError(" ".join(problems.values()).rstrip("."))
    return arguments


def read_all(
    kinds: Mapping[str, Kind], values: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """
    Read values by the kinds of their names.

    :return: The values as the package uses them, and a sentence or two on each one that is wrong.
    """
    read, problems = {}, {}
    for name, value in values.items():
        try:
            read[name] = kinds[name].read(value)
        except WrongArgumentError as error:
            advice = f" {error}." if str(error) else ""
            must = f"and must be {kinds[name].allowed}."
            problems[name] = f"{name} is {brief(value)}, {must}{advice}"
    return read, problems


def check(**values: tuple[object, Kind]) -> None:
    """
    Check arguments of a function: ``check(limit=(limit, POSITIVE))``.

    :raises ValueError: Some are wrong; the message names each.
    """
    kinds = {name: kind for name, (_, kind) in values.items()}
    _, problems = read_all(kinds, {name: value for name, (value, _) in values.items()})
    if problems:
        raise ValueError(" ".join(problems.values()))


def brief(value: object) -> str:
    """Return the representation of a value, shortened."""
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


FLAG = Kind("True or False", _read_flag, _parse_flag)
DURATION = _seconds("not negative", above=False)
INTERVAL = _seconds("more than 0", above=True)
COUNT = number("an integer, 0 or more", 0, whole=True)
POSITIVE = number("an integer, 1 or more", 1, whole=True)
SHARE = number("a number from 0 to 1", 0, 1)
EPOCH_SECONDS = number("epoch seconds", 0, 253_402_300_799)  # to the end of year 9999
EPOCH_MILLISECONDS = number("epoch milliseconds, an integer", -math.inf, whole=True)
TEXT = Kind("a text that is not empty", _read_text)
TEXTS = Kind("a list of texts that are not empty", _read_texts)
ERRORS = Kind("a list of exception classes", _read_errors)
ID = Kind("an ID: a text without blanks and commas", _read_id)
OPTIONAL_ID = Kind("an ID, or None", _read_id_or_nothing)
IDS = Kind("a list of IDs", _read_ids)
ONE_OR_SEVERAL_IDS = Kind("an ID or a list of IDs", _read_one_or_several_ids)
TIME = Kind("a time: a datetime, or a text in ISO 8601", _read_time)
DELTA_COLUMN = Kind(
    "the name of a column, or a dict of texts with its 'name', 'dateFormat' and 'timezone'",
    _read_delta_column,
)
STATUSES = Kind(
    "'failed', 'success', 'partialSuccess', 'inProgress', or a list of them", _read_statuses
)
END_STATUSES = Kind("'failed', 'success', 'partialSuccess', or a list of them", _read_statuses)
REQUIREMENTS = {
    "on_partial": one_of("fail", "skip", "accept"),
    "on_empty": one_of("accept", "skip", "fail"),
    "min_records": COUNT,
    "max_failed_records": COUNT.or_none(),
    "max_failed_share": SHARE.or_none(),
}
"""What a task asks of the records of its run."""

HOOK_ARGUMENTS = {
    "retrigger_op": TEXT,
    "retries": COUNT,
    "backoff": DURATION,
    "longest_sleep": DURATION,
}
HOOK_PARAMS = Kind("a dict of arguments for FlowServiceHook", _read_hook_params)
