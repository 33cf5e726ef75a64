"""Filters, order and pages."""

from __future__ import annotations

import pytest

from airflow_provider_flowservice.emulator.filters import values_at


@pytest.fixture
def runs(emulator, flow_id):
    """Five runs r0 to r4, of which the odd ones failed."""
    for n in range(5):
        status = "failed" if n % 2 else "success"
        emulator.add_run(flow_id, status, f"r{n}", created_at=1000 + n)


def ids(answer):
    return [item["id"] for item in answer["items"]]


@pytest.mark.usefixtures("runs")
def test_the_newest_come_first(client):
    assert ids(client.get("/runs")) == ["r4", "r3", "r2", "r1", "r0"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["id==r1,r3,r9"], ["r1", "r3"]),
        (["id!=r1,r3"], ["r0", "r2", "r4"]),
        (['id=="r1"'], ["r1"]),
        (["createdAt>1002"], ["r3", "r4"]),
        (["createdAt>=1002", "createdAt<1004"], ["r2", "r3"]),
        (["createdAt<=1000"], ["r0"]),
        (["metrics.statusSummary.status==failed"], ["r1", "r3"]),
        (["metrics.statusSummary.status==Failed"], ["r1", "r3"]),
        (["metrics.statusSummary.status!=FAILED"], ["r0", "r2", "r4"]),
        (["id==R1"], []),
        (["activities[].name==Promotion Activity"], ["r0", "r2", "r4"]),
        (["activities.name==Promotion Activity"], []),
        (["params.dataSetId!=x"], []),
        (["state==inProgress"], []),
        (["flowId==elsewhere"], []),
        (["metrics.recordSummary.outputRecordCount>99", "id==r1,r2"], ["r2"]),
    ],
)
@pytest.mark.usefixtures("runs")
def test_filters_narrow_a_list(client, filters, expected):
    assert ids(client.get("/runs", *filters, orderby="createdAt")) == expected
    assert client.get("/runs", *filters, count="true") == {"count": len(expected)}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("property=nonsense==1", "1449"),
        ("property=flowId==x,status==y&property=nothing", "1449"),
        ("property=id%3E=r1", "1448"),
        ("property=id~r", "1440"),
        ("property=createdAt!%3E5", "1450"),
        ("property=id=r1", "1450"),
        ("property=createdAt==", "1453"),
        ("property=createdAt%3Cyesterday", "1452"),
        ("property=flowId%3Cyesterday", "1454"),
        ("property=createdAt%3C=1,2", "1443"),
        ("orderby=createdAt:desc", "1433"),
        ("orderby=+createdAt", "1432"),
        ("limit=0", "1451"),
        ("limit=many", "1451"),
        ("limit=1&count=true", "1401"),
        ("continuationToken=made-up", "1451"),
        ("continuationToken=n+/bm9wZQ==", "1451"),
    ],
)
@pytest.mark.usefixtures("runs")
def test_a_bad_query_is_refused(client, query, code):
    status, answer = client.send("GET", f"/data/foundation/flowservice/runs?{query}")

    assert status == 400
    assert answer["type"].endswith(f"/FLOW-{code}-400")


@pytest.mark.parametrize(
    ("orderby", "expected"),
    [
        ("+createdAt", ["r0", "r1", "r2", "r3", "r4"]),
        ("-id", ["r4", "r3", "r2", "r1", "r0"]),
        ("metrics.statusSummary.status,-createdAt", ["r3", "r1", "r4", "r2", "r0"]),
        ("metrics.recordSummary.outputRecordCount,createdAt", ["r1", "r3", "r0", "r2", "r4"]),
    ],
)
@pytest.mark.usefixtures("runs")
def test_a_list_can_be_ordered(client, orderby, expected):
    assert ids(client.get("/runs", orderby=orderby)) == expected


