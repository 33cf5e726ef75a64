"""
Airflow's web page in a browser: from the connection form to the log, and no secret on the way.

The tests are one story, in order. ``SCREENSHOTS`` names a folder to keep the pictures in.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from playwright.sync_api import Error, expect, sync_playwright

from airflow_provider_flowservice._connection.form import FIELDS, HOOK_NAME
from airflow_provider_flowservice.emulator import Lifecycle
from airflow_provider_flowservice.emulator.seed import SEEDED_FAILED_RUN_ID
from integration.airflow_api import Run, wait_until
from integration.airflow_instance import AirflowInstance

pytestmark = pytest.mark.timeout(400)  # boots an Airflow of its own, without any connection

ROOT = Path(__file__).parents[2]
DAG_ID = "example_flowservice_retrigger"
REJECTING_DAG_ID = "example_flowservice_rejected_rows"
LINK = "Open dataflow run"
# A browser beside it slows everything on a small machine, and no process is killed here.
_PATIENCE = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "300",
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
}
_WRAPPED_LOGS = {"AIRFLOW__API__DEFAULT_WRAP": "True"}
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@pytest.fixture(scope="module")
def airflow():
    """An Airflow whose connection is still to be made."""
    if not CHROMIUM:
        pytest.skip("needs Chromium or Chrome on the path, such as from `apt-get install chromium`")
    # Airflow keeps the secret typed into the form, and would keep it legible without a key.
    key = {"AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode()}
    with AirflowInstance(
        [ROOT / "example_dags"], {**_PATIENCE, **_WRAPPED_LOGS, **key}
    ) as instance:
        yield instance


@pytest.fixture(scope="module")
def sent():
    """The data that the server has sent to the browser."""
    return []


@pytest.fixture(autouse=True)
def keep_what_was_sent(page, sent):
    """Read the answers to each test before the next one leaves the page and they are forgotten."""
    answers = []

    def keep(answer):  # Playwright takes no method of a list
        answers.append(answer)

    page.on("response", keep)
    yield
    page.remove_listener("response", keep)
    for answer in answers:
        if "/api/v2/" in answer.url or "/ui/" in answer.url:
            with suppress(Error):  # forgotten already
                sent.append(answer.text())


@pytest.fixture(scope="module")
def page(airflow):
    with sync_playwright() as playwright:
        # No sandbox, since Chromium refuses to make one for root; it sees this one server only.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1100, "height": 900}, base_url=airflow.url)
        context.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        context.route(
            "https://experience.adobe.com/**",
            lambda route: route.fulfill(body="Experience Platform", content_type="text/html"),
        )
        page = context.new_page()
        yield page
        browser.close()


@pytest.fixture(scope="module")
def shoot(page, tmp_path_factory):
    """Return a function that takes a picture of the page, or of a part of it."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return lambda name, part=None: (part or page).screenshot(
        path=folder / f"{name}.png", animations="disabled"
    )


@pytest.fixture(scope="module")
def run():
    """What the run of the example is kept in."""
    return {}


def open_log(page, run, task_id, text):
    """Show the log of a task once there is a text in it."""
    page.set_viewport_size({"width": 1100, "height": 1000})
    page.goto(f"/dags/{run.dag_id}/runs/{run.run_id}/tasks/{task_id}")
    page.get_by_text(text).first.wait_for()


def test_the_form_explains_itself(page, flowservice, shoot):
    page.goto("/connections")
    page.get_by_role("button", name="Add Connection").click()
    form = page.get_by_role("dialog")
    form.locator("[name=connection_id]").fill("flowservice_default")
    form.get_by_role("combobox").click()
    page.keyboard.type("Adobe")
    page.get_by_role("option", name=HOOK_NAME).first.click()
    form.get_by_label("Platform URL").fill(flowservice.url)
    form.get_by_label("Client ID").fill(flowservice.client_id)
    form.locator("[name=password]").fill(flowservice.client_secret)
    shoot("connection-standard", form)

    page.set_viewport_size({"width": 1100, "height": 1600})
    form.get_by_role("button", name="Extra Fields", exact=True).click()

    save = form.get_by_role("button", name="Save")
    for field in FIELDS:
        form.get_by_text(field.description).wait_for()
    expect(form.locator("[name=element_access_token]")).to_have_attribute("type", "password")
    expect(save).to_be_disabled()  # two required fields are empty
    form.locator("[name=element_org_id]").fill(flowservice.org_id)
    form.locator("[name=element_sandbox_name]").fill("staging")
    shoot("connection-extra", form)
    form.locator("[name=element_ims_url]").fill(flowservice.url)
    timeout = form.locator("[name=element_request_timeout]")
    timeout.fill("0")
    timeout.blur()
    expect(timeout).to_have_value("1")  # the least
    save.click()
    form.wait_for(state="hidden")
    page.get_by_text("flowservice_default").wait_for()


