"""`resonance serve CATALOG`: the API and the page over a real catalog, with the shipped model in a real worker."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from resonance_engine.catalog_files import read_catalog
from resonance_engine.cli import main
from resonance_engine.encoder.model_files import SHIPPED
from resonance_engine.server.settings import ServerSettings
from tests.audio_files import write_audio

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient

pytestmark = pytest.mark.rest
RATE, SECONDS, TRACKS = 22_050, 4, 6


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tracks of one chord each, which rises from one to the next."""
    folder = tmp_path_factory.mktemp("music")
    time = np.arange(RATE * SECONDS) / RATE
    for number in range(TRACKS):
        tones = sum(np.sin(2 * np.pi * 110 * 2 ** (number / 3) * part * time) for part in (1, 1.25, 1.5))
        tags = {"artist": f"Artist {number}", "title": f"Song {number}"}
        write_audio(folder / f"{number}.flac", (0.2 * tones).astype(np.float32), RATE, metadata=tags)
    return folder


@pytest.fixture(scope="module")
def indexed(music: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalog")
    assert main(["index", str(music), "--out", str(folder), "--threads", "1"]) == 0
    return folder


@pytest.fixture
def folder(indexed: Path, tmp_path: Path) -> Path:
    """A catalog that a test may change."""
    return shutil.copytree(indexed, tmp_path / "catalog")


@pytest.fixture
def catalog_client(folder: Path) -> TestClient:
    from starlette.testclient import TestClient

    from resonance_engine.server.app import make_app
    from resonance_engine.server.catalog_collection import CatalogCollection

    return TestClient(make_app(CatalogCollection(folder, SHIPPED), ServerSettings()), "http://localhost")


def titles(answer: Any) -> list[str]:
    return [match["track"]["title"] for match in answer.json()["matches"]]


def test_the_page_and_what_it_starts_with(catalog_client: TestClient) -> None:
    assert catalog_client.get("/").status_code == 200
    status = catalog_client.get("/api/status").json()
    assert (status["tracks"], status["analysed"], status["has_map"]) == (TRACKS, TRACKS, False)
    options = {option["name"] for option in catalog_client.get("/api/options").json()["similar"]}
    assert {"count", "min_score"} <= options


def test_words_in_any_case(catalog_client: TestClient) -> None:
    page = catalog_client.get("/api/tracks", params={"text": "ARTIST song 3"}).json()
    assert [track["title"] for track in page["tracks"]] == ["Song 3"]
    assert catalog_client.get("/api/tracks", params={"text": "nothing of the kind"}).json()["total"] == 0


def test_the_folder_of_all_tracks_is_not_searched(catalog_client: TestClient, music: Path) -> None:
    assert catalog_client.get("/api/tracks", params={"text": music.name}).json()["total"] == 0
    assert catalog_client.get("/api/tracks", params={"text": "3.flac"}).json()["total"] == 1


def test_similar_tracks_are_those_of_brute_force(catalog_client: TestClient, folder: Path) -> None:
    index = read_catalog(folder).index
    ids = sorted(read_catalog(folder).entries)
    cosines = index.vectors(ids) @ index.vectors(ids[:1])[0]
    nearest = [ids[place] for place in np.argsort(-cosines, kind="stable") if place]
    answer = catalog_client.get("/api/similar", params={"id": ids[0], "count": TRACKS - 1}).json()
    assert [match["track"]["id"] for match in answer["matches"]] == nearest


def test_a_file_that_is_sent_is_next_to_itself(catalog_client: TestClient, music: Path) -> None:
    content = (music / "2.flac").read_bytes()
    assert titles(catalog_client.post("/api/similar/audio?count=2", content=content))[0] == "Song 2"
    upload = catalog_client.post("/api/uploads", content=content).json()["upload"]
    kept = catalog_client.get("/api/similar", params={"upload": upload, "count": 2})
    assert titles(kept)[0] == "Song 2"
    assert kept.json()["matches"][0]["score"] == pytest.approx(1.0, abs=1e-3)


def test_a_file_that_is_no_audio(catalog_client: TestClient) -> None:
    answer = catalog_client.post("/api/uploads", content=b"not music at all")
    assert answer.status_code == 415


@pytest.mark.parametrize("path", ["/api/map", "/api/path?stop=1&stop=2", "/api/tracks/999999", "/api/similar"])
def test_what_a_catalog_cannot_answer_is_a_sentence(catalog_client: TestClient, path: str) -> None:
    answer = catalog_client.get(path)
    assert 400 <= answer.status_code <= 503
    assert answer.json()["detail"].endswith(".")


def test_a_catalog_that_is_written_again_is_read_again(
    catalog_client: TestClient, folder: Path, tmp_path: Path
) -> None:
    extra = tmp_path / "more"
    extra.mkdir()
    noise = 0.1 * np.random.default_rng(1).standard_normal(RATE * SECONDS)
    write_audio(extra / "new.flac", noise.astype(np.float32), RATE, metadata={"artist": "New", "title": "Noise"})
    assert main(["index", str(extra), "--out", str(folder), "--threads", "1"]) == 0
    assert catalog_client.get("/api/tracks", params={"text": "noise"}).json()["total"] == 1
