"""
Lineage for OpenLineage: the sources and targets of a run.

OpenLineage is optional: it calls these methods by their names, and they import it only then. It
calls them in a separate process and treats an error as missing lineage, so lineage never fails or
delays a task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from airflow_provider_flowservice.assets.flowservice import dataset_uri, openlineage_name

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import RunFacet

    from airflow_provider_flowservice.flows import Dataflow
    from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook
    from airflow_provider_flowservice.runs import DataflowRun


# Of a run's summary; the numbers of what arrived are in a facet of the output.
_FACTS = (
    "input_records",
    "updated_records",
    "skipped_records",
    "failed_records",
    "skipped_files",
    "failed_files",
    "input_bytes",
    "batch_ids",
    "failed_records_url",
    "sample_errors_url",
)


class LineageMixin:
    """Methods that OpenLineage calls on a task which requests a run or waits for one."""

    run_id: str
    flowservice_conn_id: str
    hook_params: dict[str, Any]

    seen_run: DataflowRun | None = None
    """The run of the task, as last seen in this process."""

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any]:
        """Return the sources and targets of the run."""
        return self._lineage()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the sources and targets of the run, and how much it loaded."""
        return self._lineage()

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the sources and targets of the run, and why it failed."""
        from openlineage.client.facet_v2 import error_message_run

        lineage = self._lineage()
        if self.seen_run is not None:
            lineage.run_facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
                message=self.seen_run.description, programmingLanguage="python"
            )
        return lineage

    def _lineage(self) -> OperatorLineage[Any, Any]:
        from airflow.providers.openlineage.extractors import OperatorLineage
        from openlineage.client.facet_v2 import external_query_run

        from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook

        run = self.seen_run
        hook = FlowServiceHook(self.flowservice_conn_id, **self.hook_params).without_retries()
        flow = hook.get_flow(self._flow_id_for_lineage(hook))
        lineage: OperatorLineage[Any, Any] = OperatorLineage(
            inputs=_inputs(hook, flow), outputs=_outputs(hook, flow, run)
        )
        if run is not None:
            lineage.run_facets["externalQuery"] = external_query_run.ExternalQueryRunFacet(
                externalQueryId=run.run_id, source=hook.get_run_url(run.flow_id, run.run_id)
            )
            lineage.run_facets["flowservice_run"] = _run_facet(run)
        return lineage

    def _flow_id_for_lineage(self, hook: FlowServiceHook) -> str:
        return (self.seen_run or hook.get_run(self.run_id)).flow_id


def _run_facet(run: DataflowRun) -> RunFacet:
    """Return what OpenLineage's own facets have no place for."""
    import attr
    from openlineage.client.facet_v2 import RunFacet

    summary: dict[str, Any] = {**run.summary}
    facts = {name: summary[name] for name in _FACTS}
    facet = attr.make_class("FlowServiceRunFacet", list(facts), bases=(RunFacet,), kw_only=True)
    return cast("RunFacet", facet(**facts))


def _inputs(hook: FlowServiceHook, flow: Dataflow) -> list[InputDataset]:
    from openlineage.client.event_v2 import InputDataset

    settings = hook.settings
    sandbox = dataset_uri(settings.org_id, settings.sandbox_name, "").removesuffix("dataset/")
    inputs = []
    for source in map(hook.get_source_connection, flow.source_connection_ids):
        # The account stands for the server, whose address the service does not show.
        account = quote(source.account_id or source.connection_id, safe="")
        name = source.name or source.connection_id
        inputs.append(InputDataset(namespace=f"{sandbox}connection/{account}", name=name))
    return inputs


def _outputs(hook: FlowServiceHook, flow: Dataflow, run: DataflowRun | None) -> list[OutputDataset]:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset

    facets = {}
    if run is not None and run.is_terminal:
        statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=run.ingested_records, size=run.output_bytes, fileCount=run.output_files
        )
        facets = {"outputStatistics": statistics}
    settings = hook.settings
    dataset_ids = run.dataset_ids if run else ()
    outputs = []
    for dataset_id in dataset_ids or hook.get_dataset_ids(flow):
        uri = dataset_uri(settings.org_id, settings.sandbox_name, dataset_id)
        outputs.append(OutputDataset(*openlineage_name(uri), outputFacets=dict(facets)))
    return outputs
