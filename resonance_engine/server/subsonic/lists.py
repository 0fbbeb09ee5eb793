"""Methods of the OpenSubsonic API that list albums and tracks in some order, search, and read saved playlists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonance_engine.server.browsing import AlbumQuery, TrackQuery
from resonance_engine.server.subsonic.elements import (
    to_album,
    to_album_folder,
    to_artist,
    to_artist_folder,
    to_playlist,
    to_song,
)
from resonance_engine.server.subsonic.errors import GENERIC, NO_DATA, SubsonicError
from resonance_engine.server.subsonic.ids import parse_as

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from resonance_engine.server.browsing import Album, AlbumOrder, Artist, ListedTrack, TrackOrder
    from resonance_engine.server.subsonic.responses import Payload
    from resonance_engine.server.subsonic.service import Call

MOST_ALBUMS = 500
MOST_TRACKS = 500
MOST_MATCHES = 10_000  # of a search, by which some players read the whole library
LARGEST_OFFSET = 10_000_000
ORDERS: dict[str, AlbumOrder] = {
    "random": "random",
    "newest": "newest",
    "highest": "highest",
    "frequent": "frequent",
    "recent": "recent",
    "alphabeticalByName": "title",
    "alphabeticalByArtist": "artist",
    "byYear": "year",
    "byGenre": "artist",
}


def get_album_list(call: Call) -> Payload:
    return {"albumList": {"album": [to_album_folder(album) for album in list_albums(call)]}}


def get_album_list2(call: Call) -> Payload:
    return {"albumList2": {"album": [to_album(album) for album in list_albums(call)]}}


def list_albums(call: Call) -> list[Album]:
    """Return the albums of a list by its type; of those that a user starred there are none."""
    kind = call.parameters.require("type")
    if kind == "starred":
        return []
    if kind not in ORDERS:
        raise SubsonicError(GENERIC, f"There is no list of albums of the type {kind!r}.")
    order = ORDERS[kind]
    years, genre = None, None
    if kind == "byYear":
        call.parameters.require("fromYear")
        call.parameters.require("toYear")
        years = call.parameters.years()
        if years and years[0] > years[1]:
            years, order = (years[1], years[0]), "year down"
    if kind == "byGenre":
        genre = call.parameters.require("genre")
    size = call.parameters.number("size", 10, 0, MOST_ALBUMS)
    return call.browser.albums(AlbumQuery(order, read_offset(call), size, genre=genre, years=years))


def get_random_songs(call: Call) -> Payload:
    size = call.parameters.number("size", 10, 0, MOST_TRACKS)
    genre = call.parameters.find("genre") or None
    query = TrackQuery("random", limit=size, genre=genre, years=call.parameters.years())
    return {"randomSongs": {"song": [to_song(track) for track in call.browser.find_tracks(query)]}}


def get_songs_by_genre(call: Call) -> Payload:
    count = call.parameters.number("count", 10, 0, MOST_TRACKS)
    query = TrackQuery(offset=read_offset(call), limit=count, genre=call.parameters.require("genre"))
    return {"songsByGenre": {"song": [to_song(track) for track in call.browser.find_tracks(query)]}}


def search2(call: Call) -> Payload:
    return {"searchResult2": search(call, to_artist_folder, to_album_folder)}


def search3(call: Call) -> Payload:
    return {"searchResult3": search(call, to_artist, to_album)}


def search(call: Call, show_artist: Callable[[Artist], Any], show_album: Callable[[Album], Any]) -> Payload:
    """Return artists, albums and tracks with all words of a text; all there are for an empty one."""
    text = (call.parameters.find("query") or "").strip().strip('"*')
    artists = call.browser.artists(text) if read_count(call, "artist") else []
    start = read_offset(call, "artistOffset")
    albums: list[Album] = []
    if count := read_count(call, "album"):
        albums = call.browser.albums(AlbumQuery("title", read_offset(call, "albumOffset"), count, text=text))
    tracks: list[ListedTrack] = []
    if count := read_count(call, "song"):
        order: TrackOrder = "best" if text else "album"
        tracks = call.browser.find_tracks(TrackQuery(order, read_offset(call, "songOffset"), count, text=text))
    return {
        "artist": [show_artist(artist) for artist in artists[start : start + read_count(call, "artist")]],
        "album": [show_album(album) for album in albums],
        "song": [to_song(track) for track in tracks],
    }


def read_count(call: Call, name: str) -> int:
    return call.parameters.number(f"{name}Count", 20, 0, MOST_MATCHES)


def read_offset(call: Call, name: str = "offset") -> int:
    return call.parameters.number(name, 0, 0, LARGEST_OFFSET)


def get_playlists(call: Call) -> Payload:
    playlists = call.browser.playlists()
    lengths = {track.id: track.seconds for track in call.collection.tracks([*{i for p in playlists for i in p.tracks}])}
    shown = [to_playlist(playlist, sum(lengths.get(each, 0.0) for each in playlist.tracks)) for playlist in playlists]
    return {"playlists": {"playlist": shown}}


def get_playlist(call: Call) -> Payload:
    name = parse_as(call.parameters.require("id"), "playlist").name
    playlist = next((each for each in call.browser.playlists() if each.file == name), None)
    if playlist is None:
        raise SubsonicError(NO_DATA, "There is no such playlist.")
    tracks = call.browser.listed(playlist.tracks)
    seconds = sum(track.track.seconds for track in tracks)
    return {"playlist": {**to_playlist(playlist, seconds), "entry": [to_song(track) for track in tracks]}}
