"""Run an Airflow with the examples and an emulator, to explore in a browser."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from airflow_provider_flowservice._connection.form import HOOK_NAME
from airflow_provider_flowservice._defaults import CONN_ID
from airflow_provider_flowservice.emulator import FlowServiceEmulator
from airflow_provider_flowservice.emulator.seed import SEEDED_FAILED_RUN_ID
from dev.local_airflow import ROOT, LocalAirflow

DAG_ID = "example_flowservice_retrigger"


def main() -> int:
    """Serve until Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    port, worker_logs, trigger_logs = free_ports(8080, 8793, 8794)
    url = f"http://127.0.0.1:{port}"
    settings = {
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_logs),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs),
    }
    with FlowServiceEmulator(seed=True, step_seconds=10) as emulator:
        airflow = LocalAirflow("demo-ui", emulator, settings)
        print(f"Airflow starts; its log is {airflow.log.relative_to(ROOT)}.", flush=True)
        with airflow.command("standalone") as standalone:
            try:
                if not wait_until_up(url, standalone):
                    print("Airflow ended; see its log.", file=sys.stderr)
                    return 1
                print(welcome(url, emulator), flush=True)
                standalone.wait()
            except KeyboardInterrupt:
                print("\nStopping.", flush=True)
    return 0


WELCOME = """
Airflow             {url}
                    No login: every user of this machine's loopback address is admin.
Flow Service        {emulator.url}
                    An emulator, not Adobe's service.

Re-trigger a failed run
                    Open {url}/dags/{dag_id} and press Trigger.
Run to re-trigger   {run_id}

Fill in the connection form
                    Open {url}/connections and press Add Connection.
Connection ID       any; {conn_id} is taken by an environment variable,
                    which the page does not list and which goes first.
Connection Type     {conn_type}
Platform URL        {emulator.url}
Client ID           {emulator.client_id}
Client secret       {emulator.client_secret}
                    and under Extra Fields:
Organization ID     {emulator.org_id}
Sandbox name        {sandbox_name}
IMS URL             {emulator.url}

Ctrl-C stops everything."""


def welcome(url: str, emulator: FlowServiceEmulator) -> str:
    """Return what a new user needs to know."""
    return WELCOME.format(
        url=url,
        emulator=emulator,
        dag_id=DAG_ID,
        run_id=SEEDED_FAILED_RUN_ID,
        conn_id=CONN_ID,
        conn_type=HOOK_NAME,
        sandbox_name=emulator.connection["extra"]["sandbox_name"],
    )


def free_ports(*wanted: int) -> list[int]:
    """Return a free port for each wanted one, the wanted one if possible."""
    with ExitStack() as stack:
        return [_free_port(stack, port) for port in wanted]


def _free_port(stack: ExitStack, wanted: int) -> int:
    for port in wanted, 0:
        server = stack.enter_context(socket.socket())
        try:
            server.bind(("", port))
        except OSError:
            continue
        break
    return int(server.getsockname()[1])


def wait_until_up(url: str, standalone: subprocess.Popen[bytes]) -> bool:
    """Wait until Airflow responds, and return true; return false if it ends first."""
    opener = build_opener(ProxyHandler({}))
    while standalone.poll() is None:
        try:
            opener.open(f"{url}/api/v2/version", timeout=5).close()
        except (URLError, OSError):
            time.sleep(0.5)
        else:
            return True
    return False


if __name__ == "__main__":
    sys.exit(main())
