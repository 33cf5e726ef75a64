"""
Whatever the service answers, there is a value or one of our errors, and no second re-trigger.

Every answer comes over a real socket.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from itertools import cycle, islice

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airflow_provider_flowservice._client.tokens import Token, drop_tokens
from airflow_provider_flowservice.exceptions import FlowServiceError
from airflow_provider_flowservice.flows import Dataflow
from airflow_provider_flowservice.hooks.flowservice import FlowServiceHook, StartedRun
from airflow_provider_flowservice.runs import DataflowRun
from helpers.canned_server import CannedServer, http_answer
from helpers.secret_scan import SECRET

pytestmark = pytest.mark.once

TOKEN = http_answer(200, {"access_token": f"planted-token-{SECRET}", "expires_in": 86399})

# The words of the service, so that fuzzed answers are nearly right.
KEYS = [
    "items",
    "id",
    "flowId",
    "state",
    "status",
    "metrics",
    "statusSummary",
    "durationSummary",
    "recordSummary",
    "errors",
    "code",
    "message",
    "extensions",
    "activities",
    "_links",
    "next",
    "href",
    "type",
    "title",
    "report",
    "detailed-message",
    "request-id",
    "errorMessage",
    "errorDetails",
    "error_code",
    "error",
    "error_description",
    "etag",
    "sandboxes",
    "name",
    "inheritedAttributes",
    "properties",
    "access_token",
    "expires_in",
    "createdAt",
    "startedAtUTC",
    "windowStart",
]
WORDS = [
    *(
        "r1",
        "r2",
        "f1",
        "",
        " ",
        "staging",
        "success",
        "failed",
        "inProgress",
        "\ud800",
        "a\r\nb\x00",
    ),
    *("1387-400", "1388-400", "FLOW-1401-400", "429050", 429050, "401013", "x" * 3000, "planted"),
    *("/runs?continuationToken=a+b==", "/runs?", "?", "https://x/?a", "//[", "%", "/runs?a=%ff"),
    *(
        f"https://ns.adobe.com/aep/errors/FLOW-{code}"
        for code in ("1103-503", "1439-404", "1387-400")
    ),
    *("Error from flow provider: 1387-400: again", "http://[", "2024-01-01", "1e400", "NaN"),
]
NUMBERS = [0, -1, 1, 7, 1_700_000_000, 1_700_000_000_000, 2**63, 10**400, 0.5, 1e308, float("nan")]
HEADERS = {
    "Retry-After": [
        "0",
        "7",
        "3600",
        "-1",
        "soon",
        "Wed, 21 Oct 2015 07:28:00 GMT",
        "9" * 50,
        "\xff",
    ],
    "x-request-id": ["q3f7", "", "\xe9" * 300],
    "Content-Type": ["application/json", "text/html", ""],
    "Content-Encoding": ["gzip", "br", "identity", "gzip, gzip", "\xff"],
    "Content-Length": ["0", "3", "100000", "-1", "x", "1, 2"],
    "Transfer-Encoding": ["chunked", "gzip", "x"],
    "Location": ["/elsewhere", "http://127.0.0.1:1/", "http://[", "\xff"],
    "Set-Cookie": ["a=b", "=;=;\xff", "a=b; Max-Age=x; Domain=.."],
    "Connection": ["keep-alive", "close", "x"],
}
STATUSES = [200] * 6 + [201, 202, 204, 206, 301, 302, 304, 307]
STATUSES += [400] * 3 + [401, 403, 404, 408, 409, 412, 418, 429] + [500, 502, 503, 503, 504]
STATUSES += [100, 101, 199, 299, 599, 600, 999, 0, 7, 1000, "abc", ""]

VERBS = {
    "get_run": (lambda hook: hook.get_run("r1"), DataflowRun),
    "get_runs": (lambda hook: hook.get_runs(["r1", "r2"]), dict),
    "list_runs": (lambda hook: list(hook.list_runs(flow_id="f1", limit=5)), list),
    "list_flows": (lambda hook: list(islice(hook.list_flows(), 5)), list),
    "get_flow": (lambda hook: hook.get_flow("f1"), Dataflow),
    "retrigger_run": (lambda hook: hook.retrigger_run("r1"), StartedRun),
    "test_connection": (lambda hook: hook.test_connection(), tuple),
}
OUTAGE_TIMEOUT = {"retries": 1, "backoff": 0, "longest_sleep": 0}
# RunLoader are harmless, so the soak spends no time on repeating them.
IMPATIENCE = {**OUTAGE_TIMEOUT, "retries": 0}

scalars = st.none() | st.booleans() | st.sampled_from(WORDS) | st.sampled_from(NUMBERS) | st.text()
bodies = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=20,
)
answers = st.builds(
    http_answer,
    st.sampled_from(STATUSES) | st.integers(0, 1100),
    bodies
    | st.binary(max_size=200)
    | st.sampled_from([b"", b"<html><title>No</title>", b"\x1f\x8b"]),
    st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(values) for name, values in HEADERS.items()}
    ),
)


class Service(CannedServer):
    """Grants tokens, and answers all else as told."""

    def __init__(self):
        self.token = TOKEN
        self.answer_to_all = b""
        super().__init__(self._choose)

    def _choose(self, request):
        return self.token if request.startswith("POST /ims/") else self.answer_to_all

    @property
    def connection(self):
        connection = super().connection
        connection["extra"] = {
            "org_id": "ORG@AdobeOrg",
            "sandbox_name": "staging",
            "ims_url": self.url,
            "request_timeout": 2,
        }
        return {**connection, "login": "id", "password": SECRET}


@pytest.fixture(scope="module")
def service():
    drop_tokens()
    with Service() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_FLOWSERVICE_DEFAULT", json.dumps(server.connection))
        yield server
    drop_tokens()


@pytest.fixture(scope="module")
def hook(service):
    return FlowServiceHook(**OUTAGE_TIMEOUT)


def is_sure_refusal(answer):
    """Whether an answer is documented to say that nothing was done, and that it may be later."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split()[1]
    if status in (b"401", b"429"):
        return True
    if status == b"503":
        return b"-503" in body and body.startswith(b"{")
    codes = (b"1387-400", b"429050", b"2114-400", b"2115-400")
    return status[:1] in (b"3", b"4") and any(code in body for code in codes)


