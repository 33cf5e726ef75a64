"""
Small fakes of the peers' services, in a separate process: no run there ever ends.

``python -m benchmarks.fakes PORT [CERTIFICATE]``
"""

from __future__ import annotations

import ssl
import sys
from collections import Counter

from aiohttp import web

COUNTS: Counter[str] = Counter()
STATE = {"away": False}

BODIES = {
    "/api/2.": {"run_id": 1, "run_page_url": "http://127.0.0.1/run/1", "state": {
        "life_cycle_state": "RUNNING", "state_message": "In run"}},
    "/api/v2/accounts/": {"data": {"id": 1, "status": 3}},
    "/v1/applications/token": {"access_token": "t", "token_type": "Bearer", "expires_in": 3600},
    "/v1/jobs/": {"connectionId": "c", "jobId": 1, "jobType": "sync", "status": "running",
                  "startTime": "2026-01-01T00:00:00Z"},
}  # fmt: skip


async def respond(request: web.Request) -> web.Response:
    """Count a request and respond to it, or close the connection while away."""
    if request.path == "/_fake/counts":
        counts = dict(COUNTS)
        COUNTS.clear()
        return web.json_response(counts)
    if request.path.startswith("/_fake/away/"):
        STATE["away"] = request.path.endswith("1")
        return web.json_response({})
    if STATE["away"]:
        if request.transport:
            request.transport.close()
        return web.Response(status=503)
    COUNTS["tokens" if "token" in request.path else "requests"] += 1
    for start, body in BODIES.items():
        if request.path.startswith(start):
            return web.json_response(body)
    return web.Response(status=404)


def main() -> None:
    """Serve until terminated."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", respond)
    context = None
    if len(sys.argv) > 2:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(sys.argv[2])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), ssl_context=context, print=None)


if __name__ == "__main__":
    main()