@pytest.mark.parametrize("paging", ["relative", "data", "absolute"])
@pytest.mark.usefixtures("runs")
def test_pages_follow_one_another_with_filter_and_order(emulator, client, paging):
    emulator.paging = paging
    answer = client.get("/runs", "id!=r2", orderby="createdAt", limit=2)
    href = answer["_links"]["next"]["href"]
    start = {"relative": "/runs?", "data": "/data/", "absolute": emulator.url}[paging]
    base = "/data/foundation/flowservice" if paging == "relative" else ""
    _, second = client.send("GET", base + href.removeprefix(emulator.url))

    assert ids(answer) == ["r0", "r1"]
    assert href.startswith(start)
    assert ids(second) == ["r3", "r4"]
    assert second["_links"] == {}


@pytest.mark.usefixtures("runs")
def test_a_token_stands_encoding_but_no_tampering(client):
    href = client.get("/runs", limit=2)["_links"]["next"]["href"]
    token = href.partition("=")[2]
    path = "/data/foundation/flowservice/runs?continuationToken="
    encoded = token.replace("+", "%2B").replace("=", "%3D")

    assert {"+", "/", "="} <= set(token)
    for same in (encoded, token.partition("=")[0]):
        assert ids(client.send("GET", path + same + "&limit=4")[1]) == ["r2", "r1"]
    for tampered in (token[:-5], token.replace("+", "%20"), token.replace("+", "%252B")):
        assert client.send("GET", path + tampered)[0] == 400


def test_a_page_has_at_most_a_hundred_items(emulator, client, flow_id):
    for _ in range(101):
        emulator.add_run(flow_id)

    assert len(client.get("/runs", limit=300)["items"]) == 100
    assert len(client.get("/runs")["items"]) == 100


@pytest.mark.usefixtures("runs")
def test_filters_on_ids_may_not_be_honoured(emulator, client):
    emulator.honour_id_filter = "first"
    assert ids(client.get("/runs", "id==r1,r2")) == ["r1"]

    emulator.honour_id_filter = False
    status, answer = client.send("GET", "/data/foundation/flowservice/runs?property=id==r1")
    assert (status, answer["report"]["detailed-message"]) == (400, "Invalid field id in filter.")


def test_flows_are_listed_without_transformations(emulator, client, flow_id):
    emulator.add_flow("off", "disabled")
    emulator.add_flow("out", source=False)

    enabled = client.get("/flows", "state==enabled", orderby="name")["items"]
    sources = client.get("/flows", "inheritedAttributes.properties.isSourceFlow==true")
    (full,) = client.get(f"/flows/{flow_id}")["items"]

    assert [flow["name"] for flow in enabled] == ["Orders nightly", "out"]
    assert {flow["name"] for flow in sources["items"]} == {"Orders nightly", "off"}
    assert "transformations" in full
    assert not any("transformations" in flow for flow in enabled)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/connectionSpecs", {"amazon-s3", "Data Lake"}),
        (
            "/flowSpecs",
            {"CloudStorageToAEP", "Streaming source with mapping", "ProfileToCloudStorage"},
        ),
    ],
)
def test_specs_come_in_pages_and_one_by_one(client, path, names):
    everything = client.get(path)
    pages = [client.get(path, limit=1)]
    while following := pages[-1]["_links"].get("next"):
        pages.append(client.get(following["href"]))

    assert {spec["name"] for spec in everything["items"]} == names
    assert [len(page["items"]) for page in pages] == [1] * len(names)
    assert [spec for page in pages for spec in page["items"]] == everything["items"]
    for spec in everything["items"]:
        assert client.get(path, f"name=={spec['name']}")["items"] == [spec]
        assert client.get(f"{path}/{spec['id']}")["items"] == [spec]


def test_a_path_reaches_through_arrays_and_objects():
    item = {"a": [{"b": {"c": 1}}, {"b": {}}, {"b": {"c": 2}}], "d": [3, 4]}

    assert list(values_at(item, "a[].b.c")) == [1, 2]
    assert list(values_at(item, "d[]")) == [3, 4]
    assert list(values_at(item, "d.e")) == []
