"""The services of the triggers: the emulator for ours, small fakes for the peers."""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from airflow_provider_flowservice.emulator import FlowServiceEmulator

Json = Any


class Service:
    """
    A service in a separate process.

    :param module: Module to run.
    :param arguments: Its arguments; ``PORT`` stands for the port.
    :param certificate: Certificate of a service over TLS; ``None`` for plain HTTP.
    """

    def __init__(self, module: str, *arguments: str, certificate: Path | None = None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        words = [word.replace("PORT", str(self.port)) for word in arguments]
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *words], stdout=subprocess.DEVNULL
        )
        self._tls = ssl.create_default_context(cafile=str(certificate)) if certificate else None

    def wait(self, path: str) -> None:
        """Wait until the service responds."""
        for _ in range(600):
            try:
                self.call("GET", path)
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"{self.url} does not respond")

    def call(self, method: str, path: str, body: Json = None) -> Json:
        """Send a request, and return the JSON in the response."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, method=method, data=data)
        with urllib.request.urlopen(request, timeout=60, context=self._tls) as response:
            return json.loads(response.read())

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait()


class Emulator(Service):
    """
    The Flow Service for this package.

    :param runs: Number of its runs.
    """

    def __init__(self, runs: int) -> None:
        super().__init__("benchmarks.emulator", "PORT", str(runs))
        self.wait("/_emulator/summary")

    @property
    def connection(self) -> str:
        """The Airflow connection to it."""
        return FlowServiceEmulator(port=self.port).connection_json

    def counts(self) -> dict[str, int]:
        """Return the numbers of requests since the last call."""
        summary = self.call("GET", "/_emulator/summary")
        self.call("DELETE", "/_emulator/requests")
        tokens = summary["token_requests"]
        return {"requests": sum(summary["requests"].values()) - tokens, "tokens": tokens}

    def go_away(self, away: bool) -> None:
        """Close all connections, or stop doing so."""
        if away:
            fault = {"on": "* /", "kind": "close_before", "times": None}
            self.call("POST", "/_emulator/faults", fault)
        else:
            self.call("DELETE", "/_emulator/faults")


class Fake(Service):
    """The service of a peer, which has every run."""

    def __init__(self, certificate: Path | None = None) -> None:
        words = [str(certificate)] if certificate else []
        super().__init__("benchmarks.fakes", "PORT", *words, certificate=certificate)
        self.wait("/_fake/counts")

    def counts(self) -> dict[str, int]:
        """Return the numbers of requests since the last call."""
        counts = self.call("GET", "/_fake/counts")
        return {"requests": counts.get("requests", 0), "tokens": counts.get("tokens", 0)}

    def go_away(self, away: bool) -> None:
        """Close all connections, or stop doing so."""
        self.call("GET", f"/_fake/away/{int(away)}")


def make_certificate(folder: Path) -> Path:
    """Make a certificate for 127.0.0.1 that this process and its children trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    os.environ["SSL_CERT_FILE"] = str(path)
    return path
