"""Public client libraries of the OpenSubsonic API against the server as it runs, with a password, over HTTP."""

from __future__ import annotations

import gc
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from resonance_engine.server.settings import ServerSettings

pytest.importorskip("fastapi", reason="needs FastAPI, of the extra serve")

from tests.plugin.subsonic_player import AUDIO, COVER, SubsonicPlayer
from tests.server.live_server import LiveServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The libraries leave sessions open; that is theirs.
pytestmark = [pytest.mark.rest, pytest.mark.filterwarnings("ignore::ResourceWarning")]
WITH_PASSWORDS = ServerSettings(token="a token", names=("music.example.org",))  # noqa: S106 - of the tests
MISSING = "needs {}, a client library that is not among the project's own; `pip install {}` has it tested"


class PasswordServer(LiveServer):
    """A server that its players need a password for, and the one that was made."""

    def __init__(self, player: SubsonicPlayer) -> None:
        super().__init__(player.collection, WITH_PASSWORDS, player.service)
        self.player = player
        self.password = player.passwords.add("phone")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PasswordServer]:
    player = SubsonicPlayer(tmp_path_factory.mktemp("player"), WITH_PASSWORDS)
    player.lists.joinpath("Evening.m3u8").write_text("#EXTM3U\n/music/5.mp3\n/music/3.mp3\n")
    with PasswordServer(player) as server:
        yield server
    gc.collect()  # what the libraries have left open ends here, where nobody minds
    player.close()


class TestPyOpensonic:
    @pytest.fixture
    def library(self) -> Any:
        return pytest.importorskip("libopensonic", reason=MISSING.format("py-opensonic", "py-opensonic"))

    @pytest.fixture
    def client(self, library: Any, server: PasswordServer) -> Iterator[Any]:
        client = library.Connection("http://127.0.0.1", "phone", server.password, server.port)
        yield client
        client.cleanup()

    @pytest.mark.parametrize(
        "how", [{}, {"use_get": True, "use_views": False}, {"legacy_auth": True}], ids=["form", "address", "password"]
    )
    def test_it_signs_in(self, library: Any, server: PasswordServer, how: dict[str, bool]) -> None:
        client = library.Connection("http://127.0.0.1", "phone", server.password, server.port, **how)
        assert client.ping()
        client.cleanup()

    def test_it_signs_in_with_a_key(self, library: Any, server: PasswordServer) -> None:
        client = library.Connection("http://127.0.0.1", port=server.port, api_key=server.password)
        assert client.token_info().username == "phone"
        client.cleanup()

    def test_a_wrong_password(self, library: Any, server: PasswordServer) -> None:
        client = library.Connection("http://127.0.0.1", "phone", "wrong", server.port)
        with pytest.raises(library.errors.CredentialError, match="Wrong username or password"):
            client.ping()
        client.cleanup()

    def test_it_browses(self, client: Any) -> None:
        artist = client.get_artists().index[0].artist[0]
        album = client.get_artist(artist.id).album[0]
        songs = client.get_album(album.id).song
        assert songs[0].title == client.get_song(songs[0].id).title == "Song 1"
        assert [child.id for child in client.get_music_directory(album.id).child] == [song.id for song in songs]
        assert len(client.get_album_list2("newest", size=500)) == len(client.get_album_list("newest", size=500)) == 23
        assert {genre.value for genre in client.get_genres()} == {"Rock", "Jazz", "Christmas"}
        assert len(client.search3("", song_count=500).song) == 63
        assert len(client.get_random_songs(5)) == len(client.get_songs_by_genre("Rock", 5)) == 5

    def test_it_makes_an_instant_mix(self, client: Any, server: PasswordServer) -> None:
        expected = [str(each) for each in server.player.synthetic.ids("id:3")]
        assert [song.id for song in client.get_similar_songs("3", 10)] == expected
        assert [song.id for song in client.get_similar_songs2("3", 10)] == expected
        matches = client.get_sonic_similar_tracks("3", 10)
        assert {match.entry.id for match in matches} == {*expected}
        path = client.find_sonic_path("3", "41", 6)
        assert (path[0].entry.id, path[0].similarity, path[-1].entry.id, len(path)) == ("3", 1.0, "41", 6)
        assert [song.title for song in client.get_top_songs("Artist C", 2)]

    def test_it_reads_a_playlist(self, client: Any) -> None:
        (playlist,) = client.get_playlists()
        assert [song.id for song in client.get_playlist(playlist.id).entry] == ["5", "3"]

    def test_changes_are_refused(self, library: Any, client: Any) -> None:
        with pytest.raises(library.errors.AuthError, match="only read"):
            client.star(["1"])


class TestKnuckles:
    @pytest.fixture
    def library(self) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of what it imports
            return pytest.importorskip("knuckles", reason=MISSING.format("knuckles", "knuckles"))

    @pytest.fixture(params=["GET", "POST"])
    def client(self, library: Any, server: PasswordServer, request: pytest.FixtureRequest) -> Any:
        return library.Subsonic(
            f"http://127.0.0.1:{server.port}",
            "phone",
            server.password,
            "tests",
            use_https=False,
            request_method=library.RequestMethod[request.param],
        )

    def test_it_signs_in(self, client: Any) -> None:
        assert client.system.ping().open_subsonic
        assert client.system.get_license().valid

    def test_it_browses(self, client: Any) -> None:
        artist = client.browsing.get_artists()[0]
        albums = client.browsing.get_artist(artist.id).albums
        songs = client.browsing.get_album(albums[0].id).songs
        assert (client.browsing.get_song(songs[0].id).title, len(songs)) == ("Song 1", 3)
        assert len(client.lists.get_album_list_newest(num_of_albums=500)) == 23
        assert [song.title for song in client.searching.search("Song 12").songs] == ["Song 12"]
        assert client.browsing.get_music_folders()[0].name == "Music"

    def test_it_makes_an_instant_mix(self, client: Any, server: PasswordServer) -> None:
        expected = [str(each) for each in server.player.synthetic.ids("id:3")]
        assert [song.id for song in client.browsing.get_similar_songs("3", 10)] == expected

    def test_it_reads_a_playlist(self, client: Any) -> None:
        (playlist,) = client.playlists.get_playlists()
        assert [song.id for song in client.playlists.get_playlist(playlist.id).songs] == ["5", "3"]

    def test_it_fetches_files(self, client: Any, tmp_path: Path) -> None:
        assert client.media_retrieval.download("1", tmp_path).read_bytes() == AUDIO
        assert client.media_retrieval.get_cover_art("al-1", tmp_path).read_bytes() == COVER
