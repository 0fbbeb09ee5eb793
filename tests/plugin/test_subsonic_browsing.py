"""A library as players browse it: artists, albums, tracks, genres, lists, search, playlists, files and covers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plugin.synthetic_tracks import SOUNDS, STALE, TWIN

pytest.importorskip("fastapi", reason="needs FastAPI, of the extra serve")

from tests.plugin.subsonic_player import AUDIO, COVER, ITS_ALBUM, SINGLE, SubsonicPlayer, album_ids, song_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

HITS = 23  # the compilation
ALBUMS = 23


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SubsonicPlayer]:
    player = SubsonicPlayer(tmp_path_factory.mktemp("player"))
    yield player
    player.close()


def artists_of(player: SubsonicPlayer) -> dict[str, dict[str, Any]]:
    index = player.call("getArtists")["artists"]["index"]
    return {artist["name"]: artist for group in index for artist in group["artist"]}


class TestArtists:
    def test_they_are_those_of_albums_and_single_tracks(self, player: SubsonicPlayer) -> None:
        artists = artists_of(player)
        assert artists.keys() == {*(f"Artist {letter}" for letter in "ABCDEFGHIJKM"), "Various Artists", "Twin"}
        assert artists["Artist A"]["albumCount"] == 2
        assert artists["Twin"]["albumCount"] == 0
        folders = player.call("getIndexes")["indexes"]["index"]
        assert {artist["name"] for group in folders for artist in group["artist"]} == artists.keys()

    def test_one_has_albums(self, player: SubsonicPlayer) -> None:
        artist = player.call("getArtist", id=artists_of(player)["Artist A"]["id"])["artist"]
        assert (artist["name"], album_ids(artist["album"])) == ("Artist A", [1, 2])

    def test_a_guest_has_the_compilation(self, player: SubsonicPlayer) -> None:
        guest = player.call("getSong", id=SOUNDS)["song"]
        assert guest["artist"] == f"Guest {SOUNDS}"
        assert album_ids(player.call("getArtist", id=guest["artistId"])["artist"]["album"]) == [HITS]

    def test_one_is_a_folder_of_albums_and_of_single_tracks(self, player: SubsonicPlayer) -> None:
        artists = artists_of(player)
        children = player.call("getMusicDirectory", id=artists["Artist A"]["id"])["directory"]["child"]
        assert [child["isDir"] for child in children] == [True, True]
        songs = player.call("getMusicDirectory", id=artists["Twin"]["id"])["directory"]["child"]
        assert [(song["isDir"], song["id"]) for song in songs] == [(False, str(TWIN))]

    def test_one_that_is_not_there(self, player: SubsonicPlayer) -> None:
        for method in ("getArtist", "getMusicDirectory"):
            assert player.error(method, id="ar-eA") == (70, "There is no such artist.")


class TestAlbums:
    def test_one_has_its_tracks(self, player: SubsonicPlayer) -> None:
        album = player.call("getAlbum", id="al-1")["album"]
        assert (album["name"], album["artist"], album["songCount"]) == ("First", "Artist A", 3)
        assert song_ids(album["song"]) == [1, 2, 3]
        assert album["duration"] == sum(song["duration"] for song in album["song"])
        assert {song["albumId"] for song in album["song"]} == {"al-1"}
        assert player.call("getAlbum", id="al-23")["album"]["isCompilation"]
        folder = player.call("getMusicDirectory", id="al-1")["directory"]
        assert (folder["parent"], song_ids(folder["child"])) == (album["artistId"], [1, 2, 3])

    @pytest.mark.parametrize(("kind", "first"), [("alphabeticalByArtist", 1), ("alphabeticalByName", 1)])
    def test_all_come_in_pages(self, player: SubsonicPlayer, kind: str, first: int) -> None:
        pages = [
            player.call("getAlbumList2", type=kind, size=10, offset=start)["albumList2"]["album"]
            for start in (0, 10, 20, 30)
        ]
        assert [len(page) for page in pages] == [10, 10, 3, 0]
        ids = [album for page in pages for album in album_ids(page)]
        assert (len(set(ids)), ids[0]) == (ALBUMS, first)
        names = [album["name" if kind.endswith("Name") else "artist"] for page in pages for album in page]
        assert names == sorted(names)
        whole = player.call("getAlbumList", type=kind, size=500)["albumList"]["album"]
        assert album_ids(whole) == ids

    def test_by_year_up_and_down(self, player: SubsonicPlayer) -> None:
        def years(first: int, last: int) -> list[int]:
            albums = player.call("getAlbumList2", type="byYear", fromYear=first, toYear=last, size=500)["albumList2"]
            return [album["year"] for album in albums["album"]]

        up = years(1970, 1990)
        assert up == sorted(up)
        assert min(up) >= 1970
        assert max(up) <= 1990
        assert years(1990, 1970) == up[::-1]

    def test_by_genre(self, player: SubsonicPlayer) -> None:
        genres = {genre["value"]: genre for genre in player.call("getGenres")["genres"]["genre"]}
        albums = player.call("getAlbumList2", type="byGenre", genre="jazz", size=500)["albumList2"]["album"]
        assert len(albums) == genres["Jazz"]["albumCount"] > 0
        assert {album["genre"] for album in albums} == {"Jazz"}

    def test_those_played_most(self, player: SubsonicPlayer) -> None:
        albums = player.call("getAlbumList2", type="frequent", size=500)["albumList2"]["album"]
        plays = [
            sum(song.get("playCount", 0) for song in player.call("getAlbum", id=album["id"])["album"]["song"])
            for album in albums
        ]
        assert plays == sorted(plays, reverse=True)
        assert 0 < len(plays) < ALBUMS
        assert all(plays)

    def test_those_played_last_and_rated_best(self, player: SubsonicPlayer) -> None:
        for item_id, album, fields in ((4, 2, {"last_played": 900.0}), (9, 4, {"last_played": "1970-01-03 00:00:00"})):
            item = player.library.get_item(item_id)
            assert item is not None
            assert item.album_id == album
            item.update({**fields, "rating": item_id / 10})
            item.store()
        for kind in ("recent", "highest"):
            assert album_ids(player.call("getAlbumList2", type=kind)["albumList2"]["album"]) == [4, 2]
        assert player.call("getSong", id=4)["song"]["played"] == "1970-01-01T00:15:00Z"

    def test_random_ones(self, player: SubsonicPlayer) -> None:
        lists = [
            tuple(album_ids(player.call("getAlbumList2", type="random", size=500)["albumList2"]["album"]))
            for _ in range(3)
        ]
        assert len(set(lists)) > 1
        assert {frozenset(each) for each in lists} == {frozenset(range(1, ALBUMS + 1))}

    def test_lists_that_are_none(self, player: SubsonicPlayer) -> None:
        assert player.call("getAlbumList2", type="starred") == {"albumList2": {"album": []}}
        assert player.error("getAlbumList2", type="loud") == (0, "There is no list of albums of the type 'loud'.")
        assert player.error("getAlbumList2")[0] == 10
        assert player.error("getAlbumList2", type="byYear", fromYear=1990)[0] == 10
        assert player.error("getAlbum", id="al-99") == (70, "There is no such album.")


class TestTracks:
    def test_one_has_its_tags(self, player: SubsonicPlayer) -> None:
        song = player.call("getSong", id=8)["song"]
        expected = {"title": "Song 8", "artist": "Artist B", "album": "First", "year": 1968, "genre": "Jazz"}
        assert {name: song[name] for name in expected} == expected
        assert (song["duration"], song["suffix"], song["contentType"]) == (236, "mp3", "audio/mpeg")
        assert (song["path"], song["isDir"], song["type"]) == ("8.mp3", False, "music")
        assert song["playCount"] == 8 * 7 % 11

    def test_a_single_track_has_no_album(self, player: SubsonicPlayer) -> None:
        song = player.call("getSong", id=SINGLE)["song"]
        assert "albumId" not in song
        assert song["coverArt"] == str(SINGLE)

    def test_a_path_that_is_no_text(self, player: SubsonicPlayer) -> None:
        assert player.call("getSong", id=TWIN)["song"]["path"].endswith(".mp3")

    def test_random_ones_of_a_genre_and_some_years(self, player: SubsonicPlayer) -> None:
        songs = player.call("getRandomSongs", size=500, genre="Jazz", fromYear=1970, toYear=1980)["randomSongs"]["song"]
        assert sorted(song_ids(songs)) == [12, 16, 20]
        assert len(player.call("getRandomSongs")["randomSongs"]["song"]) == 10

    def test_those_of_a_genre_in_pages(self, player: SubsonicPlayer) -> None:
        pages = [
            song_ids(player.call("getSongsByGenre", genre="Christmas", count=2, offset=start)["songsByGenre"]["song"])
            for start in (0, 2)
        ]
        assert pages == [[31, 32], [33]]

    def test_one_that_is_not_there(self, player: SubsonicPlayer) -> None:
        assert player.error("getSong", id="999") == (70, "There is no such track.")
        assert player.error("getSong", id="al-1") == (70, "This is the id of an album, not a track's.")


class TestSearch:
    def test_an_empty_text_is_the_whole_library(self, player: SubsonicPlayer) -> None:
        for text in ("", '""'):
            pages = [
                player.call("search3", query=text, songCount=40, songOffset=start, albumCount=500, artistCount=500)
                for start in (0, 40)
            ]
            result = pages[0]["searchResult3"]
            songs = [song for page in pages for song in song_ids(page["searchResult3"]["song"])]
            assert sorted(songs) == [*range(1, STALE + 1)]
            assert (len(result["album"]), len(result["artist"])) == (ALBUMS, len(artists_of(player)))

    def test_all_words_are_somewhere(self, player: SubsonicPlayer) -> None:
        result = player.call("search3", query="song ARTIST 12", songCount=500)["searchResult3"]
        assert (song_ids(result["song"]), result["artist"], result["album"]) == ([12], [], [])
        result = player.call("search2", query="artist g", songCount=0)["searchResult2"]
        assert [artist["name"] for artist in result["artist"]] == ["Artist G"]
        assert (album_ids(result["album"]), result["song"]) == ([13, 14], [])

    def test_titles_come_first(self, player: SubsonicPlayer) -> None:
        assert song_ids(player.call("search3", query="Song 1", songCount=2)["searchResult3"]["song"])[0] == 1

    @pytest.mark.parametrize("text", ["100%", "a_b", "\\", "'", "year:1970", "x, y", "--", "["])
    def test_signs_mean_themselves(self, player: SubsonicPlayer, text: str) -> None:
        assert player.call("search3", query=text)["searchResult3"] == {"artist": [], "album": [], "song": []}

    def test_counts_of_none(self, player: SubsonicPlayer) -> None:
        result = player.call("search3", query="", songCount=0, albumCount=0, artistCount=0)["searchResult3"]
        assert result == {"artist": [], "album": [], "song": []}


class TestPlaylists:
    def test_they_are_the_files_of_the_folder(self, player: SubsonicPlayer) -> None:
        player.lists.joinpath("Über uns.m3u8").write_text("#EXTM3U\n/music/5.mp3\n/music/3.mp3\n/gone.mp3\n")
        player.lists.joinpath("other.txt").write_text("/music/5.mp3\n")
        player.lists.joinpath(".hidden.m3u8").write_text("/music/5.mp3\n")
        (playlist,) = player.call("getPlaylists")["playlists"]["playlist"]
        assert (playlist["name"], playlist["songCount"], playlist["duration"]) == ("Über uns", 2, 215 + 201)
        whole = player.call("getPlaylist", id=playlist["id"])["playlist"]
        assert song_ids(whole["entry"]) == [5, 3]
        assert {name: whole[name] for name in playlist} == playlist

    def test_none_outside_of_it(self, player: SubsonicPlayer) -> None:
        from resonance_engine.server.subsonic.ids import playlist_id

        outside = player.lists.parent / "outside.m3u8"
        outside.write_text("/music/5.mp3\n")
        for name in (f"../{outside.name}", str(outside), ""):
            assert player.error("getPlaylist", id=playlist_id(name)) == (70, "There is no such playlist.")

    def test_they_are_only_read(self, player: SubsonicPlayer) -> None:
        before = sorted(player.lists.iterdir())
        for method in ("createPlaylist", "updatePlaylist", "deletePlaylist", "star", "setRating"):
            assert player.error(method, id="1", name="x", playlistId="pl-eA")[0] == 50
        assert sorted(player.lists.iterdir()) == before
        assert player.call("scrobble", id="1") == {}


class TestFiles:
    def test_a_track_whole_and_in_parts(self, player: SubsonicPlayer) -> None:
        answer = player.client.get("/rest/stream.view", params={"id": "1", "maxBitRate": "96", "format": "opus"})
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, AUDIO, "audio/mpeg")
        part = player.client.get("/rest/stream", params={"id": "1"}, headers={"Range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, AUDIO[100:200])
        assert part.headers["content-range"] == f"bytes 100-199/{len(AUDIO)}"
        head = player.client.head("/rest/stream", params={"id": "1"})
        assert (head.headers["content-length"], head.content) == (str(len(AUDIO)), b"")

    def test_a_download_has_a_name(self, player: SubsonicPlayer) -> None:
        answer = player.client.get("/rest/download", params={"id": "1"})
        assert answer.headers["content-disposition"] == 'attachment; filename="song.mp3"'
        assert answer.content == AUDIO

    def test_a_file_that_is_gone(self, player: SubsonicPlayer) -> None:
        assert player.error("stream", id="2") == (70, "The file of this track is not there.")
        assert player.error("stream", id="999")[0] == 70

    def test_covers_of_track_album_and_artist(self, player: SubsonicPlayer) -> None:
        artist = player.call("getAlbum", id=f"al-{ITS_ALBUM}")["album"]["artistId"]
        for identifier in ("1", "3", f"al-{ITS_ALBUM}", artist):
            answer = player.client.get("/rest/getCoverArt", params={"id": identifier, "size": "300"})
            assert (answer.content, answer.headers["content-type"]) == (COVER, "image/jpeg")
        assert player.error("getCoverArt", id="al-2")[0] == 70
        assert player.error("getCoverArt", id="ar-eA") == (70, "There is no cover.")


def test_what_is_not_there(player: SubsonicPlayer) -> None:
    answer = player.client.get("/rest/getNothing.view?f=json")
    assert (answer.status_code, answer.json()["subsonic-response"]["error"]["code"]) == (404, 0)
    assert player.call("getStarred2") == {"starred2": {}}
    assert player.call("getScanStatus") == {"scanStatus": {"scanning": False, "count": STALE}}
    assert player.error("getAvatar", username="x")[0] == 70