def checked(error):
    """Check what holds for every error."""
    assert str(error).isprintable()
    assert SECRET not in f"{error!r} {vars(error)}"
    return error


def try_verb(service, hook, verb, answer):
    """Call a verb, and say what came of it."""
    call, kind = VERBS[verb]
    service.answer_to_all = answer
    service.heads.clear()
    try:
        result = call(hook)
    except FlowServiceError as error:
        result = checked(error)
    else:
        assert type(result) is kind
    posts = [seen for seen in service.seen if "/action" in seen]
    if len(posts) > 1:
        assert is_sure_refusal(answer), answer
    return type(result).__name__


@pytest.mark.parametrize("verb", VERBS)
@given(answer=answers | st.binary(max_size=300))
@example(answer=http_answer(200, b"[" * 50_000))
@example(answer=http_answer(400, {"type": "FLOW-1387-400"}))
@example(answer=http_answer(503, {"error_code": "FLOW-1103-503"}))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_any_answer_to_any_verb_is_a_value_or_one_of_our_errors(service, hook, verb, answer):
    try_verb(service, hook, verb, answer)


@given(answer=answers | st.binary(max_size=300))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_any_answer_of_ims_is_a_token_or_one_of_our_errors(service, answer):
    drop_tokens()
    service.token = answer
    try:
        token = FlowServiceHook(**OUTAGE_TIMEOUT).get_conn().get_token()
    except FlowServiceError as error:
        checked(error)
    else:
        assert type(token) is Token
        assert token.lifetime > 0
    finally:
        service.token = TOKEN
        drop_tokens()


