"""
Checks the arguments of operators, sensors and triggers, before anything is sent.

They are checked when the object is made, so that a wrong one fails the import of the DAG; those that
are templates, once they are rendered.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_flowservice._arguments.kinds import Kind, brief, epoch_seconds, read_all

if TYPE_CHECKING:
    from airflow_provider_flowservice._compat import Context


_NO_INTERVAL = (
    " From Airflow 3.0 on, the data interval of a DAG run is empty, unless the DAG's timetable makes "
    "intervals, such as CronDataIntervalTimetable."
)


class CheckedArguments:
    """Keeps arguments in attributes of their names, and refuses wrong ones."""

    argument_kinds: ClassVar[Mapping[str, Kind]]
    """What each argument may be."""

    def _check_arguments(self) -> None:
        """
        Check the arguments, and keep them as the package uses them.

        :raises ValueError: Some are wrong; the message names each.
        """
        values = {name: getattr(self, name) for name in self.argument_kinds}
        self._keep(self._read(type(self).__name__, values))

    def _keep(self, arguments: Mapping[str, Any]) -> None:
        for name, value in arguments.items():
            setattr(self, name, value)

    @classmethod
    def _conflicts(cls, values: Mapping[str, Any]) -> Iterator[str]:
        """List a sentence on each argument that another one rules out."""
        yield from ()

    @classmethod
    def _read(
        cls, owner: str, values: Mapping[str, Any], origins: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """
        Return arguments as the package uses them.

        :param values: Arguments by their names, without templates.
        :param origins: Sentences on where values come from.
        :raises ValueError: Some are wrong; the message names each.
        """
        read, wrong = read_all(cls.argument_kinds, values)
        problems = [text + (origins or {}).get(name, "") for name, text in wrong.items()]
        if problems := problems or [*cls._conflicts(values)]:
            raise ValueError(f"{owner}: {' '.join(problems)}")
        return read


class CheckedTask(CheckedArguments):
    """A task, whose arguments may be templates, or shared by all tasks of a mapping."""

    template_fields: Collection[str]
    task_id: str

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Check the arguments that the tasks of a mapping share, and go on as Airflow does."""
        given = {**(kwargs.get("default_args") or {}), **kwargs}
        cls._check_shared(given)
        mapping = super().partial(**kwargs)  # type: ignore[misc]  # of the operator
        # Airflow applies the defaults of DAG and task group only when it makes the tasks.
        dag, group = (
            getattr(mapping.kwargs.get(name), "default_args", None) or {}
            for name in ("dag", "task_group")
        )
        cls._check_shared({**dag, **group, **given})
        return mapping

    @classmethod
    def _check_shared(cls, given: Mapping[str, Any]) -> None:
        values = {name: given[name] for name in cls.argument_kinds if name in given}
        cls._read(f"{cls.__name__} {given.get('task_id')!r}", cls._rendered(values))

    @classmethod
    def _rendered(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return those that are no templates, or no more."""
        return {
            name: value
            for name, value in values.items()
            if not (name in cls.template_fields and _is_template(value))
        }

    def _check_arguments(self) -> None:
        """
        Check the arguments that are no templates, and keep them as the package uses them.

        :raises ValueError: Some are wrong; the message names each.
        """
        values = {name: getattr(self, name) for name in self.argument_kinds}
        rendered = self._rendered(values)
        self._keep(self._read(self._owner, rendered))
        self._origins = {
            name: _origin_of(value) for name, value in values.items() if name not in rendered
        }

    def _check_rendered(self) -> None:
        """
        Check the arguments again once templates are rendered, before the first request.

        :raises ValueError: Some are wrong; the message names each, and where it comes from.
        """
        values = {name: getattr(self, name) for name in self.argument_kinds}
        if unrendered := values.keys() - self._rendered(values).keys():
            raise ValueError(
                f"{self._owner}: {', '.join(sorted(unrendered))} has not been rendered; Airflow "
                "renders the templates of a task that it runs itself."
            )
        for name in values.keys() & {*self.template_fields}:
            if isinstance(values[name], str):
                # What is no number remains text, and is refused as such.
                with contextlib.suppress(ValueError):
                    values[name] = self.argument_kinds[name].parse(values[name])
        self._keep(self._read(self._owner, values, self._origins))

    @property
    def _owner(self) -> str:
        return f"{type(self).__name__} {self.task_id!r}"

    def _refuse_nested(self, context: Context, instead: str) -> None:
        """
        Refuse to run inside of another task, whose tries and whose deferral are not this one's.

        :param instead: What to do instead.
        """
        if getattr(context.get("ti"), "task", None) is not self:
            raise ValueError(
                f"{self._owner} is no task that Airflow runs: it was called from Python code. "
                f"{instead}"
            )


def conflicts_of_flows(values: Mapping[str, Any]) -> Iterator[str]:
    """List a sentence on flows that are selected both by ID and by name."""
    if values.get("flow_id") is not None and values.get("flow_name") is not None:
        yield "flow_id and flow_name exclude each other: use one of them."


def conflicts_of_window(values: Mapping[str, Any]) -> Iterator[str]:
    """List a sentence on a window that has only one end, or that holds no time."""
    start, end = values.get("window_start"), values.get("window_end")
    if "window_start" in values and "window_end" in values and (start is None) != (end is None):
        yield "window_start and window_end go together: give both, or neither."
    if start is None or end is None:
        return
    if epoch_seconds(start) < 0:
        yield f"window_start is {start!r}, and must not be before 1970-01-01, which is 0 to the service."
    seconds = epoch_seconds(end) - epoch_seconds(start)
    if seconds <= 0:
        text = f"window_end is {end!r}, and must be at least a second after window_start, which is {start!r}."
        yield text + ("" if seconds else _NO_INTERVAL)


def _is_template(value: Any) -> bool:
    """Return whether Airflow renders a value: a Jinja template, the output of a task, or a callable."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, list | tuple):
        return any(map(_is_template, value))
    # Of Airflow's `ResolveMixin`, whose place depends on the release.
    return hasattr(value, "iter_references") or callable(value)


def _origin_of(template: Any) -> str:
    """Return a sentence on where the value of a template comes from."""
    if isinstance(template, str):
        return f" It was rendered from {brief(template)}."
    references = template.iter_references() if hasattr(template, "iter_references") else ()
    task_ids = dict.fromkeys(task.task_id for task, _ in references)
    return f" It is the output of {' and '.join(map(repr, task_ids))}." if task_ids else ""
