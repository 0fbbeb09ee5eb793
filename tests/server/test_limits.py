"""Clients that are slow, or send too much: each is answered or cut off, and the others are answered meanwhile."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from resonance_engine.server.settings import ServerSettings
from tests.memory_growth import resident
from tests.server.live_server import LiveServer

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.testclient import TestClient

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


def test_a_body_that_comes_byte_by_byte(server: LiveServer) -> None:
    """The time is that of the whole body, whenever its parts come."""
    head = "POST /api/session HTTP/1.1", "Host: localhost", "Content-Type: application/json", "Content-Length: 999999"
    with server.connect() as connection:
        connection.sendall("\r\n".join([*head, "", "{"]).encode())
        assert b" 408 " in dribble(connection)


def test_a_body_that_goes_on_after_the_answer(server: LiveServer) -> None:
    head = "POST /api/similar/audio HTTP/1.1", "Host: localhost", "Content-Length: 999999999", "", ""
    with server.connect() as connection:
        connection.sendall("\r\n".join(head).encode())
        assert b" 413 " in dribble(connection, until_closed=True)


def dribble(connection: socket.socket, until_closed: bool = False) -> bytes:
    """Send a byte at a time until there is an answer, or until the connection is closed; returns what is received."""
    connection.settimeout(0.05)
    received = b""
    with suppress(ConnectionError):
        while until_closed or not received:
            connection.sendall(b" ")
            with suppress(TimeoutError):
                chunk = connection.recv(65_536)
                if not chunk:
                    break
                received += chunk
    return received


def test_of_too_many_connections_the_idle_ones_are_closed(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from resonance_engine.server import limits

    monkeypatch.setattr(limits, "HEADER_SECONDS", 300.0)
    monkeypatch.setattr(limits, "MOST_CONNECTIONS", 20)
    with ExitStack() as stack:
        idle = [stack.enter_context(server.connect()) for _ in range(60)]
        assert server.get("/api/status") == 200
        for connection in idle[:40]:
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b""
        idle[-1].sendall(WHOLE)
        assert b" 200 OK" in idle[-1].recv(65_536)
    assert caplog.records == []


UPLOAD = b"POST /api/similar/audio HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = UPLOAD + b"Transfer-Encoding: chunked\r\n\r\n"
NO_HTTP = {
    "noise": ([b"\x16\x03\x01\x02\0\1\0\r\n\r\n"], b" 400 "),
    "a length below 0": ([UPLOAD + b"Content-Length: -1\r\n\r\n"], b" 400 "),
    "a header without an end": ([b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000], b" 400 "),
    "a body of HEAD that is none": (
        [b"HEAD / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
        b" 400 ",
    ),
    "a chunk without a length": ([CHUNKED + b"zz\r\n"], b" 400 "),
    "a second chunk without one": ([CHUNKED + b"5\r\nabcde\r\n", b"zz\r\n"], b" 400 "),
    "what follows a whole request": ([CHUNKED + b"1\r\na\r\n0\r\n\r\n", b"\0\r\n\r\n"], b" 200 "),
    "a chunk after the answer": ([CHUNKED.replace(b"similar", b"nothing"), b"zz\r\n"], b" 404 "),
    "another one after that": ([CHUNKED.replace(b"localhost", b"evil"), b"zz\r\n", b"zz\r\n"], b" 421 "),
}


@pytest.mark.parametrize("name", NO_HTTP)
def test_what_is_no_http(server: LiveServer, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """It is a problem as any other, the connection is closed, and nothing is logged as a mistake."""
    parts, status = NO_HTTP[name]
    received = b""
    with server.connect() as connection, suppress(ConnectionError):
        for part in parts:
            connection.sendall(part)
            time.sleep(0.1)
        while chunk := connection.recv(65_536):
            received += chunk
    assert status in received
    assert b"application/problem+json" in received or status == b" 200 "
    assert server.get("/api/status") == 200
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_body_that_is_too_large(client: TestClient) -> None:
    assert client.post("/api/session", json={"token": "x" * 2_000_000}).status_code == 413
    assert client.get("/api/status").status_code == 200


def test_a_request_takes_longer_than_its_headers_may(collection: FakeCollection, settings: ServerSettings) -> None:
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


@pytest.mark.rest
@pytest.mark.parametrize("is_declared", [True, False], ids=["with its length", "in chunks"])
def test_a_gigabyte(
    collection: FakeCollection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_declared: bool
) -> None:
    """All of it is sent, whatever is answered; what is kept of it is no more than may be, and not in memory."""
    from resonance_engine.server import limits

    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(limits, "HEADER_SECONDS", 300.0)
    settings, block, total = ServerSettings(), bytes(1_000_000), 1_000
    length = f"Content-Length: {total * len(block)}" if is_declared else "Transfer-Encoding: chunked"
    with LiveServer(collection, settings) as server, server.connect() as connection:
        before, largest = resident(), 0
        connection.sendall(f"POST /api/similar/audio HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n".encode())
        for number in range(total):
            connection.sendall(block if is_declared else b"%x\r\n%s\r\n" % (len(block), block))
            if number % 100 == 0:
                largest = max(largest, sum(file.stat().st_size for file in folder.iterdir()))
                assert server.get("/api/status") == 200
                assert resident() - before < 50_000_000
        assert b" 413 " in connection.recv(65_536)
        assert collection.uploads == []
        assert list(folder.iterdir()) == []
    assert largest <= settings.upload_bytes
    assert is_declared or largest > 0
