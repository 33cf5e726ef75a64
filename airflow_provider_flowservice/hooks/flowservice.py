"""Hook for the Flow Service of Adobe Experience Platform."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from urllib.parse import quote

from airflow_provider_flowservice._arguments import kinds
from airflow_provider_flowservice._arguments.checked import CheckedArguments, conflicts_of_window
from airflow_provider_flowservice._client.diagnostics import path_of
from airflow_provider_flowservice._client.responses import LARGEST_PAGE, items_of
from airflow_provider_flowservice._client.run_requests import (
    IN_THE_PAST,
    NOT_RETRIGGERABLE,
    NOT_STARTABLE,
    START_KINDS,
    WRONG_START,
    StartedRun,
    may_have_started_a_run,
    may_retry,
    read_started,
    reason_of_refusal,
    start_request,
)
from airflow_provider_flowservice._compat import BaseHook
from airflow_provider_flowservice._connection import form
from airflow_provider_flowservice._connection.settings import Settings
from airflow_provider_flowservice._defaults import CONN_ID
from airflow_provider_flowservice.exceptions import (
    DataflowNotStartableError,
    DataflowRunNotRetriggerableError,
    FlowServiceAnswerError,
    FlowServiceApiError,
    FlowServiceNotFoundError,
)
from airflow_provider_flowservice.flows import Dataflow, SourceConnection, TargetConnection
from airflow_provider_flowservice.runs import DataflowRun

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from airflow_provider_flowservice._client.client import FlowServiceClient
    from airflow_provider_flowservice._client.retries import RetryLimits

__all__ = ["FlowServiceHook", "StartedRun", "may_have_started_a_run"]

# The tutorial writes `re-trigger` and the published schema `RE_TRIGGER`; all examples of calls to
# the live service write operations in lower case.
RETRIGGER_OP = "re-trigger"

_FLOW, _RUN = kinds.instance_of(Dataflow), kinds.instance_of(DataflowRun)

_T = TypeVar("_T")


class FlowServiceHook(CheckedArguments, BaseHook):
    """
    Calls the Flow Service with the credential of an Airflow connection.

    :param flowservice_conn_id: Airflow connection of type ``flowservice``.
    :param retrigger_op: The service's name for the action that re-triggers a run.
    :param retries: Largest number of retries after a transient error. The hook retries a request for a run
        only if the service certainly did not start a run.
    :param backoff: Seconds before the first retry; each further one waits twice as long.
    :param longest_sleep: Most seconds to sleep before a retry. If ``Retry-After`` asks for more,
        the hook raises the error instead, with ``retry_after`` set.
    """

    argument_kinds: ClassVar[Mapping[str, kinds.Kind]] = {
        "flowservice_conn_id": kinds.TEXT,
        **kinds.HOOK_ARGUMENTS,
    }

    conn_name_attr = "flowservice_conn_id"
    default_conn_name = CONN_ID
    conn_type = form.CONN_TYPE
    hook_name = form.HOOK_NAME

    # The connection form, for Airflow before 3.2.
    get_connection_form_widgets = staticmethod(form.widgets)
    get_ui_field_behaviour = staticmethod(form.behaviour)

    _now = staticmethod(time.time)

    def __init__(
        self,
        flowservice_conn_id: str = default_conn_name,
        *,
        retrigger_op: str = RETRIGGER_OP,
        retries: int = 3,
        backoff: float | timedelta = 1.0,
        longest_sleep: float | timedelta = 30.0,
    ) -> None:
        super().__init__()
        self.flowservice_conn_id = flowservice_conn_id
        self.retrigger_op = retrigger_op
        self.retries = retries
        self.backoff: float = backoff  # type: ignore[assignment]  # becomes seconds
        self.longest_sleep: float = longest_sleep  # type: ignore[assignment]  # becomes seconds
        self._check_arguments()

    @cached_property
    def settings(self) -> Settings:
        """
        The settings in the Airflow connection.

        :raises ValueError: Fields are missing or wrong.
        """
        return Settings.from_connection(self.get_connection(self.flowservice_conn_id))

    @cached_property
    def _client(self) -> FlowServiceClient:
        # Late, so that parsing a DAG that uses this hook loads no HTTP client.
        from airflow_provider_flowservice._client.client import FlowServiceClient

        return FlowServiceClient(self.settings, self.retry_limits)

    @property
    def retry_limits(self) -> RetryLimits:
        """How often and how long to retry one request."""
        from airflow_provider_flowservice._client.retries import RetryLimits

        return RetryLimits(self.retries, self.backoff, self.longest_sleep)

    def without_retries(self) -> FlowServiceHook:
        """Return a copy of this hook that sends each request once."""
        copy = FlowServiceHook(self.flowservice_conn_id, retrigger_op=self.retrigger_op, retries=0)
        if "settings" in vars(self):  # so that the connection is not read again
            copy.settings = self.settings
        return copy

    def __getstate__(self) -> dict[str, Any]:
        """Leave secrets and sockets behind; a copy reads its connection again."""
        return {k: v for k, v in vars(self).items() if k not in ("settings", "_client")}

    def get_conn(self) -> FlowServiceClient:
        """Return the client behind this hook."""
        return self._client

    @staticmethod
    def drop_tokens() -> None:
        """
        Forget all access tokens of this process, so that the next request gets a new one.

        Permissions are fixed in a token when it is issued, so a changed role takes effect with the
        next token. After a 403, the client itself replaces a token that is older than five minutes.
        """
        from airflow_provider_flowservice._client.tokens import drop_tokens

        drop_tokens()

    def get_run(self, run_id: str) -> DataflowRun:
        """
        Return the current state of a dataflow run.

        :param run_id: ID of the run.
        :raises FlowServiceNotFoundError: The sandbox has no such run, or hides it.
        """
        return DataflowRun.from_api(self._client.get_item("runs", run_id))

    def get_runs(self, run_ids: Sequence[str]) -> dict[str, DataflowRun]:
        """
        Return the current state of several dataflow runs, with one request.

        :param run_ids: At most 100 IDs.
        :return: The runs by their IDs, without those that the service does not show.
        :raises FlowServiceApiError: The service refused, perhaps because it does not know the
            filter.
        :raises ValueError: There are more than 100 IDs, or a value cannot be an ID.
        """
        if len(run_ids) > LARGEST_PAGE:
            raise ValueError(f"{len(run_ids)} runs are too many for one request.")
        if not run_ids:
            return {}
        items = items_of(self._client.get_by_ids("runs", run_ids), "GET /runs")
        runs = (_read(DataflowRun.from_api, item) for item in items)
        return {run.run_id: run for run in runs if run.run_id in run_ids}

    def find_runs(self, run_ids: Sequence[str]) -> dict[str, DataflowRun]:
        """
        Return the current state of many dataflow runs, with a request for each 100 of them.

        :param run_ids: Any number of IDs.
        :return: The runs by their IDs, without those that the service does not show in bulk.
        """
        found: dict[str, DataflowRun] = {}
        try:
            for start in range(0, len(run_ids), LARGEST_PAGE):
                found |= self.get_runs(run_ids[start : start + LARGEST_PAGE])
        except FlowServiceApiError as error:
            # Perhaps the service does not know the filter.
            if error.http_status != 400:
                raise
        return found

    def list_runs(
        self,
        *,
        flow_id: str | None = None,
        status: str | None = None,
        created_after: int | None = None,
        filters: Sequence[str] = (),
        order_by: str = "-createdAt",
        limit: int | None = None,
    ) -> Iterator[DataflowRun]:
        """
        List dataflow runs; each page is requested when it is needed.

        :param flow_id: List only runs of this flow.
        :param status: List only runs with this status, in the service's spelling, such as
            ``failed``.
        :param created_after: List only runs created after this time, in epoch milliseconds.
        :param filters: Further filters, such as
            ``metrics.durationSummary.startedAtUTC>1700000000000``; a run must match all of them.
            Runs that have just begun may lack the fields under ``metrics``.
        :param order_by: Field to sort by; with a leading ``-``, the largest value comes first.
        :param limit: Largest number of runs to list; ``None`` for all.
        :raises ValueError: An argument is wrong, such as an empty ``flow_id``.
        """
        kinds.check(
            flow_id=(flow_id, kinds.ID.or_none()),
            status=(status, kinds.TEXT.or_none()),
            created_after=(created_after, kinds.EPOCH_MILLISECONDS.or_none()),
            filters=(filters, kinds.TEXTS),
            order_by=(order_by, kinds.TEXT),
            limit=(limit, kinds.POSITIVE.or_none()),
        )
        properties = [] if flow_id is None else [f"flowId=={flow_id}"]
        if status is not None:
            properties.append(f"metrics.statusSummary.status=={status}")
        if created_after is not None:
            properties.append(f"createdAt>{created_after}")
        properties += filters
        items = self._client.list_items("/runs", properties, order_by, limit)
        return (_read(DataflowRun.from_api, item) for item in items)

    def list_flows(self, *, filters: Sequence[str] = ()) -> Iterator[Dataflow]:
        """
        List the sandbox's dataflows; each page is requested when it is needed.

        The list includes the service's own flows and flows to destinations.

        :param filters: Such as ``state==enabled``; a flow must match all of them.
        """
        kinds.check(filters=(filters, kinds.TEXTS))
        items = self._client.list_items("/flows", filters)
        return (_read(Dataflow.from_api, item) for item in items)

    def get_flow(self, flow_id: str) -> Dataflow:
        """
        Return the current state of a dataflow.

        :param flow_id: ID of the flow.
        :raises FlowServiceNotFoundError: The sandbox has no such flow, or hides it.
        """
        return Dataflow.from_api(self._client.get_item("flows", flow_id))

    def get_source_connection(self, connection_id: str) -> SourceConnection:
        """
        Return a connection that a flow reads from.

        :param connection_id: One of the flow's ``source_connection_ids``.
        :raises FlowServiceNotFoundError: The sandbox has no such connection, or hides it.
        """
        return SourceConnection.from_api(self._client.get_item("sourceConnections", connection_id))

    def get_target_connection(self, connection_id: str) -> TargetConnection:
        """
        Return a connection that a flow writes to.

        :param connection_id: One of the flow's ``target_connection_ids``.
        :raises FlowServiceNotFoundError: The sandbox has no such connection, or hides it.
        """
        return TargetConnection.from_api(self._client.get_item("targetConnections", connection_id))

    def get_dataset_ids(self, flow: Dataflow) -> tuple[str, ...]:
        """
        Return the datasets that a flow writes to.

        :param flow: The flow, as :meth:`get_flow` returns it.
        :return: IDs of the datasets in its target connections; empty if they name none.
        :raises FlowServiceNotFoundError: The sandbox has no such connection, or hides it.
        :raises ValueError: ``flow`` is something else, such as an ID.
        """
        kinds.check(flow=(flow, _FLOW))
        targets = map(self.get_target_connection, flow.target_connection_ids)
        return tuple(dict.fromkeys(chain.from_iterable(each.dataset_ids for each in targets)))

    def test_source_account(self, account_id: str) -> bool:
        """
        Let the service test the account of a source, such as whether its credential is still valid.

        :param account_id: A source connection's ``account_id``.
        :return: Whether the account works.
        :raises FlowServiceNotFoundError: The sandbox has no such account, or hides it.
        :raises FlowServiceAnswerError: The service does not say whether it works.
        """
        return self._client.test_account(account_id)

    def retrigger_run(
        self, run_id: str, *, before_send: Callable[[], None] | None = None
    ) -> StartedRun:
        """
        Re-trigger a dataflow run: start a new run for the data of a failed one.

        The hook retries the request only if the service certainly did not start a run: no
        connection was made, or the service reported that it is too busy or that the run is not
        ready yet.

        :param run_id: ID of the failed run.
        :param before_send: Called right before the request is sent, each time and on a connection that
            is made already; if it raises, nothing is sent.
        :return: The new run. The old run does not change.
        :raises DataflowRunNotRetriggerableError: The service refuses to re-trigger this run.
        :raises FlowServiceConnectionError: No response came, so a new run may have started or not.
        :raises FlowServiceAnswerError: The response names no new run, though one may have started.
        """
        try:
            body = self._client.act("runs", run_id, self.retrigger_op, may_retry, before_send)
        except FlowServiceApiError as error:
            if reason := reason_of_refusal(error, NOT_RETRIGGERABLE):
                raise DataflowRunNotRetriggerableError(
                    f"Dataflow run {run_id} cannot be re-triggered: {reason}. {error}"
                ) from error
            raise
        return read_started(body, f"Re-triggering dataflow run {run_id}", run_id)

    def start_run(
        self,
        flow_id: str,
        *,
        window_start: str | datetime | None = None,
        window_end: str | datetime | None = None,
        start_time: str | datetime | None = None,
        delta_column: str | Mapping[str, str] | None = None,
        before_send: Callable[[], None] | None = None,
    ) -> StartedRun:
        """
        Start a run of a dataflow on demand.

        The hook retries the request as it retries a re-trigger. Times are cut off to seconds, and in UTC
        if they have no time zone.

        :param flow_id: ID of the flow: one of a batch source, scheduled once.
        :param window_start: Time from which on the run loads data; ``None`` for a request without window.
        :param window_end: Time up to which it does.
        :param start_time: When it is to begin; by default now, or in a minute if the service calls that the
            past.
        :param delta_column: The column that says when a row has changed: its name, or a dict with
            ``name``, ``dateFormat`` and ``timezone``. Only for tables, and only for the flow's first run.
        :param before_send: See :meth:`retrigger_run`.
        :raises DataflowNotStartableError: The service starts no run of this flow.
        :raises FlowServiceApiError: The service refuses the request otherwise, such as its parameters.
        :raises FlowServiceConnectionError: No response came, so a run may have started or not.
        :raises FlowServiceAnswerError: The response names no run, though one may have started.
        :raises ValueError: An argument is wrong.
        """
        arguments = {
            "flow_id": flow_id,
            "window_start": window_start,
            "window_end": window_end,
            "start_time": start_time,
            "delta_column": delta_column,
        }
        kinds.check(**{name: (value, START_KINDS[name]) for name, value in arguments.items()})
        if wrong := " ".join(conflicts_of_window(arguments)):
            raise ValueError(wrong)
        if start_time is not None and kinds.epoch_seconds(start_time) < int(self._now()):
            raise ValueError(
                f"start_time is {start_time!r}, which has passed: leave it out to start now."
            )
        tried = f"Starting a run of dataflow {flow_id}"
        try:
            body = self._post_start(arguments, before_send)
        except FlowServiceApiError as error:
            if reason := reason_of_refusal(error, NOT_STARTABLE):
                raise DataflowNotStartableError(f"{tried} is refused: {reason}. {error}") from error
            if reason := reason_of_refusal(error, WRONG_START):
                facts = (error.http_status, error.code, error.request_id, None, error.codes)
                raise FlowServiceApiError(
                    f"{tried} is refused: {reason}. {error}", *facts
                ) from error
            raise
        return read_started(body, tried)

    def _post_start(
        self, arguments: Mapping[str, Any], before_send: Callable[[], None] | None
    ) -> Any:
        """Post a start, once more for a minute later if the service's clock is ahead of ours."""
        begin = self._now
        post = partial(self._client.post, "/runs", may_retry, before_send)
        try:
            return post(body=lambda: start_request(arguments, begin))
        except FlowServiceApiError as error:
            if arguments["start_time"] is not None or not reason_of_refusal(error, IN_THE_PAST):
                raise
        return post(body=lambda: start_request(arguments, lambda: begin() + 60))

    def enable_flow(self, flow_id: str) -> None:
        """
        Enable a dataflow, such as before a re-trigger: the service re-triggers no run of a disabled one.

        For flows from sources, Adobe only documents the switch in its UI. Whether the service lets the
        connection's credential enable one is not documented.

        :param flow_id: ID of the flow.
        :raises FlowServiceApiError: The service refuses.
        """
        self._client.act("flows", flow_id, "enable")

    def disable_flow(self, flow_id: str) -> None:
        """
        Disable a dataflow, as :meth:`enable_flow` enables it.

        :param flow_id: ID of the flow.
        :raises FlowServiceApiError: The service refuses.
        """
        self._client.act("flows", flow_id, "disable")

    def iter_failed_records(
        self, run: DataflowRun, *, limit: int = 1000
    ) -> Iterator[dict[str, Any]]:
        """
        Iterate over the rows that a run has rejected; each file of them is requested when it is needed.

        A row has the fields of the source, and the reasons under ``_errors``. One that could not be
        parsed is a text under ``_corrupt_record``.

        :param run: From ``get_run``, or ``DataflowRun.from_summary(summary)`` of an XCom.
        :param limit: Largest number of rows.
        :raises FlowServiceNotFoundError: The service has no rows of the run: they are kept for 30 days,
            and only where error diagnostics is switched on for the flow.
        :raises FlowServiceAnswerError: An address does not lead to the service's diagnostics, or a file
            of rows is too large; with a smaller ``limit``, only its beginning is read.
        :raises ValueError: An argument is wrong.
        """
        kinds.check(run=(run, _RUN), limit=(limit, kinds.POSITIVE))
        if run.failed_records_url is not None:
            path = path_of(run.failed_records_url)
            return self._client.iter_rejected_rows(path, limit)
        if run.failed_records:
            raise FlowServiceNotFoundError(
                f"Dataflow run {run.run_id} rejected records ({run.failed_records}), but shows no "
                "address of its rejected records: error diagnostics may be off for the flow. Switch "
                "it on in Experience Platform, for the runs to come."
            )
        return iter(())

    def get_run_url(self, flow_id: str, run_id: str) -> str:
        """
        Return the address of a run in the Experience Platform UI.

        The address has the form of those in Adobe's alerts.

        :param flow_id: ID of the run's flow.
        :param run_id: ID of the run.
        """
        tenant = quote(self.settings.tenant, safe="@")
        sandbox = quote(self.settings.sandbox_name, safe="@")
        return (
            f"https://experience.adobe.com/#/@{tenant}/sname:{sandbox}/platform/source/dataflows"
            f"/{quote(flow_id, safe='')}/activity/{quote(run_id, safe='')}"
        )

    def test_connection(self) -> tuple[bool, str]:
        """
        Check the connection in stages: its fields, the token, the sandbox, the flows.

        :return: Whether the connection works, and the results of the stages.
        """
        from airflow_provider_flowservice._client.check import check_connection

        *passed, last = check_connection(self.flowservice_conn_id, self.get_conn)
        results = "".join(f"{stage.name}: ok, " for stage in passed)
        result = ": ok." if last.is_ok else " failed:"
        return last.is_ok, f"{results}{last.name}{result} {last.text}"


def _read(from_api: Callable[[Mapping[str, Any]], _T], item: Mapping[str, Any]) -> _T:
    try:
        return from_api(item)
    except ValueError as error:
        raise FlowServiceAnswerError(f"The response holds {error}.") from None
