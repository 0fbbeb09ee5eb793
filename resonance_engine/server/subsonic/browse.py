"""Methods of the OpenSubsonic API that browse artists, albums, tracks and genres."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonance_engine.server.browsing import AlbumQuery, Artist, TrackQuery
from resonance_engine.server.subsonic.elements import (
    UNKNOWN_ALBUM,
    UNKNOWN_ARTIST,
    to_album,
    to_album_folder,
    to_artist,
    to_artist_folder,
    to_genre,
    to_song,
)
from resonance_engine.server.subsonic.errors import NO_DATA, SubsonicError
from resonance_engine.server.subsonic.ids import album_id, artist_id, parse_as, parse_id
from resonance_engine.server.subsonic.indexes import ARTICLES, group_by_letter

if TYPE_CHECKING:
    from resonance_engine.server.browsing import Album, ListedTrack
    from resonance_engine.server.subsonic.responses import Payload
    from resonance_engine.server.subsonic.service import Call

FOLDER = {"id": 1, "name": "Music"}
ARTIST_FIELDS = ("biography", "musicBrainzId", "lastFmUrl", "smallImageUrl", "mediumImageUrl", "largeImageUrl")
EVERY = 1_000_000


def get_music_folders(_: Call) -> Payload:
    return {"musicFolders": {"musicFolder": [FOLDER]}}


def get_artists(call: Call) -> Payload:
    groups = group_by_letter(call.browser.artists())
    index = [{"name": letter, "artist": [to_artist(each) for each in group]} for letter, group in groups.items()]
    return {"artists": {"ignoredArticles": " ".join(ARTICLES), "index": index}}


def get_indexes(call: Call) -> Payload:
    """Return the artists as folders."""
    groups = group_by_letter(call.browser.artists())
    index = [{"name": letter, "artist": [to_artist_folder(each) for each in group]} for letter, group in groups.items()]
    newest = call.browser.albums(AlbumQuery("newest", limit=1))
    changed = round(newest[0].added * 1000) if newest else 0
    return {"indexes": {"ignoredArticles": " ".join(ARTICLES), "lastModified": changed, "index": index}}


def get_artist(call: Call) -> Payload:
    """Return an artist with the albums that have tracks by them."""
    name = parse_as(call.parameters.require("id"), "artist").name
    albums = find_albums_of(call, name)
    return {"artist": {**to_artist(Artist(name, len(albums))), "album": [to_album(album) for album in albums]}}


def get_album(call: Call) -> Payload:
    album = find_album(call, parse_as(call.parameters.require("id"), "album").number)
    return {"album": {**to_album(album), "song": [to_song(track) for track in tracks_of(call, album)]}}


def get_song(call: Call) -> Payload:
    number = parse_as(call.parameters.require("id"), "track").number
    tracks = call.browser.listed([number])
    if not tracks:
        raise SubsonicError(NO_DATA, "There is no such track.")
    return {"song": to_song(tracks[0])}


def get_music_directory(call: Call) -> Payload:
    """Return an artist or an album as a folder."""
    reference = parse_id(call.parameters.require("id"))
    if reference.kind == "album":
        album = find_album(call, reference.number)
        children = [to_song(track) for track in tracks_of(call, album)]
        record = {"id": album_id(album.id), "parent": artist_id(album.artist), "name": album.title or UNKNOWN_ALBUM}
    elif reference.kind == "artist":
        albums = find_albums_of(call, reference.name)
        singles = call.browser.find_tracks(TrackQuery(artist=reference.name, singles=True, limit=EVERY))
        children = [*map(to_album_folder, albums), *map(to_song, singles)]
        record = {"id": artist_id(reference.name), "name": reference.name or UNKNOWN_ARTIST}
    else:
        raise SubsonicError(NO_DATA, "There is no folder with this id.")
    return {"directory": {**record, "child": children}}


def get_genres(call: Call) -> Payload:
    return {"genres": {"genre": [to_genre(genre) for genre in call.browser.genres()]}}


def get_artist_info(call: Call) -> Payload:
    """Return no biography, which the library does not have, for an artist that it has."""
    return {"artistInfo": describe_artist(call)}


def get_artist_info2(call: Call) -> Payload:
    return {"artistInfo2": describe_artist(call)}


def describe_artist(call: Call) -> Payload:
    parse_id(call.parameters.require("id"))
    return dict.fromkeys(ARTIST_FIELDS, "")


def get_album_info(call: Call) -> Payload:
    """Return the MusicBrainz id of an album; the library has no notes."""
    album = find_album(call, parse_as(call.parameters.require("id"), "album").number)
    return {"albumInfo": {"musicBrainzId": album.musicbrainz_id}}


def find_album(call: Call, number: int) -> Album:
    """Return an album; SubsonicError where there is none."""
    albums = call.browser.albums(AlbumQuery(ids=(number,)))
    if not albums:
        raise SubsonicError(NO_DATA, "There is no such album.")
    return albums[0]


def find_albums_of(call: Call, name: str) -> list[Album]:
    """Return the albums of an artist; SubsonicError where the collection has nothing by them."""
    albums = call.browser.albums(AlbumQuery("year", artist=name, limit=EVERY))
    if not albums and not call.browser.find_tracks(TrackQuery(artist=name, limit=1)):
        raise SubsonicError(NO_DATA, "There is no such artist.")
    return albums


def tracks_of(call: Call, album: Album) -> list[ListedTrack]:
    return call.browser.find_tracks(TrackQuery(album=album.id, limit=EVERY))