@given(run_id=st.text() | st.none() | st.integers() | st.sampled_from(WORDS))
@settings(max_examples=150)
def test_any_id_is_refused_or_asks_for_one_thing_below_runs(service, hook, run_id):
    service.answer_to_all = http_answer(404, {})
    service.heads.clear()
    for verb in (hook.get_run, hook.retrigger_run):
        with pytest.raises((ValueError, FlowServiceError)):
            verb(run_id)

    for seen in service.seen:
        if not seen.startswith("POST /ims/"):
            path = seen.split()[1].removeprefix("/data/foundation/flowservice/runs/")
            assert path.removesuffix("/action?op=re-trigger").count("/") == 0
            assert "?" not in path.removesuffix("?op=re-trigger")


@given(text=st.text() | st.sampled_from(WORDS).map(str), limit=st.none() | st.integers(-5, 300))
@settings(max_examples=100)
def test_any_filter_is_refused_or_asks_once_for_runs(service, hook, text, limit):
    service.answer_to_all = http_answer(200, {"items": []})
    service.heads.clear()
    try:
        listed = list(hook.list_runs(flow_id=text, status=text, filters=[text], limit=limit))
    except ValueError:  # a blank flow, or half a character
        assert service.seen == []
    else:
        assert listed == []
        assert all(
            seen.startswith("GET /data/foundation/flowservice/runs?") for seen in service.seen
        )


# A soak


class Fuzzer:
    """Makes answers quickly, by chance and by what the documented ones look like."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def value(self, depth=0):
        """Make any JSON value."""
        choice = self.random.random()
        if depth > 4 or choice < 0.25:
            return self.random.choice(WORDS)
        if choice < 0.4:
            return self.random.choice([*NUMBERS, None, True, False])
        if choice < 0.55:
            return [self.value(depth + 1) for _ in range(self.random.randrange(3))]
        keys = self.random.sample(KEYS, self.random.randrange(6))
        return {key: self.value(depth + 1) for key in keys}

    def document(self):
        """Make something near an answer: an item or an error, with parts of it spoilt."""
        document = {
            "id": self.random.choice(["r1", "r2", "f1"]),
            "flowId": "f1",
            "type": self.random.choice(WORDS),
            "metrics": {"statusSummary": {"status": "success"}},
            "name": "staging",
        }
        for key in self.random.sample(sorted(document), self.random.randrange(3)):
            document[key] = self.value(2)
        if self.random.random() < 0.6:
            link = {"next": {"href": self.random.choice(WORDS)}}
            document = {"items": [document], "sandboxes": [document], "_links": link}
        return document

    def body(self):
        """Make a body."""
        choice = self.random.random()
        if choice < 0.4:
            return self.document()
        if choice < 0.75:
            return self.value()
        if choice < 0.85:
            return self.random.randbytes(self.random.randrange(200))
        whole = json.dumps(self.document()).encode()
        return whole[: self.random.randrange(len(whole))]

    def answer(self):
        """Make a whole answer."""
        if self.random.random() < 0.03:
            return self.random.randbytes(self.random.randrange(300))
        names = self.random.sample(sorted(HEADERS), self.random.choice([0, 0, 0, 1, 2]))
        headers = {name: self.random.choice(HEADERS[name]) for name in names}
        return http_answer(self.random.choice(STATUSES), self.body(), headers)


@pytest.mark.timeout(300)
def test_a_soak_of_five_thousand_answers(service, hook, tell):
    seed = 20_240_607
    fuzzer, outcomes, began = Fuzzer(seed), Counter(), time.monotonic()
    hooks = {verb: FlowServiceHook(**IMPATIENCE) for verb in VERBS} | {"retrigger_run": hook}
    for verb in islice(cycle(VERBS), 5_000):
        outcomes[try_verb(service, hooks[verb], verb, fuzzer.answer())] += 1
    seconds = time.monotonic() - began

    assert outcomes.total() == 5_000
    assert len(outcomes) >= 12  # values of all kinds, and errors of most
    told = ", ".join(f"{count} {name}" for name, count in outcomes.most_common())
    tell(f"soak: 5000 fuzzed answers (seed {seed}) in {seconds:.0f} s: {told}")
