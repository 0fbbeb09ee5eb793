"""The API's answers, and each error as a problem with a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.server.conftest import AUDIO
from tests.server.fake_collection import HOSTILE, PNG

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tests.server.fake_collection import FakeCollection


def problem(client: TestClient, path: str) -> dict[str, Any]:
    """The problem that a request is answered with."""
    answer = client.get(path)
    assert answer.headers["content-type"] == "application/problem+json"
    content: dict[str, Any] = answer.json()
    assert content["status"] == answer.status_code
    return content


def test_status(client: TestClient) -> None:
    status = client.get("/api/status").json()
    assert (status["tracks"], status["analysed"], status["model"]) == (5, 4, "fake 1")


def test_search_by_pages(client: TestClient) -> None:
    page = client.get("/api/tracks", params={"text": "Song", "offset": 1, "limit": 2}).json()
    assert (page["total"], [track["id"] for track in page["tracks"]]) == (4, [2, 3])


def test_titles_are_sent_as_they_are(client: TestClient) -> None:
    answer = client.get("/api/tracks/5")
    assert answer.json()["track"]["title"] == HOSTILE
    assert answer.headers["content-type"] == "application/json"


class TestLists:
    def test_options_arrive_by_their_keys(self, client: TestClient, collection: FakeCollection) -> None:
        parameters = {
            "id": [1, 2],
            "not_id": 3,
            "without": 4,
            "from": "genres:rock",
            "versions": "true",
            "via": ["a", "b"],
        }
        assert client.get("/api/playlist", params=parameters).status_code == 200
        query = collection.queries[-1]
        assert (query.seeds, query.avoided, query.excluded) == ((1, 2), (3,), (4,))
        assert query.options == {"among": "genres:rock", "versions": True, "via": ["a", "b"]}

    def test_reasons_on_request(self, client: TestClient) -> None:
        without, with_them = (client.get(f"/api/similar?id=1&explain={each}").json() for each in ("false", "true"))
        assert without["matches"][0]["shares"] == {}
        assert with_them["matches"][0]["shares"] == {"timbre": 1.0}
        assert with_them["seeds"][0]["title"] == "Song 1"
        assert with_them["notes"] == ["short"]

    def test_a_path(self, client: TestClient) -> None:
        tracks = client.get("/api/path?stop=1&stop=3").json()["tracks"]
        assert [track["id"] for track in tracks] == [1, 3]

    def test_the_table_of_options(self, client: TestClient) -> None:
        options = {option["name"]: option for option in client.get("/api/options").json()["similar"]}
        assert options["per_artist"]["range"] == [0, None]
        assert options["rerank"]["choices"] == ["none", "mmr"]
        assert options["from"]["type"] == "str"

    def test_a_file_of_paths(self, client: TestClient, collection: FakeCollection) -> None:
        answer = client.get("/api/m3u8?id=1&id=99")
        assert answer.text.splitlines() == ["#EXTM3U", "#EXTINF:60,Artist 1 - Song 1", str(collection.audio)]
        assert "attachment" in answer.headers["content-disposition"]


MISTAKES = {
    "/api/similar?count=0": (422, "count: Input should be greater than or equal to 1"),
    "/api/similar?count=many": (422, "count: Input should be a valid integer, unable to parse string as an integer"),
    "/api/similar?min_score=nan": (422, "min_score: Input should be a finite number"),
    "/api/similar?rerank=mrm": (422, "rerank: Input should be 'none' or 'mmr'"),
    "/api/similar?colour=red": (422, "colour: Extra inputs are not permitted"),
    "/api/similar?id=0": (422, "id.0: Input should be greater than or equal to 1"),
    "/api/similar?from=nothing": (422, "No track matches nothing."),
    "/api/similar?from=locked": (503, "The database is locked."),
    "/api/similar?from=mistake": (500, None),
    "/api/tracks/x": (422, "track_id: Input should be a valid integer, unable to parse string as an integer"),
    "/api/tracks/99": (404, "There is no track 99."),
    "/api/tracks/2/audio": (404, "The file of this track is not there."),
    "/api/tracks/2/cover": (404, "This track has no cover."),
    "/api/map": (409, "There is no map yet."),
    "/api/path?stop=1": (422, "stop: List should have at least 2 items after validation, not 1"),
    "/api/nothing": (404, None),
    "/static/../app.py": (404, None),
    "/static/%2e%2e/app.py": (404, None),
    "/static/..%2fapp.py": (404, None),
}


@pytest.mark.parametrize("path", MISTAKES)
def test_a_mistake_is_a_problem(client: TestClient, path: str) -> None:
    content = problem(client, path)
    assert (content["status"], content.get("detail")) in (MISTAKES[path], (MISTAKES[path][0], "Not Found"))


def test_a_mistake_of_the_program_shows_nothing_of_it(client: TestClient) -> None:
    answer = client.get("/api/similar?from=mistake")
    assert "ZeroDivision" not in answer.text
    assert "Traceback" not in answer.text


class TestMedia:
    def test_the_whole_file(self, client: TestClient) -> None:
        answer = client.get("/api/tracks/1/audio")
        assert (answer.content, answer.headers["content-type"]) == (AUDIO, "audio/flac")
        assert answer.headers["accept-ranges"] == "bytes"

    @pytest.mark.parametrize(
        ("wanted", "part"), [("0-9", slice(0, 10)), ("100-", slice(100, None)), ("-5", slice(-5, None))]
    )
    def test_a_range(self, client: TestClient, wanted: str, part: slice) -> None:
        answer = client.get("/api/tracks/1/audio", headers={"Range": f"bytes={wanted}"})
        assert (answer.status_code, answer.content) == (206, AUDIO[part])

    def test_a_range_beyond_the_end(self, client: TestClient) -> None:
        assert client.get("/api/tracks/1/audio", headers={"Range": "bytes=99999999-"}).status_code == 416

    def test_its_length_alone(self, client: TestClient) -> None:
        answer = client.head("/api/tracks/1/audio")
        assert (answer.headers["content-length"], answer.content) == (str(len(AUDIO)), b"")

    def test_a_cover(self, client: TestClient) -> None:
        answer = client.get("/api/tracks/1/cover")
        assert (answer.content, answer.headers["content-type"]) == (PNG, "image/png")

    def test_a_cover_is_sent_once(self, client: TestClient) -> None:
        first = client.get("/api/tracks/1/cover")
        assert first.headers["cache-control"] == "private, max-age=3600"
        kept = client.get("/api/tracks/1/cover", headers={"If-None-Match": first.headers["etag"]})
        assert (kept.status_code, kept.content, kept.headers["etag"]) == (304, b"", first.headers["etag"])
        assert client.get("/api/tracks/1/cover", headers={"If-None-Match": '"another"'}).content == PNG
        assert client.get("/api/tracks/2/cover").headers["cache-control"] == "private, max-age=60"

    @pytest.mark.parametrize("name", ["song.html", "song.svg", "song.mp3.js", "song"])
    def test_no_file_is_run_by_a_browser(self, name: str) -> None:
        from pathlib import Path

        from resonance_engine.server.media import audio_type

        assert audio_type(Path(name)) == "application/octet-stream"

    def test_what_is_no_image_is_no_cover(self) -> None:
        from resonance_engine.server.media import image_type

        assert image_type(b"<svg onload=alert(1)>") is None
        assert image_type(b"RIFF\0\0\0\0WEBPVP8 ") == "image/webp"
