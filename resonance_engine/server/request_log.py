"""A line in the log for each request: method, path, status, time. Queries are left out, which may hold secrets."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG = logging.getLogger("resonance.server")
FORMAT = "%(asctime)s %(levelname)s %(message)s"


class RequestLog:
    """Middleware (ASGI) that logs requests when they are answered, where the log's level is INFO."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not LOG.isEnabledFor(logging.INFO):
            await self.app(scope, receive, send)
            return
        status, start = 0, time.monotonic()

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_noting_status)
        finally:
            path = scope["raw_path"].decode("ascii", "backslashreplace")  # encoded, so that it holds no line break
            LOG.info("%s %s %d %.0f ms", scope["method"], path, status, 1000 * (time.monotonic() - start))


def configure_log(with_requests: bool) -> None:
    """Let warnings and errors of the server go to standard error, a line each, and each request, if wanted."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(FORMAT))
    for name, level in ((LOG.name, logging.INFO if with_requests else logging.WARNING), ("uvicorn", logging.ERROR)):
        log = logging.getLogger(name)
        log.handlers, log.propagate = [handler], False
        log.setLevel(level)
