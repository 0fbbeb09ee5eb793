"""Similar tracks, sonic paths and best known tracks for players, and the requests of BeetstreamNext."""

from __future__ import annotations

import base64
import hashlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.plugin.synthetic_tracks import NEW, TWIN

pytest.importorskip("fastapi", reason="needs FastAPI, of the extra serve")

from tests.plugin.subsonic_player import SubsonicPlayer, song_ids

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SubsonicPlayer]:
    player = SubsonicPlayer(tmp_path_factory.mktemp("player"))
    yield player
    player.close()


class TestSimilarSongs:
    @pytest.mark.parametrize("method", ["getSimilarSongs", "getSimilarSongs2"])
    def test_they_are_those_of_the_command(self, player: SubsonicPlayer, method: str) -> None:
        element = player.call(method, id="3", count=10)[method[3:4].lower() + method[4:]]
        assert song_ids(element["song"]) == player.synthetic.ids("id:3")

    def test_to_an_album(self, player: SubsonicPlayer) -> None:
        songs = player.call("getSimilarSongs2", id="al-9", count=10)["similarSongs2"]["song"]
        assert song_ids(songs) == player.synthetic.ids("album_id:9")

    def test_to_an_artist(self, player: SubsonicPlayer) -> None:
        artist = player.call("getSong", id="22")["song"]["artistId"]
        songs = player.call("getSimilarSongs2", id=artist, count=10)["similarSongs2"]["song"]
        assert song_ids(songs) == player.synthetic.ids("artist::^Artist.E$")

    def test_fifty_without_a_count(self, player: SubsonicPlayer) -> None:
        expected = player.synthetic.ids("id:3", count=50)
        assert song_ids(player.call("getSimilarSongs", id="3")["similarSongs"]["song"]) == expected

    def test_of_what_is_not_there_or_not_analysed(self, player: SubsonicPlayer) -> None:
        assert player.error("getSimilarSongs", id="999") == (70, "There is nothing with this id.")
        assert player.error("getSimilarSongs", id="al-99") == (70, "There is nothing with this id.")
        assert player.error("getSimilarSongs", id="pl-eA")[0] == 70
        code, message = player.error("getSimilarSongs", id=str(NEW))
        assert code == 0
        assert "is not analysed yet" in message


class TestSonicSimilarity:
    def test_similar_tracks_have_the_scores_of_the_command(self, player: SubsonicPlayer) -> None:
        matches = player.call("getSonicSimilarTracks", id="3", count=20)["sonicMatch"]
        ids = song_ids([match["entry"] for match in matches])
        scores = [match["similarity"] for match in matches]
        hits = {hit.item_id: hit.score for hit in player.synthetic.find("id:3", count=20).hits}
        assert scores == sorted(scores, reverse=True)
        assert dict(zip(ids, scores, strict=True)) == {each: pytest.approx(hits[each], abs=1e-4) for each in hits}
        assert 3 not in ids
        assert len(player.call("getSonicSimilarTracks", id="3")["sonicMatch"]) == 10
        assert player.call("getSonicSimilarTracks", id="3", count=0) == {"sonicMatch": []}

    def test_a_path_has_its_ends_and_the_similarities_to_its_first_track(self, player: SubsonicPlayer) -> None:
        matches = player.call("findSonicPath", startSongId="3", endSongId="41", count=7)["sonicMatch"]
        ids = song_ids([match["entry"] for match in matches])
        assert (ids[0], ids[-1], len(ids), len(set(ids))) == (3, 41, 7, 7)
        cosines = player.synthetic.near(3)[0]
        scores = [match["similarity"] for match in matches]
        assert scores == pytest.approx([max(cosines[each - 1], 0.0) for each in ids], abs=2e-3)
        assert scores[0] == 1.0

    def test_a_path_of_two_and_of_one(self, player: SubsonicPlayer) -> None:
        for last, expected in (("41", [3, 41]), ("3", [3])):
            matches = player.call("findSonicPath", startSongId="3", endSongId=last, count=2)["sonicMatch"]
            assert song_ids([match["entry"] for match in matches]) == expected

    def test_what_is_missing_or_not_there(self, player: SubsonicPlayer) -> None:
        assert player.error("getSonicSimilarTracks")[0] == 10
        assert player.error("findSonicPath", startSongId="3")[0] == 10
        assert player.error("getSonicSimilarTracks", id="999") == (70, "There is no track 999.")
        assert player.error("findSonicPath", startSongId="3", endSongId="999") == (70, "There is no track 999.")
        assert player.error("getSonicSimilarTracks", id="al-1")[0] == 70
        assert player.error("findSonicPath", startSongId="3", endSongId=str(NEW))[0] == 0

    def test_in_xml(self, player: SubsonicPlayer) -> None:
        from xml.etree import ElementTree as ET

        answer = player.client.get("/rest/getSonicSimilarTracks.view", params={"id": "3", "count": "2"})
        root = ET.fromstring(answer.content)  # noqa: S314 - our own
        space = "{http://subsonic.org/restapi}"
        matches = root.findall(f"{space}sonicMatch")
        scores = [match["similarity"] for match in player.call("getSonicSimilarTracks", id="3", count=2)["sonicMatch"]]
        assert [float(match.attrib["similarity"]) for match in matches] == scores
        assert all(match.find(f"{space}entry") is not None for match in matches)


