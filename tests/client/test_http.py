"""HTTP as this package speaks it: verified, bounded, unredirected, and silent about secrets."""

from __future__ import annotations

import gzip
import http.client
import logging
import socket
import ssl
import subprocess
import time
from email.utils import formatdate

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import NewConnectionError, ProtocolError, ProxyError

from airflow_provider_flowservice._client.http import (
    HttpSession,
    connection_error,
    parse_retry_after,
)
from airflow_provider_flowservice._client.tokens import Token
from airflow_provider_flowservice.exceptions import (
    FlowServiceAnswerError,
    FlowServiceConnectionError,
)
from helpers.canned_server import CannedServer, http_answer, raw_server

AUTH = Token("planted-token-emulator-secret-5f3c9a", 60)


@pytest.fixture
def session():
    """Return a function that makes a session."""
    defaults = {"ca_bundle": None, "timeout": 5.0, "largest_response": 10_000}
    return lambda **kwargs: HttpSession(**{**defaults, **kwargs})


def get(session, server, method="GET"):
    return session.send(method, f"{server.url}/runs", auth=AUTH)


# What an answer is


def test_an_answer_is_its_json(session):
    with CannedServer(lambda _: http_answer(207, {"a": [1]}, {"X": "y"})) as server:
        answer = get(session(), server)

    assert (answer.http_status, answer.body, answer.text) == (207, {"a": [1]}, "")
    assert answer.headers["x"] == "y"
    assert answer.is_success


@pytest.mark.parametrize("body", [b"", b"null"])
def test_an_empty_answer_is_none(session, body):
    with CannedServer(lambda _: http_answer(200, body)) as server:
        answer = get(session(), server)

    assert (answer.body, answer.text) == (None, "")


@pytest.mark.parametrize(
    "body", [b"<html>\xff", b"{", b"[" * 9000, b'{"a": 1} trailing', b"9" * 5000, b"\xff\xfe"]
)
def test_what_is_no_json_is_kept_as_text(session, body):
    with CannedServer(lambda _: http_answer(200, body)) as server:
        answer = get(session(), server)

    assert answer.body is None
    assert answer.text == body[:2000].decode("utf-8", errors="replace")


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
def test_packed_answers_are_unpacked(session, encoding):
    packed = gzip.compress(b'{"a": 1}')
    with CannedServer(lambda _: http_answer(200, packed, {"Content-Encoding": encoding})) as server:
        assert get(session(), server).body == {"a": 1}


RARE = {
    "gzip of two members": (gzip.compress(b'{"a"') + gzip.compress(b": 1}"), "gzip"),
    "gzip with padding": (gzip.compress(b'{"a": 1}') + b"\0" * 9, "gzip"),
    **{f"encoding {name!r}": (b'{"a": 1}', name) for name in ("", "none", "identity", "UTF-8")},
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("body", "encoding"), RARE.values(), ids=RARE)
@pytest.mark.parametrize("before", [b"", b"103 Early Hints", b"102 Processing", b"100 Continue"])
def test_rare_forms_of_a_response_are_read(session, before, body, encoding, method):
    interim = b"HTTP/1.1 " + before + b"\r\nLink: </a>; rel=preload\r\n\r\n" if before else b""
    answer = 2 * interim + http_answer(200, body, {"Content-Encoding": encoding})
    with CannedServer(lambda _: answer) as server:
        response = get(session(), server, method)

    assert (response.http_status, response.body) == (200, {"a": 1})
    assert "Link" not in response.headers


def test_members_of_gzip_data_may_be_larger_than_what_is_read_at_once(session):
    packed = b"".join(gzip.compress(b"[" + b" " * 200_000) for _ in range(2)) + gzip.compress(b"]]")
    with CannedServer(lambda _: http_answer(200, packed, {"Content-Encoding": "gzip"})) as server:
        assert get(session(largest_response=500_000), server).body == [[]]


def test_an_empty_response_may_be_called_packed(session):
    with CannedServer(lambda _: http_answer(204, b"", {"Content-Encoding": "gzip"})) as server:
        assert get(session(), server).body is None


@pytest.mark.parametrize(
    ("body", "encoding", "words"),
    [
        (gzip.compress(b"[") + gzip.compress(b"]")[:-4], "gzip", "is cut off"),
        (b"no gzip", "gzip", "broken gzip data"),
        (gzip.compress(b"x" * 5000)[:-20], "gzip", "is cut off"),
        (b"x", "br", "unknown encoding 'br'"),
        (b"x", "gzip, br", "unknown encoding"),
    ],
)
def test_what_cannot_be_unpacked_is_no_answer(session, body, encoding, words):
    answer = http_answer(200, body, {"Content-Encoding": encoding})
    with (
        CannedServer(lambda _: answer) as server,
        pytest.raises(FlowServiceConnectionError, match=words) as caught,
    ):
        get(session(), server)

    assert caught.value.sent == "maybe"


