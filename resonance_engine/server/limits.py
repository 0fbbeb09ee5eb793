"""Limits of what a client may send, so that none of them can hold the server: the size of bodies, the time of requests.

An upload has limits of its own, see `uploads`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
from starlette.exceptions import HTTPException
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 1_000_000  # bytes
BODY_SECONDS = 10.0
HEADER_SECONDS = 30.0  # browsers open connections before they need them


class BodyLimit:
    """Middleware (ASGI) that ends requests whose bodies are too large or too slow, but for `unlimited` paths."""

    def __init__(self, app: ASGIApp, unlimited: Sequence[str]) -> None:
        self.app, self.unlimited = app, unlimited

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self.unlimited:
            await self.app(scope, receive, send)
            return
        size, is_complete = 0, False

        async def receive_within_limits() -> Message:
            nonlocal size, is_complete
            if is_complete:  # what comes next is the end of the connection, whenever that is
                return await receive()
            try:
                with anyio.fail_after(BODY_SECONDS):
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
    """HTTP/1.1 that closes a connection whose request line and headers are not complete in time (slow loris)."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await_request()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._cancel_deadline()
        elif self.conn.trailing_data[0]:
            self._await_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.trailing_data[0]:
            self._await_request()

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
