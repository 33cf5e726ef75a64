"""Calls for on-demand runs: what they ask for, and why they are refused."""

from __future__ import annotations

import json
import re
from typing import Any

from airflow_provider_flowservice.emulator import errors
from airflow_provider_flowservice.emulator.flows import Flow
from airflow_provider_flowservice.emulator.messages import JSON
from airflow_provider_flowservice.emulator.runs import Run
from airflow_provider_flowservice.emulator.settings import EmulatorSettings
from airflow_provider_flowservice.emulator.state import State

_WINDOW = ("windowStartTime", "windowEndTime")
_SECONDS = re.compile(r"[0-9]{1,15}")


class Starts:
    """Starts on-demand runs, in the memory of an emulator."""

    def __init__(self, settings: EmulatorSettings, state: State) -> None:
        self._settings = settings
        self._state = state

    def start(self, body: bytes, sandbox: str) -> Run:
        """Start the run that the body of a call asks for, or refuse."""
        asked = _json_object(body)
        flow = self._state.find_flow(_flow_id(asked), sandbox)
        self._check_flow(flow)
        params = self._params(asked)
        start_time = self._seconds(params, "startTime")
        window = None
        if any(name in params for name in _WINDOW):
            window = (self._seconds(params, _WINDOW[0]), self._seconds(params, _WINDOW[1]))
        column = self._delta_column(params)
        self._check_times(start_time, window)
        self._keep_delta_column(flow, column)
        return self._state.start(flow, start_time, window)

    def _check_flow(self, flow: Flow) -> None:
        if not (flow.source and flow.batch):
            raise self._refusal("1385-400", "Runs cannot be created for this type of connector.")
        if flow.frequency != "once":
            detail = (
                f"Runs cannot be created for a flow with frequency {flow.frequency}. "
                "It must be once."
            )
            raise self._refusal("1386-400", detail)
        if flow.state != "enabled":
            detail = f"The flow is in {flow.state} state. It must be enabled to create a run."
            raise self._refusal("1388-400", detail)

    def _params(self, asked: JSON) -> JSON:
        params = asked.get("params")
        if not isinstance(params, dict) or not params:
            raise self._refusal("1384-400", "The params of the run are missing or empty.")
        return params

    def _seconds(self, params: JSON, name: str) -> int:
        text = str(params.get(name))
        if not _SECONDS.fullmatch(text):
            detail = f"The params of the run are invalid: {name} must be in epoch seconds."
            raise self._refusal("1384-400", detail)
        return int(text)

    def _delta_column(self, params: JSON) -> str | None:
        """Return the name of the delta column, ``None`` if there is none."""
        column = params.get("deltaColumn")
        if column is None:
            return None
        name = column.get("name") if isinstance(column, dict) else None
        if not isinstance(name, str) or not name:
            detail = "The params of the run are invalid: deltaColumn must have a name."
            raise self._refusal("1384-400", detail)
        return name

    def _check_times(self, start_time: int, window: tuple[int, int] | None) -> None:
        if window and window[1] < window[0]:
            raise self._refusal("1381-400", "The window ends before it starts.")
        if start_time < self._settings.now_ms() // 1000:
            raise self._refusal("1360-400", "The start time is in the past.")

    def _keep_delta_column(self, flow: Flow, name: str | None) -> None:
        """Let a flow keep the first delta column, and refuse any other."""
        if flow.delta_column is None:  # it reads files
            return
        if not (name or flow.delta_column):
            detail = "The first run of this flow must name its delta column."
            raise self._refusal("1383-400", detail)
        if name and flow.delta_column and name != flow.delta_column:
            detail = (
                f"The delta column {name} differs from {flow.delta_column}, which the flow has."
            )
            raise self._refusal("1382-400", detail)
        flow.delta_column = flow.delta_column or name

    def _refusal(self, code: str, detail: str) -> errors.Refusal:
        return errors.connector(code, detail, wrapped=self._settings.wrap_errors)


def _json_object(body: bytes) -> JSON:
    try:
        asked: Any = json.loads(body)
    except ValueError:
        asked = None
    if not isinstance(asked, dict) or not asked:
        raise errors.flow_service("FLOW-1405-400", "The body of the request is null or empty.")
    return asked


def _flow_id(asked: JSON) -> str:
    flow_id = asked.get("flowId")
    if not isinstance(flow_id, str) or not flow_id:
        raise errors.flow_service("FLOW-1446-400", "The flow ID is null or empty.")
    return flow_id