# Bounds


@pytest.mark.parametrize("size", [10_001, 5_000_000])
def test_an_answer_larger_than_the_bound_is_refused(session, size):
    with (
        CannedServer(lambda _: http_answer(200, b" " * size)) as server,
        pytest.raises(FlowServiceAnswerError, match="larger than 10000 bytes"),
    ):
        get(session(), server)


def test_a_bomb_does_not_go_off(session):
    bomb = gzip.compress(b"0" * 50_000_000)
    assert len(bomb) < 60_000
    with CannedServer(lambda _: http_answer(200, bomb, {"Content-Encoding": "gzip"})) as server:
        with pytest.raises(FlowServiceAnswerError, match="larger than"):
            get(session(), server)
        assert get(session(largest_response=60_000_000), server).text == "0" * 2000


def test_a_server_that_trickles_does_not_hold_a_worker(session):
    def trickle(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n")
        for _ in range(300):  # to the end, so that whoever is patient gets the answer
            connection.sendall(b" ")
            time.sleep(0.01)

    with (
        raw_server(trickle) as url,
        pytest.raises(FlowServiceConnectionError, match="took too long|timed out"),
    ):
        session(timeout=0.2).send("GET", url, auth=AUTH)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
)
def test_a_broken_answer_is_no_answer(session, answer):
    with CannedServer(lambda _: answer) as server:
        for method in ("GET", "POST"):
            with pytest.raises(FlowServiceConnectionError, match="got no response") as caught:
                get(session(), server, method)
            assert caught.value.sent == "maybe"


# Where requests go


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(session, status):
    with CannedServer(lambda _: http_answer(200, {})) as elsewhere:
        there = {"Location": f"{elsewhere.url}/steal"}
        with CannedServer(lambda _: http_answer(status, b"", there)) as server:
            for method in ("GET", "POST"):
                assert get(session(), server, method).http_status == status

    assert elsewhere.seen == []


def test_cookies_are_not_kept(session):
    with CannedServer(lambda _: http_answer(200, {}, {"Set-Cookie": "a=b; Path=/"})) as server:
        http_session = session()
        get(http_session, server)
        get(http_session, server)

    assert "cookie:" not in server.heads[1].lower()


