"""A server over a collection of five tracks."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from resonance_engine.server.settings import ServerSettings

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient

    from tests.server.fake_collection import FakeCollection

TOKEN = "a token"  # noqa: S105 - of the tests
AUDIO = bytes(range(256)) * 40

needs_server = pytest.mark.skipif(find_spec("fastapi") is None, reason="needs FastAPI, of the extra serve")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "server":
            item.add_marker(needs_server)


@pytest.fixture
def collection(tmp_path: Path) -> FakeCollection:
    from tests.server.fake_collection import FakeCollection

    audio = tmp_path / "song.flac"
    audio.write_bytes(AUDIO)
    return FakeCollection(audio)


@pytest.fixture
def settings() -> ServerSettings:
    return ServerSettings(token=TOKEN, upload_bytes=100_000, upload_seconds=1.0)


@pytest.fixture
def client(collection: FakeCollection, settings: ServerSettings) -> TestClient:
    from starlette.testclient import TestClient

    from resonance_engine.server.app import make_app

    # A mistake of the program is an answer, too.
    return TestClient(make_app(collection, settings), "http://localhost", raise_server_exceptions=False)
