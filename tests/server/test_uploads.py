"""An audio file that is sent: kept for as long as it takes, within limits of size, time and number."""

from __future__ import annotations

import resource
import socket
import tempfile
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from resonance_engine.server.collection import UnknownTrackError
from resonance_engine.server.kept_uploads import KeptUploads
from tests.server.fake_collection import KILLED
from tests.server.live_server import LiveServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.testclient import TestClient

    from resonance_engine.server.settings import ServerSettings
    from tests.server.fake_collection import FakeCollection

PATH, KEPT_PATH = "/api/similar/audio", "/api/uploads"


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


@pytest.mark.parametrize(
    ("cause", "status", "sentence"),
    [
        ("killed", 503, f"The file cannot be analysed now: {KILLED}."),
        ("unstarted", 503, "The process that runs a model does not start: not within 60 s."),
        ("crashed", 415, "The file cannot be analysed: decoding it crashed the decoder (SIGSEGV)."),
    ],
)
def test_what_a_worker_does_not_survive(
    client: TestClient, folder: Path, cause: str, status: int, sentence: str
) -> None:
    """503 where the same file may be analysed later, 415 where the file is the reason."""
    answer = client.post(f"{PATH}?from={cause}", content=b"audio")
    assert (answer.status_code, answer.json()["detail"]) == (status, sentence)
    assert ("retry-after" in answer.headers) == (status == 503)
    assert list(folder.iterdir()) == []


def test_a_disk_without_room(client: TestClient, collection: FakeCollection, folder: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))  # as a full disk: what is written beyond fails
    try:
        answer = client.post(PATH, content=bytes(50_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (answer.status_code, answer.json()["detail"]) == (503, "The file cannot be kept: File too large.")
    assert answer.headers["retry-after"] == "30"
    assert collection.uploads == []
    assert list(folder.iterdir()) == []
    assert client.post(PATH, content=bytes(50_000)).status_code == 200


def test_a_folder_for_temporary_files_that_is_gone(client: TestClient, folder: Path) -> None:
    folder.rmdir()
    answer = client.post(PATH, content=b"audio")
    assert (answer.status_code, answer.json()["detail"]) == (503, "The file cannot be kept: No such file or directory.")


def test_the_other_requests_of_four_slow_ones(server: LiveServer, folder: Path) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf".encode()
    with ExitStack() as stack:
        slow = [stack.enter_context(server.connect()) for _ in range(5)]
        for connection in slow:
            connection.sendall(head)
        assert server.get("/api/status") == 200
        statuses = sorted(connection.recv(65_536).split(b" ", 2)[1] for connection in slow)
    assert statuses == [b"408"] * 4 + [b"503"]
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


class TestKept:
    """A file that is sent once, for several searches."""

    def test_a_search_by_what_was_sent(self, client: TestClient, collection: FakeCollection, folder: Path) -> None:
        answer = client.post(KEPT_PATH, content=b"some audio")
        assert answer.status_code == 201
        assert list(folder.iterdir()) == []
        upload = answer.json()["upload"]
        for count in (3, 4):
            assert client.get(f"/api/similar?upload={upload}&count={count}").status_code == 200
            assert collection.queries[-1].analysed == b"some audio"
            assert collection.queries[-1].options == {"count": count}
        assert collection.uploads == [b"some audio"], "analysed once"

    def test_an_id_is_not_guessed(self, client: TestClient) -> None:
        ids = {client.post(KEPT_PATH, content=b"the same audio").json()["upload"] for _ in range(5)}
        assert len(ids) == 5
        assert all(len(upload) >= 32 for upload in ids)
        for unknown in ("", "0", min(ids)[:-1], min(ids) + "A"):
            status = client.get("/api/similar", params={"upload": unknown, "id": "1"}).status_code
            assert status == (404 if unknown else 200)

    def test_an_error_is_not_kept(self, client: TestClient, folder: Path) -> None:
        assert client.post(KEPT_PATH, content=b"").status_code == 400
        assert list(folder.iterdir()) == []

    def test_other_lists_do_not_take_one(self, client: TestClient) -> None:
        upload = client.post(KEPT_PATH, content=b"audio").json()["upload"]
        assert client.post(f"{PATH}?upload={upload}", content=b"audio").status_code == 422
        assert client.get(f"/api/playlist?upload={upload}").status_code == 422

    def test_time_and_number_are_bounded(self) -> None:
        now = [0.0]
        kept = KeptUploads(most=3, seconds=60, clock=lambda: now[0])
        first, second, third = (kept.put(number) for number in range(3))
        now[0] = 50
        assert kept.get(first) == 0, "used, so that the second is the oldest"
        fourth = kept.put(3)
        with pytest.raises(UnknownTrackError):
            kept.get(second)
        now[0] = 105
        with pytest.raises(UnknownTrackError):
            kept.get(third)
        assert (kept.get(first), kept.get(fourth)) == (0, 3)