def test_netrc_is_not_read(session, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password pass\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with CannedServer(lambda _: http_answer(200, {})) as server:
        get(session(), server)

    assert f"Authorization: Bearer {AUTH.text}" in server.heads[0]


@pytest.fixture
def https(tmp_path):
    """Serve TLS with a certificate of our own, and return the server and its CA bundle."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        f"-subj /CN=test -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {certificate}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with CannedServer(lambda _: http_answer(200, {"ok": 1}), tls) as server:
        yield server, str(certificate)


def test_servers_are_verified(session, https):
    server, _ = https

    for method in ("GET", "POST"):
        with pytest.raises(FlowServiceConnectionError, match="set 'ca_bundle'") as caught:
            get(session(), server, method)
        assert caught.value.sent == "no"  # the handshake comes first
    assert server.seen == []


def test_an_own_ca_bundle_is_taken(session, https):
    server, bundle = https

    assert get(session(ca_bundle=bundle), server).body == {"ok": 1}


def test_the_standard_variable_for_a_ca_bundle_is_taken(session, https, monkeypatch):
    server, bundle = https
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)

    assert get(session(), server).body == {"ok": 1}


@pytest.fixture
def proxy(monkeypatch):
    """A proxy that refuses, behind the standard variables; its URL holds a password."""
    with CannedServer(lambda _: http_answer("407 Proxy Authentication Required")) as server:
        url = server.url.replace("http://", "http://user:proxypass@")
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
            monkeypatch.setenv(name, url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield server


def test_a_proxy_of_the_standard_variables_is_used(session, proxy):
    with pytest.raises(FlowServiceConnectionError, match="the proxy: Tunnel.*407") as caught:
        session().send("POST", "https://platform.example/runs", auth=AUTH)

    assert caught.value.sent == "no"
    assert "proxypass" not in str(caught.value)
    assert proxy.seen == ["CONNECT platform.example:443"]
    assert AUTH.text not in proxy.heads[0]


def test_loopback_addresses_are_not_asked_for_through_a_proxy(session, proxy):
    with CannedServer(lambda _: http_answer(200, {})) as server:
        assert get(session(), server).is_success

    assert proxy.seen == []


# No answer


def test_a_refused_connection_was_surely_not_sent(session):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
    with pytest.raises(FlowServiceConnectionError, match="Connection refused") as caught:
        session().send("POST", url, auth=AUTH)

    assert caught.value.sent == "no"


def test_an_unknown_host_was_surely_not_sent(session, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(FlowServiceConnectionError) as caught:
        session().send("POST", "https://no-such-host.invalid/", auth=AUTH)

    assert caught.value.sent == "no"


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        (ProxyError("Cannot connect to proxy.", OSError("Connection reset by peer")), "maybe"),
        (ProxyError("Cannot connect to proxy.", NewConnectionError(None, "refused")), "no"),
        (ProtocolError("Connection aborted.", ConnectionResetError(104, "reset")), "maybe"),
        (requests.ReadTimeout("Read timed out."), "maybe"),
        (OSError("anything"), "maybe"),
    ],
)
def test_only_the_making_of_a_connection_proves_that_nothing_was_sent(error, sent):
    assert connection_error("POST /", error).sent == sent


def test_the_password_of_a_proxy_is_not_repeated():
    error = requests.exceptions.InvalidProxyURL("Failed to parse: http://user:p@ss@host:port/")

    assert str(connection_error("GET /", error)) == (
        "GET / got no response: Failed to parse: http://***@host:port/."
    )


def test_a_post_goes_out_on_a_connection_of_its_own(session):
    # One kept alive may be dead, and a request lost on it may have arrived.
    answers = []

    def serve_two(connection):
        answers.append(connection)
        for _ in range(2):
            if connection.recv(10_000):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with raw_server(serve_two) as url:
        http_session = session()
        for method in ("GET", "GET", "POST"):
            assert http_session.send(method, url, auth=AUTH).is_success

    assert len(answers) == 2


def test_the_last_word_before_a_post_comes_once_the_connection_is_made(session):
    seen_before = []
    with CannedServer(lambda _: http_answer(200, {})) as server:
        session().send(
            "POST", server.url, auth=AUTH, before_send=lambda: seen_before.append(list(server.seen))
        )

        assert seen_before == [[]]
        assert server.seen == ["POST /"]


def test_the_last_word_comes_after_the_handshake(session, https):
    server, bundle = https
    seen_before = []

    def send(**kwargs):
        session(**kwargs).send(
            "POST", server.url, auth=AUTH, before_send=lambda: seen_before.append(list(server.seen))
        )

    with pytest.raises(FlowServiceConnectionError, match="set 'ca_bundle'"):
        send()
    assert seen_before == []
    send(ca_bundle=bundle)
    assert seen_before == [[]]


def test_a_connection_that_is_not_made_gets_no_last_word(session):
    called = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(FlowServiceConnectionError, match="refused"):
        session().send(
            "POST", f"http://127.0.0.1:{port}/", auth=AUTH, before_send=lambda: called.append(1)
        )

    assert called == []


# Secrets


def test_debug_output_shows_no_secret(session, caplog, capsys, monkeypatch):
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    caplog.set_level(logging.DEBUG)
    with CannedServer(lambda _: http_answer(200, {})) as server:
        requests.get(f"{server.url}/loud", timeout=5)
        get(session(), server)
        get(session(), server, "POST")

    printed = capsys.readouterr().out
    assert "GET /loud" in printed  # so much for what it does to others
    assert "Bearer" not in printed + caplog.text
    assert AUTH.text not in printed + caplog.text
    assert '"POST /runs HTTP/1.1" 200' in caplog.text


def test_an_error_does_not_hold_the_request(session):
    with CannedServer(lambda _: b"") as server, pytest.raises(FlowServiceConnectionError) as caught:
        get(session(), server)

    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert AUTH.text not in repr(vars(caught.value))


# Retry-After


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        ("1.5", 1.5),
        ("3000", 3000),
        ("9" * 400, 1e9),
        (formatdate(1_700_000_060, usegmt=True), 60),
        (formatdate(1_600_000_000, usegmt=True), 0),
        (None, None),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("inf", None),
        ("١٢", None),  # digits, but not of HTTP
        ("Fri, 99 Foo 2023 99:99:99 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert parse_retry_after(value, now=1_700_000_000) == seconds


@given(st.text() | st.text("0123456789:+-,. MonTueDecGMT", min_size=10))
def test_any_wish_to_wait_is_read_or_passed_over(value):
    seconds = parse_retry_after(value, now=1_700_000_000)

    assert seconds is None or seconds >= 0
