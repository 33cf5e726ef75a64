"""Flows and runs to play with. Their ids are fixed, so that examples can name them."""

from __future__ import annotations

from airflow_provider_flowservice.emulator.lifecycle import Lifecycle
from airflow_provider_flowservice.emulator.scenario import Scenario

ORDERS_FLOW_ID = "f1000000-0000-4000-8000-000000000001"
LOYALTY_FLOW_ID = "f2000000-0000-4000-8000-000000000002"
WEB_EVENTS_FLOW_ID = "f3000000-0000-4000-8000-000000000003"
DESTINATION_FLOW_ID = "f4000000-0000-4000-8000-000000000004"
DISABLED_FLOW_ID = "f5000000-0000-4000-8000-000000000005"
SYSTEM_FLOW_ID = "f6000000-0000-4000-8000-000000000006"
#: Scheduled once, so that on-demand runs of it can be started; without runs.
BACKFILL_FLOW_ID = "f7000000-0000-4000-8000-000000000007"

#: Failed; its re-trigger succeeds.
SEEDED_FAILED_RUN_ID = "11111111-1111-4111-8111-aaaaaaaaaaaa"
#: Failed; its re-trigger succeeds with rejected records.
SEEDED_REJECTING_RUN_ID = "22222222-2222-4222-8222-aaaaaaaaaaaa"
#: Failed while processing; its re-trigger fails again.
SEEDED_NON_RETRYABLE_RUN_ID = "33333333-3333-4333-8333-aaaaaaaaaaaa"
#: Succeeded with nothing to ingest; its re-trigger succeeds.
SEEDED_EMPTY_RUN_ID = "44444444-4444-4444-8444-aaaaaaaaaaaa"
#: Succeeded with records; cannot be re-triggered.
SEEDED_SUCCESSFUL_RUN_ID = "55555555-5555-4555-8555-aaaaaaaaaaaa"
#: Still running; ends in success.
SEEDED_RUNNING_RUN_ID = "66666666-6666-4666-8666-aaaaaaaaaaaa"
#: Failed, and its flow is disabled.
SEEDED_DISABLED_RUN_ID = "77777777-7777-4777-8777-aaaaaaaaaaaa"
#: Failed, of a streaming flow; cannot be re-triggered.
SEEDED_STREAMING_RUN_ID = "88888888-8888-4888-8888-aaaaaaaaaaaa"
#: Failed, of a destination; cannot be re-triggered.
SEEDED_DESTINATION_RUN_ID = "99999999-9999-4999-8999-aaaaaaaaaaaa"

_MINUTE_MS = 60_000
_STEPS_OF_THE_RUNNING_RUN = 12
_MAPPING_ERROR = ("MAPPER-3700-400", "Mapper Transform Error")


def load(emulator: Scenario) -> None:
    """Add the flows and runs to an emulator."""
    _load_flows(emulator)
    _load_runs(emulator)
    emulator.plan(SEEDED_REJECTING_RUN_ID, Lifecycle.rejects(3, of=1200))
    non_retryable = Lifecycle(("inProgress", "failed"), error=_MAPPING_ERROR)
    emulator.plan(SEEDED_NON_RETRYABLE_RUN_ID, non_retryable)
    steps = ["inProgress"] * _STEPS_OF_THE_RUNNING_RUN
    emulator.script(SEEDED_RUNNING_RUN_ID, [*steps, "success"])


def _load_flows(emulator: Scenario) -> None:
    emulator.add_flow("Orders nightly (Amazon S3)", flow_id=ORDERS_FLOW_ID)
    emulator.add_flow("Loyalty members delta (SFTP)", flow_id=LOYALTY_FLOW_ID)
    emulator.add_flow("Web events (HTTP API)", batch=False, flow_id=WEB_EVENTS_FLOW_ID)
    emulator.add_flow("High-value customers to CRM", source=False, flow_id=DESTINATION_FLOW_ID)
    emulator.add_flow("Store visits archive (Azure Blob)", "disabled", flow_id=DISABLED_FLOW_ID)
    emulator.add_flow(
        "Datalake to UIS Flow",
        source=False,
        flow_id=SYSTEM_FLOW_ID,
        inheritedAttributes={"properties": {}},
    )
    emulator.add_flow("Orders backfill (Amazon S3)", frequency="once", flow_id=BACKFILL_FLOW_ID)


def _load_runs(emulator: Scenario) -> None:
    rows: list[tuple[str, str, str, int, int | None, tuple[str, str] | None]] = [
        (SEEDED_FAILED_RUN_ID, ORDERS_FLOW_ID, "failed", 300, None, None),
        (SEEDED_REJECTING_RUN_ID, LOYALTY_FLOW_ID, "failed", 290, None, None),
        (SEEDED_NON_RETRYABLE_RUN_ID, LOYALTY_FLOW_ID, "failed", 280, None, _MAPPING_ERROR),
        (SEEDED_EMPTY_RUN_ID, ORDERS_FLOW_ID, "success", 240, 0, None),
        (SEEDED_SUCCESSFUL_RUN_ID, ORDERS_FLOW_ID, "success", 180, 4200, None),
        (SEEDED_RUNNING_RUN_ID, LOYALTY_FLOW_ID, "inProgress", 2, None, None),
        (SEEDED_DISABLED_RUN_ID, DISABLED_FLOW_ID, "failed", 2000, None, None),
        (SEEDED_STREAMING_RUN_ID, WEB_EVENTS_FLOW_ID, "failed", 120, None, None),
        (SEEDED_DESTINATION_RUN_ID, DESTINATION_FLOW_ID, "failed", 60, None, None),
    ]
    now = emulator.now_ms()
    for run_id, flow_id, status, age, records, error in rows:
        created_at = now - age * _MINUTE_MS
        emulator.add_run(flow_id, status, run_id, created_at, records, error=error)