class TestTopSongs:
    def test_those_played_most_come_first(self, player: SubsonicPlayer) -> None:
        by_name = player.call("getTopSongs", artist="Artist A")["topSongs"]["song"]
        # 2 was played 3 times, 4 has a count that is none, and the others have none.
        assert song_ids(by_name) == [2, 1, 3, 4, 5]
        artist = by_name[0]["artistId"]
        assert player.call("getTopSongs", id=artist, artist="Artist B")["topSongs"]["song"] == by_name
        assert song_ids(player.call("getTopSongs", id=artist, count=1)["topSongs"]["song"]) == [2]

    def test_then_those_rated_best(self, player: SubsonicPlayer) -> None:
        for item_id, rating in ((8, 0.5), (7, 0.9), (9, 0.2)):
            item = player.library.get_item(item_id)
            assert item is not None
            item.update({"rating": rating, "play_count": 1})
            item.store()
        assert song_ids(player.call("getTopSongs", artist="Artist B", count=4)["topSongs"]["song"]) == [6, 10, 7, 8]

    def test_of_nobody(self, player: SubsonicPlayer) -> None:
        assert player.call("getTopSongs", artist="Nobody") == {"topSongs": {"song": []}}
        assert player.error("getTopSongs")[0] == 10


def beetstream_ids(player: SubsonicPlayer, item_id: int) -> list[str]:
    """The ids that BeetstreamNext may have for a track: one that names its file, and one that it has no longer."""
    item = player.library.get_item(item_id)
    assert item is not None
    if item.mb_trackid:
        own = "sg-m-" + base64.urlsafe_b64encode(item.mb_trackid.encode()).rstrip(b"=").decode()
    else:
        below = item.path.removeprefix(player.library.directory + b"/")
        own = "sg-h-" + hashlib.sha1(below, usedforsecurity=False).hexdigest()[:16]
    return [own, f"sg-{item_id}"]


class TestBeetstreamNext:
    def get(self, player: SubsonicPlayer, path: str, **parameters: object) -> Any:
        answer = player.client.get(f"/audiomuse/api/{path}", params=parameters)  # type: ignore[arg-type] # as httpx takes them
        assert answer.status_code == 200, answer.text
        return answer.json()

    @pytest.mark.parametrize("seed", [1, 3, TWIN])
    def test_similar_tracks(self, player: SubsonicPlayer, seed: int) -> None:
        expected = player.call("getSonicSimilarTracks", id=str(seed), count=5)["sonicMatch"]
        for identifier in beetstream_ids(player, seed) if seed != TWIN else beetstream_ids(player, seed)[1:]:
            tracks = self.get(player, "similar_tracks", item_id=identifier, n=5)
            assert [track["item_id"] for track in tracks] == [f"sg-{match['entry']['id']}" for match in expected]
            distances = [1 - match["similarity"] for match in expected]
            assert [track["distance"] for track in tracks] == pytest.approx(distances, abs=1e-3)
            assert [track["title"] for track in tracks] == [match["entry"]["title"] for match in expected]

    def test_a_path(self, player: SubsonicPlayer) -> None:
        start, end = beetstream_ids(player, 3)[0], beetstream_ids(player, 41)[0]
        answer = self.get(player, "find_path", start_song_id=start, end_song_id=end, max_steps=6)
        ids = [int(track["item_id"].removeprefix("sg-")) for track in answer["path"]]
        assert (ids[0], ids[-1], len(ids)) == (3, 41, 6)
        cosines = player.synthetic.plan.cosines
        steps = [1 - cosines[before - 1, after - 1] for before, after in pairwise(ids)]
        assert answer["total_distance"] == pytest.approx(sum(min(step, 1.0) for step in steps), abs=1e-2)

    def test_health(self, player: SubsonicPlayer) -> None:
        assert self.get(player, "health") == {"status": "ok"}

    @pytest.mark.parametrize("identifier", ["sg-999", "sg-m-eA", "sg-m-*", "sg-h-0", "sg-x", "3", "", "sg-" + "9" * 40])
    def test_ids_of_nothing(self, player: SubsonicPlayer, identifier: str) -> None:
        answer = player.client.get("/audiomuse/api/similar_tracks", params={"item_id": identifier})
        assert (answer.status_code, answer.json()["detail"]) == (404, "There is no track with this id.")
