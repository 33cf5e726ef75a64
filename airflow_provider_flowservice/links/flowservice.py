"""Link from a task to its dataflow run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_flowservice._compat import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow_provider_flowservice._compat import BaseOperator


class DataflowRunLink(BaseOperatorLink):
    """Button that opens the dataflow run in the Experience Platform UI."""

    name = "Open dataflow run"
    xcom_key = "_link_DataflowRunLink"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address that the task stored when it knew the run."""
        return XCom.get_value(ti_key=ti_key, key=self.xcom_key) or ""
