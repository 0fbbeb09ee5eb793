"""Limits of clients, so that none of them can hold the server: the size of bodies, the time of requests, connections.

An upload has limits of its own, see `uploads`.
"""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Any

import anyio
import h11
from starlette.exceptions import HTTPException
from uvicorn.protocols.http.h11_impl import H11Protocol

from resonance_engine.server.problems import make_problem

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 1_000_000  # bytes
BODY_SECONDS = 10.0
HEADER_SECONDS = 30.0  # browsers open connections before they need them


def most_connections() -> int:
    """Return how many connections may be open: up to 1,000, and half of the files that the process may open."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1_000 if files == resource.RLIM_INFINITY else min(1_000, files // 2)


MOST_CONNECTIONS = most_connections()


class BodyLimit:
    """Middleware (ASGI) that ends requests whose bodies are too large or too slow, but for `unlimited` paths."""

    def __init__(self, app: ASGIApp, unlimited: Sequence[str]) -> None:
        self.app, self.unlimited = app, unlimited

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self.unlimited:
            await self.app(scope, receive, send)
            return
        size, is_complete = 0, False
        until = anyio.current_time() + BODY_SECONDS

        async def receive_within_limits() -> Message:
            nonlocal size, is_complete
            if is_complete:  # what comes next is the end of the connection, whenever that is
                return await receive()
            try:
                with anyio.fail_after(until - anyio.current_time()):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, f"The request did not arrive within {BODY_SECONDS:.0f} s.") from None
            size += len(message.get("body", b""))
            if size > LARGEST_BODY:
                raise HTTPException(413, f"A request of up to {LARGEST_BODY // 1_000_000} MB can be sent.")
            is_complete = not message.get("more_body", False)
            return message

        await self.app(scope, receive_within_limits, send)


class DeadlineProtocol(H11Protocol):
    """HTTP/1.1 that closes connections which keep the server waiting (slow loris).

    That is one whose request line and headers are not complete in time; one that goes on sending for as long after
    its answer; and, of more than MOST_CONNECTIONS, the one that has been waiting for a whole request the longest.
    """

    _deadline: asyncio.TimerHandle | None = None
    _since = 0.0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._since = self.loop.time()
        self._await_request()
        if len(self.connections) > MOST_CONNECTIONS:
            waiting = [each for each in self.connections if isinstance(each, DeadlineProtocol) and each.is_waiting]
            min(waiting, key=lambda each: each._since).transport.abort()

    @property
    def is_waiting(self) -> bool:
        """Whether it is open and no whole request is here that is not answered yet."""
        is_idle = self.cycle is None or self.cycle.response_complete or self.cycle.more_body
        return is_idle and not self.transport.is_closing()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._cancel_deadline()
        elif self.conn.trailing_data[0]:
            self._await_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._since = self.loop.time()
        if self.conn.trailing_data[0] or self.conn.their_state is h11.SEND_BODY:
            self._await_request()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP with a problem, unless an answer is under way or was given, and close the connection.

        What is being done for the connection learns that its client is gone.
        """
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            problem = make_problem(400, msg)
            headers = [*problem.raw_headers, (b"connection", b"close")]
            has_body = self.cycle is None or self.scope["method"] != "HEAD"
            begin = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
            body = [h11.Data(data=bytes(problem.body))] if has_body else []
            for event in (begin, *body, h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        super().connection_lost(exc)

    def _await_request(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