def test_the_connection_made_by_the_form_works(page, airflow, flowservice):
    with page.expect_response(re.compile("/connections/test$")) as told:
        page.get_by_role("button", name="Test Connection").click()

    # 3.3.2 asks for a port it has hidden itself, and then does not recognize the connection.
    if told.value.status == 400:
        assert "host or port to test differs" in told.value.text()
    else:
        assert told.value.json()["status"] is True
    assert "Connection success!" in airflow.cli("connections", "test", "flowservice_default")
    assert flowservice.count("GET /flows") > 0


def test_a_stored_secret_is_not_shown_again(page, flowservice):
    page.get_by_role("button", name="Edit Connection").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Client ID").wait_for()

    expect(form.locator("[name=password]")).to_have_value("***")
    expect(form.get_by_label("Client ID")).to_have_value(flowservice.client_id)


def test_the_example_runs_at_the_press_of_a_button(page, airflow, flowservice, shoot, run):
    wait_until(lambda: airflow.api.has_dag(DAG_ID), 60, f"DAG {DAG_ID} is parsed")
    page.set_viewport_size({"width": 1100, "height": 900})
    page.goto(f"/dags/{DAG_ID}")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")
    form.get_by_role("button", name="Run Parameters").wait_for()
    shoot("trigger", form)
    form.get_by_role("button", name="Trigger").click()
    page.wait_for_url(f"**/dags/{DAG_ID}/runs/*")

    run["run"] = Run(airflow.api, DAG_ID, page.url.rstrip("/").rpartition("/")[2])
    assert run["run"].wait() == "success", run["run"].log("retrigger")
    assert [source for source, _ in flowservice.retriggers].count(SEEDED_FAILED_RUN_ID) == 1


def test_the_button_opens_the_new_run(page, flowservice, shoot, run):
    page.goto(f"/dags/{DAG_ID}/runs/{run['run'].run_id}/tasks/retrigger/details")
    button = page.get_by_role("link", name=LINK)
    button.wait_for()
    shoot("link")
    with page.context.expect_page() as opened:
        button.click()

    new_run_id = dict(flowservice.retriggers)[SEEDED_FAILED_RUN_ID]
    expect(opened.value).to_have_url(re.compile(f"/activity/{new_run_id}$"))


def test_the_log_tells_the_story(page, flowservice, shoot, run):
    open_log(page, run["run"], "retrigger", "100 records written")
    shoot("log")

    new_run_id = dict(flowservice.retriggers)[SEEDED_FAILED_RUN_ID]
    told = page.inner_text("body")
    assert f"The new run of dataflow run {SEEDED_FAILED_RUN_ID} is {new_run_id}" in told
    assert "records read" in told


@pytest.mark.parametrize(
    ("picture", "rejected", "state"),
    [("rejected", 3, "success"), ("rejected-error", 100, "failed")],
)
def test_log_and_error_say_where_the_rejected_rows_are(
    page, airflow, flowservice, shoot, tmp_path, picture, rejected, state
):
    wait_until(lambda: airflow.api.has_dag(REJECTING_DAG_ID), 60, "the other example is parsed")
    run_id = flowservice.add_failed_run([Lifecycle(records=1200, failed_records=rejected)])
    run = airflow.trigger(REJECTING_DAG_ID, {"run_id": run_id, "folder": str(tmp_path)})

    assert run.wait() == state, run.log("load")
    new_run_id = dict(flowservice.retriggers)[run_id]
    summary = run.xcom("load", "summary")
    open_log(page, run, "load", summary["failed_records_url"])
    if state == "failed":  # leave out the traceback, which names files of this machine
        page.get_by_text("DataflowRunIncompleteError: ").first.click()
    shoot(picture)
    told = page.inner_text("body")
    (batch_id,) = summary["batch_ids"]
    assert f"{rejected} records rejected, batch {batch_id}. Reason: INGEST-1212-400" in told
    kept = (tmp_path / f"rejected-{new_run_id}.jsonl").read_text().splitlines()
    assert run.xcom("keep_rejected_rows") == len(kept) == rejected
    assert json.loads(kept[0])["_errors"]


def test_the_browser_was_sent_no_secret(sent, flowservice):
    everything = "\n".join(sent)

    assert flowservice.client_id in everything  # so it was recorded
    assert "100 records written" in everything
    assert flowservice.client_secret not in everything
    assert flowservice.issue_token().partition(".")[0] not in everything  # as every token begins
