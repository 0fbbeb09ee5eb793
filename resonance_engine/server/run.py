"""Run the server until it is stopped: the socket, uvicorn, the log, and the token on disk."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import uvicorn

from resonance_engine.errors import ConfigError, printable
from resonance_engine.server.app import make_app
from resonance_engine.server.limits import DeadlineProtocol
from resonance_engine.server.request_log import configure_log
from resonance_engine.worker.process import kill_file_processes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fastapi import FastAPI

    from resonance_engine.server.collection import Collection
    from resonance_engine.server.settings import ServerSettings
    from resonance_engine.server.subsonic.service import Service

BACKLOG = 100  # so many are taken at once, before one too many can be closed: see `limits.MOST_CONNECTIONS`
TOKEN_BYTES = 24
SHUTDOWN_SECONDS = 5
ENDING_INTERVAL = 0.1  # seconds
KEEP_ALIVE = 15  # seconds that a connection without a request stays open


def read_or_make_token(path: Path) -> str:
    """Return the token in a file, which is made where there is none, for its owner alone to read."""
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(TOKEN_BYTES) + "\n")
    token = path.read_text(encoding="utf-8", errors="replace").strip()
    if not token:
        raise ConfigError(f"{printable(path)} holds no token; delete it, and it is made again.")
    return token


def open_socket(settings: ServerSettings) -> socket.socket:
    """Return a socket that takes connections at the address; ConfigError where that cannot be."""
    host = settings.host.strip("[]")
    with ExitStack() as stack:
        try:
            family = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)[0][0]
            # With the protocol named, asyncio sends at once (TCP_NODELAY); without it, answers wait 40 ms for the
            # client's acknowledgement of their headers.
            bound = stack.enter_context(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP))
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((host, settings.port))
            bound.listen(BACKLOG)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigError(f"The server cannot use {settings.host}, port {settings.port}: {reason}.") from error
        stack.pop_all()
    return bound


def server_config(app: FastAPI) -> uvicorn.Config:
    """Return how uvicorn runs the application."""
    return uvicorn.Config(
        app,
        http=DeadlineProtocol,
        ws="none",
        lifespan="on",  # with its end, requests that are cancelled delete their temporary files
        log_config=None,
        access_log=False,  # addresses of requests may have secrets in them
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


class Server(uvicorn.Server):
    """Uvicorn's server; what is still being analysed a second before it gives running requests up is ended."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        ending = asyncio.create_task(end_analyses(SHUTDOWN_SECONDS - 1))
        await super().shutdown(sockets)
        ending.cancel()


async def end_analyses(seconds: float) -> None:
    """End, after some seconds, what is analysed, and what begins to be then because it had waited."""
    await asyncio.sleep(seconds)
    while True:
        kill_file_processes()
        await asyncio.sleep(ENDING_INTERVAL)


def run_server(
    collection: Collection,
    settings: ServerSettings,
    announce: Callable[[str], object],
    service: Service | None = None,
) -> None:
    """Serve a collection until SIGINT or SIGTERM, and let running requests end; `announce` gets the address.

    With a service, players are answered, too.
    """
    configure_log(settings.log_requests)
    bound = open_socket(settings)
    announce(f"http://{settings.host}:{bound.getsockname()[1]}/")
    Server(server_config(make_app(collection, settings, service))).run(sockets=[bound])
