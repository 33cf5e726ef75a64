"""Hook for the Flow Service of Adobe Experience Platform."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_flowservice._client.responses import LARGEST_PAGE, items_of
from airflow_provider_flowservice._client.retrigger_response import (
    RetriggeredRun,
    as_refusal,
    may_have_started_a_run,
    may_retry,
    read_retriggered,
)
from airflow_provider_flowservice._compat import BaseHook
from airflow_provider_flowservice._connection import form
from airflow_provider_flowservice._connection.settings import Settings
from airflow_provider_flowservice._defaults import CONN_ID
from airflow_provider_flowservice.exceptions import FlowServiceAnswerError, FlowServiceApiError
from airflow_provider_flowservice.flows import Dataflow, SourceConnection, TargetConnection
from airflow_provider_flowservice.runs import DataflowRun

if TYPE_CHECKING:
    from airflow_provider_flowservice._client.client import FlowServiceClient
    from airflow_provider_flowservice._client.retries import RetryLimits

__all__ = ["FlowServiceHook", "RetriggeredRun", "may_have_started_a_run"]

# The tutorial writes `re-trigger` and the published schema `RE_TRIGGER`; every example that calls
# the live service writes its operations in lower case.
RETRIGGER_OP = "re-trigger"


class FlowServiceHook(BaseHook):
    """
    Call the Flow Service with the credentials of an Airflow connection.

    :param flowservice_conn_id: Airflow connection of type ``flowservice``.
    :param retrigger_op: The service's word for re-triggering a run.
    :param retries: Times a request is repeated when the service is in trouble. A re-trigger is
        repeated only where the service surely did not take it.
    :param backoff: Seconds before the first repetition; each further one waits twice as long.
    :param longest_sleep: Seconds to sleep at most before a repetition. Where the service asks for
        more, the error is raised and carries the wish as ``retry_after``.
    """

    conn_name_attr = "flowservice_conn_id"
    default_conn_name = CONN_ID
    conn_type = form.CONN_TYPE
    hook_name = form.HOOK_NAME

    # The connection form, for Airflow before 3.2.
    get_connection_form_widgets = staticmethod(form.widgets)
    get_ui_field_behaviour = staticmethod(form.behaviour)

    def __init__(
        self,
        flowservice_conn_id: str = default_conn_name,
        *,
        retrigger_op: str = RETRIGGER_OP,
        retries: int = 3,
        backoff: float = 1.0,
        longest_sleep: float = 30.0,
    ) -> None:
        super().__init__()
        self.flowservice_conn_id = flowservice_conn_id
        self.retrigger_op = retrigger_op
        self.retries = retries
        self.backoff = backoff
        self.longest_sleep = longest_sleep

    @cached_property
    def settings(self) -> Settings:
        """
        What the Airflow connection says.

        :raises ValueError: Fields are missing or wrong.
        """
        return Settings.from_connection(self.get_connection(self.flowservice_conn_id))

    @cached_property
    def _client(self) -> FlowServiceClient:
        # Late, so that a DAG that names this hook loads no HTTP client when it is parsed.
        from airflow_provider_flowservice._client.client import FlowServiceClient

        return FlowServiceClient(self.settings, self.retry_limits)

    @property
    def retry_limits(self) -> RetryLimits:
        """How hard to try for one response."""
        from airflow_provider_flowservice._client.retries import RetryLimits

        return RetryLimits(self.retries, self.backoff, self.longest_sleep)

    def without_retries(self) -> FlowServiceHook:
        """Return a hook like this one that sends each request once."""
        return FlowServiceHook(self.flowservice_conn_id, retrigger_op=self.retrigger_op, retries=0)

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

        Permissions are fixed in a token when it is made: after an administrator has changed a role,
        only a new token knows. By itself a token is exchanged when it is some minutes old and meets
        a missing permission.
        """
        from airflow_provider_flowservice._client.tokens import drop_tokens

        drop_tokens()

    def get_run(self, run_id: str) -> DataflowRun:
        """
        Return a dataflow run as it stands now.

        :param run_id: ID of the run.
        :raises FlowServiceNotFoundError: The sandbox has no such run, or hides it.
        """
        return _run(self._client.get_item("runs", run_id))

    def get_runs(self, run_ids: Sequence[str]) -> dict[str, DataflowRun]:
        """
        Return several dataflow runs as they stand now, by their IDs, with one request.

        :param run_ids: At most 100 IDs. An ID the service does not show is missing in the answer.
        :raises FlowServiceApiError: The service refused, perhaps because it does not know the filter.
        """
        if len(run_ids) > LARGEST_PAGE:
            raise ValueError(f"{len(run_ids)} runs are too many for one request.")
        if not run_ids:
            return {}
        body = self._client.get_by_ids("runs", run_ids)
        runs = map(_run, items_of(body, "GET /runs"))
        return {run.run_id: run for run in runs if run.run_id in run_ids}

    def find_runs(self, run_ids: Sequence[str]) -> dict[str, DataflowRun]:
        """
        Return those runs that the service shows when it is asked for many at once.

        :param run_ids: Any number of IDs.
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
        filters: Iterable[str] = (),
        order_by: str = "-createdAt",
        limit: int | None = None,
    ) -> Iterator[DataflowRun]:
        """
        List dataflow runs, page by page as they are used.

        :param flow_id: Only runs of this flow.
        :param status: Only runs with this status, as the service writes it, such as ``failed``.
        :param created_after: Only runs created after this time, in epoch milliseconds.
        :param filters: Further filters, such as
            ``metrics.durationSummary.startedAtUTC>1700000000000``; all have to hold. Runs that have
            just begun may lack the fields under ``metrics``.
        :param order_by: Field to sort by; with ``-`` before it, the largest comes first.
        :param limit: Number of runs to list at most.
        :raises ValueError: The flow's ID is empty.
        """
        if flow_id is not None and not flow_id.strip():
            # A template that found nothing would otherwise ask for the runs of all flows.
            raise ValueError("The ID of a flow cannot be empty.")
        if limit is not None and limit < 1:
            return
        properties = [] if flow_id is None else [f"flowId=={flow_id}"]
        if status:
            properties.append(f"metrics.statusSummary.status=={status}")
        if created_after is not None:
            properties.append(f"createdAt>{created_after}")
        yield from map(
            _run, self._client.list_items("/runs", (*properties, *filters), order_by, limit)
        )

    def list_flows(self, *, filters: Iterable[str] = ()) -> Iterator[Dataflow]:
        """
        List the sandbox's dataflows, page by page as they are used.

        Among them are the service's own flows and those to destinations.

        :param filters: Such as ``state==enabled``; all have to hold.
        """
        yield from map(_flow, self._client.list_items("/flows", filters))

    def get_flow(self, flow_id: str) -> Dataflow:
        """
        Return a dataflow as it stands now.

        :param flow_id: ID of the flow.
        :raises FlowServiceNotFoundError: The sandbox has no such flow, or hides it.
        """
        return _flow(self._client.get_item("flows", flow_id))

    def get_source_connection(self, connection_id: str) -> SourceConnection:
        """
        Return where a flow reads.

        :param connection_id: One of the flow's ``source_connection_ids``.
        :raises FlowServiceNotFoundError: The sandbox has no such connection, or hides it.
        """
        return SourceConnection.from_api(self._client.get_item("sourceConnections", connection_id))

    def get_target_connection(self, connection_id: str) -> TargetConnection:
        """
        Return where a flow writes.

        :param connection_id: One of the flow's ``target_connection_ids``.
        :raises FlowServiceNotFoundError: The sandbox has no such connection, or hides it.
        """
        return TargetConnection.from_api(self._client.get_item("targetConnections", connection_id))

    def retrigger_run(self, run_id: str) -> RetriggeredRun:
        """
        Run a dataflow again for the data of a failed run.

        Repeated by itself only where the service surely did not take it: the connection was never
        made, or the service said that it is too busy, or that the run is not ready yet.

        :param run_id: ID of the failed run.
        :return: The new run. The old one stays as it is.
        :raises DataflowRunNotRetriggerableError: The service refuses to re-trigger this run.
        :raises FlowServiceConnectionError: No answer came, so a new run may have started or not.
        :raises FlowServiceAnswerError: The answer names no new run, though one may have started.
        """
        try:
            body = self._client.act("runs", run_id, self.retrigger_op, may_retry)
        except FlowServiceApiError as error:
            refusal = as_refusal(error, run_id)
            if refusal is error:
                raise
            raise refusal from error
        return read_retriggered(body, run_id)

    def get_run_url(self, flow_id: str, run_id: str) -> str:
        """
        Return the address of a run in the user interface of Experience Platform.

        The address follows the one in Adobe's alerts.

        :param flow_id: ID of the run's flow.
        :param run_id: ID of the run.
        """
        tenant, sandbox = (
            quote(name, safe="@") for name in (self.settings.tenant, self.settings.sandbox_name)
        )
        return (
            f"https://experience.adobe.com/#/@{tenant}/sname:{sandbox}/platform/source/dataflows"
            f"/{quote(flow_id, safe='')}/activity/{quote(run_id, safe='')}"
        )

    def test_connection(self) -> tuple[bool, str]:
        """Check the connection in stages: its fields, token, sandbox, flows. Never raises."""
        from airflow_provider_flowservice._client.check import check_connection

        stages = list(check_connection(self.flowservice_conn_id, self.get_conn))
        passed = [f"{stage.name}: ok" for stage in stages if stage.is_ok]
        last = stages[-1]
        if last.is_ok:
            return True, f"{', '.join(passed)}. {last.text}"
        return False, ", ".join([*passed, f"{last.name} failed: {last.text}"])


def _flow(item: Mapping[str, Any]) -> Dataflow:
    try:
        return Dataflow.from_api(item)
    except ValueError as error:
        raise FlowServiceAnswerError(f"The answer holds {error}.") from None


def _run(item: Mapping[str, Any]) -> DataflowRun:
    try:
        return DataflowRun.from_api(item)
    except ValueError as error:
        raise FlowServiceAnswerError(f"The answer holds {error}.") from None
