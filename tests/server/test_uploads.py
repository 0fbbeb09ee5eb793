"""An audio file that is sent: kept for as long as it takes, within limits of size, time and number."""

from __future__ import annotations

import socket
import tempfile
import time
from typing import TYPE_CHECKING

import pytest

from tests.server.live_server import LiveServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.testclient import TestClient

    from resonance_engine.server.settings import ServerSettings
    from tests.server.fake_collection import FakeCollection

PATH = "/api/similar/audio"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files lie."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def server(collection: FakeCollection, settings: ServerSettings) -> Iterator[LiveServer]:
    with LiveServer(collection, settings) as server:
        yield server


def test_it_is_searched_by_and_deleted(client: TestClient, collection: FakeCollection, folder: Path) -> None:
    answer = client.post(f"{PATH}?count=3", content=b"some audio")
    assert answer.json()["matches"][0]["track"]["title"] == "Song 1"
    assert collection.uploads == [b"some audio"]
    assert collection.queries[-1].options == {"count": 3}
    assert list(folder.iterdir()) == []


def test_an_empty_one(client: TestClient) -> None:
    answer = client.post(PATH, content=b"")
    assert (answer.status_code, answer.json()["detail"]) == (400, "Send the audio file as the body of the request.")


@pytest.mark.parametrize("declared", [True, False])
def test_too_large(client: TestClient, collection: FakeCollection, folder: Path, declared: bool) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield bytes(10_000)

    answer = client.post(PATH, content=bytes(200_000) if declared else chunks())
    assert answer.status_code == 413
    assert collection.uploads == []
    assert list(folder.iterdir()) == []


def test_an_error_leaves_no_file(client: TestClient, folder: Path) -> None:
    assert client.post(f"{PATH}?from=nothing", content=b"audio").status_code == 422
    assert client.post(f"{PATH}?from=mistake", content=b"audio").status_code == 500
    assert list(folder.iterdir()) == []


def test_one_that_does_not_arrive(server: LiveServer, folder: Path) -> None:
    with server.connect() as connection:
        connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf".encode())
        assert b" 408 " in connection.recv(65_536)
    assert server.get("/api/status") == 200
    assert list(folder.iterdir()) == []


def test_one_whose_sender_goes(server: LiveServer, collection: FakeCollection, folder: Path) -> None:
    connection = server.connect()
    connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf".encode())
    connection.shutdown(socket.SHUT_RDWR)
    connection.close()
    assert server.get("/api/status") == 200
    deadline = time.monotonic() + 30
    while any(folder.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert collection.uploads == []
    assert list(folder.iterdir()) == []
