"""A mail server on localhost that keeps what it is sent."""

from __future__ import annotations

import email
import email.policy
import json
import socketserver
import threading

from airflow_provider_flowservice.emulator.server import ACCEPT_SECONDS


class SmtpSink(socketserver.ThreadingTCPServer):
    """Takes every mail; as much of the protocol as a client needs that neither logs in nor encrypts."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.mails: list[email.message.EmailMessage] = []

    @property
    def connection_json(self) -> str:
        """The server as an Airflow connection."""
        extra = {"disable_tls": True, "disable_ssl": True}
        host, port = self.server_address
        return json.dumps({"conn_type": "smtp", "host": host, "port": port, "extra": extra})

    def __enter__(self) -> SmtpSink:
        self.socket.settimeout(ACCEPT_SECONDS)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.shutdown()
        self.server_close()


class _Session(socketserver.StreamRequestHandler):
    server: SmtpSink

    def handle(self) -> None:
        self._say("220 sink")
        while line := self.rfile.readline():
            command = line[:4].upper()
            if command == b"DATA":
                self._say("354 go on")
                self._take_mail()
            self._say("221 bye" if command == b"QUIT" else "250 ok")
            if command == b"QUIT":
                return

    def _take_mail(self) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        mail = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        self.server.mails.append(mail)

    def _say(self, words: str) -> None:
        self.wfile.write(f"{words}\r\n".encode())
