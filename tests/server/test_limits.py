"""Clients that are slow, or send too much: each is answered or cut off, and the others are answered meanwhile."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.server.live_server import LiveServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.testclient import TestClient

    from resonance_engine.server.settings import ServerSettings
    from tests.server.fake_collection import FakeCollection

BEGUN = b"GET /api/status HTTP/1.1\r\nHost: local"
WHOLE = b"GET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    from resonance_engine.server import limits

    monkeypatch.setattr(limits, "HEADER_SECONDS", 0.5)
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.5)


@pytest.fixture
def server(collection: FakeCollection, settings: ServerSettings) -> Iterator[LiveServer]:
    with LiveServer(collection, settings) as server:
        yield server


@pytest.mark.parametrize("sent", [b"", BEGUN, WHOLE + BEGUN], ids=["nothing", "half", "half of a second one"])
def test_a_request_that_does_not_arrive(server: LiveServer, sent: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(sent)
        received = b""
        while chunk := connection.recv(65_536):  # ends where the server closes the connection
            received += chunk
        assert received.count(b" 200 OK") == sent.count(WHOLE)


def test_many_of_them_hold_up_no_other(server: LiveServer) -> None:
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(server.connect()).sendall(BEGUN)
        assert server.get("/api/status") == 200


def test_a_body_that_does_not_arrive(server: LiveServer) -> None:
    head = "POST /api/session HTTP/1.1", "Host: localhost", "Content-Type: application/json", "Content-Length: 99"
    with server.connect() as connection:
        connection.sendall("\r\n".join([*head, "", "{"]).encode())
        assert b" 408 " in connection.recv(65_536)


def test_a_body_that_is_too_large(client: TestClient) -> None:
    assert client.post("/api/session", json={"token": "x" * 2_000_000}).status_code == 413
    assert client.get("/api/status").status_code == 200


def test_a_request_takes_longer_than_its_headers_may(collection: FakeCollection, settings: ServerSettings) -> None:
    import time

    search = collection.search

    def slow_search(text: str, offset: int, limit: int):  # type: ignore[no-untyped-def] # as the collection's
        time.sleep(1.5)
        return search(text, offset, limit)

    collection.search = slow_search  # type: ignore[method-assign]
    with LiveServer(collection, settings) as server:
        assert server.get("/api/tracks") == 200


def test_too_many_wait(collection: FakeCollection) -> None:
    import asyncio
    import threading

    from starlette.exceptions import HTTPException

    from resonance_engine.server.work import WorkQueue

    queue, gate = WorkQueue(1, most_pending=2), threading.Event()

    async def send_three() -> list[object]:
        calls = [asyncio.ensure_future(queue.run(gate.wait)) for _ in range(3)]
        await asyncio.sleep(0.1)
        gate.set()
        return await asyncio.gather(*calls, return_exceptions=True)

    results = asyncio.run(send_three())
    assert results[:2] == [True, True]
    assert isinstance(results[2], HTTPException)
    assert results[2].status_code == 503
    assert queue.pending == 0
    assert collection.queries == []
