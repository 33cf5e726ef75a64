"""
Adobe's own client reads the emulator as it reads the service: ``make test-aepp``.

It has an environment of its own, without Airflow and the fixtures of the other tests.
"""

from __future__ import annotations

import pytest
from aepp import config, configs
from aepp.flowservice import FlowService

from airflow_provider_flowservice.emulator import FlowServiceEmulator, Lifecycle

SCOPES = "openid,AdobeID,read_organizations,additional_info.projectedProductContext,session"


@pytest.fixture
def emulator():
    with FlowServiceEmulator() as emulator:
        yield emulator


@pytest.fixture
def client(emulator):
    return client_of(emulator)


def client_of(emulator, scopes=SCOPES):
    """Return aepp's client with a token that it fetches itself."""
    configs.configure(
        org_id=emulator.org_id,
        client_id=emulator.client_id,
        secret=emulator.client_secret,
        scopes=scopes,
        sandbox="staging",
        environment="support",  # the only one that takes a host
        endpoint=emulator.url,
        retry=0,
    )
    config.config_object["oauthTokenEndpointV2"] = f"{emulator.url}/ims/token/v3"
    return FlowService()


@pytest.fixture
def runs(emulator):
    """Twenty-five runs r0 to r24 of a flow, of which every fifth failed."""
    flow_id = emulator.add_flow("Orders")
    for number in range(25):
        status = "success" if number % 5 else "failed"
        emulator.add_run(flow_id, status, f"r{number}", created_at=1000 + number)
    return [f"r{number}" for number in reversed(range(25))]


def ids(items):
    return [item["id"] for item in items]


def test_runs_are_read_page_by_page(emulator, client, runs):
    assert ids(client.getRuns(limit=10, n_results="inf")) == runs
    assert emulator.count("GET /runs") == 3


def test_a_page_is_enough_when_no_more_are_wanted(emulator, client, runs):
    assert ids(client.getRuns(limit=10, n_results=5)) == runs[:10]
    assert emulator.count("GET /runs") == 1


@pytest.mark.parametrize("word", ["failed", "Failed"])
@pytest.mark.usefixtures("runs")
def test_failed_runs_are_found_on_all_pages(client, word):
    failed = f"metrics.statusSummary.status=={word}"

    found = client.getRuns(limit=2, n_results="inf", prop=[failed, "createdAt>1000"])

    assert ids(found) == ["r20", "r15", "r10", "r5"]


@pytest.mark.usefixtures("runs")
def test_a_run_is_read_with_what_it_rejected(emulator, client):
    (flow_id,) = emulator.flow_ids
    run_id = emulator.add_run(flow_id, ended=Lifecycle.rejects(3, of=1200))

    (run,) = client.getRun(run_id)

    assert run == emulator.run(run_id)
    assert run["metrics"]["recordSummary"]["failedRecordCount"] == 3


def test_flows_are_read_page_by_page(emulator, client):
    sources = [emulator.add_flow(f"Source {number}") for number in range(5)]
    emulator.add_flow("CRM", source=False)

    every = client.getFlows(limit=2, n_results="inf")
    only_sources = client.getFlows(limit=2, n_results="inf", onlySources=True)

    assert sorted(ids(every)) == sorted(emulator.flow_ids)
    assert sorted(ids(only_sources)) == sorted(sources)


def test_a_flow_leads_to_what_is_around_it(emulator, client):
    flow_id = emulator.add_flow("Orders")

    flow = client.getFlow(flow_id)
    source = client.getSourceConnection(flow["sourceConnectionIds"][0])
    target = client.getTargetConnection(flow["targetConnectionIds"][0])
    spec = client.getFlowSpec(flow["flowSpec"]["id"])

    assert flow == emulator.flow(flow_id)
    assert source["params"]["path"]
    assert target["params"]["dataSetId"]
    assert spec["name"] == "CloudStorageToAEP"


@pytest.mark.parametrize("works", [True, False])
def test_the_account_of_a_source_is_tested(emulator, client, works):
    flow = client.getFlow(emulator.add_flow(source_account_works=works))
    account_id = client.getSourceConnection(flow["sourceConnectionIds"][0])["baseConnectionId"]

    assert client.connectionTest(account_id) == {"result": works}


def test_specifications_are_found_by_name(client):
    (spec,) = client.getFlowSpecs("name==CloudStorageToAEP")
    spec_id = client.getConnectionSpecIdFromName("amazon-s3")

    assert spec["attributes"]["frequency"] == "batch"
    assert client.getConnectionSpec(spec_id)["items"][0]["name"] == "amazon-s3"


def test_a_flow_is_switched_off(emulator, client):
    flow_id = emulator.add_flow()
    client.postFlowAction(flow_id, "disable")

    assert emulator.flow(flow_id)["state"] == "disabled"


def test_an_on_demand_run_is_started(emulator, client):
    flow_id = emulator.add_flow(frequency="once")
    params = {"startTime": "9999999999", "windowStartTime": "1", "windowEndTime": "2"}

    answer = client.createRun(flow_id, params=params)

    assert emulator.starts == [(flow_id, answer["items"][0]["id"])]
    assert emulator.run(answer["items"][0]["id"])["params"] == params


def test_lists_that_are_not_played_are_refused_in_words(client):
    assert client.getConnections()["title"] == "Not played here"


def test_no_token_is_given_to_too_few_scopes(emulator, capsys):
    with pytest.raises(KeyError):
        client_of(emulator, scopes="openid")

    assert "invalid_scope" in capsys.readouterr().out
