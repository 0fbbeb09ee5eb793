"""Records of the collection as elements of the OpenSubsonic API."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resonance_engine.server.media import audio_type
from resonance_engine.server.subsonic.ids import album_id, artist_id, playlist_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resonance_engine.server.browsing import Album, Artist, Genre, ListedTrack, SavedPlaylist

Fields = dict[str, Any]
UNKNOWN_ARTIST = "[Unknown Artist]"
UNKNOWN_ALBUM = "[Unknown Album]"
OWNER = "resonance"
LATEST = 253_402_300_799.0  # seconds since the epoch, the end of the year 9999


def format_moment(seconds: float) -> str:
    """Return a moment, in seconds since the epoch, as ISO 8601."""
    moment = datetime.fromtimestamp(min(max(seconds, 0.0), LATEST), UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def known(fields: Fields) -> Fields:
    """Return fields without those that are empty or 0."""
    return {name: value for name, value in fields.items() if value not in (None, "", 0)}


def to_song(track: ListedTrack) -> Fields:
    """Return a track as a `Child` that is a song."""
    plain, path = track.track, Path(track.path)
    return {
        "id": str(plain.id),
        "isDir": False,
        "isVideo": False,
        "title": plain.title,
        "type": "music",
        "mediaType": "song",
        "coverArt": str(plain.id) if track.album is None else album_id(track.album),
        "duration": round(plain.seconds),
        "created": format_moment(track.added),
        "contentType": audio_type(path),
        "displayArtist": plain.artist,
        "displayAlbumArtist": track.album_artist,
        "artists": name_artists(plain.artist),
        "albumArtists": name_artists(track.album_artist),
        "genres": name_genres(track.genres),
        "musicBrainzId": track.musicbrainz_id,
        "bpm": track.tempo,
        "bitDepth": track.bit_depth,
        "samplingRate": track.sample_rate,
        "channelCount": track.channels,
        **known(
            {
                "parent": album_id(track.album) if track.album is not None else artist_id(plain.artist),
                "albumId": album_id(track.album) if track.album is not None else None,
                "artistId": artist_id(plain.artist),
                "album": plain.album,
                "artist": plain.artist,
                "genre": plain.genre,
                "year": plain.year,
                "track": track.number,
                "discNumber": track.disc,
                "bitRate": track.bit_rate,
                "suffix": path.suffix.lstrip(".").lower(),
                "path": track.path,
                "playCount": track.plays,
                "played": format_moment(track.played) if track.played else None,
            }
        ),
    }


def to_album(album: Album) -> Fields:
    """Return an album as an `AlbumID3`."""
    return {
        "id": album_id(album.id),
        "name": album.title or UNKNOWN_ALBUM,
        "artist": album.artist or UNKNOWN_ARTIST,
        "artistId": artist_id(album.artist),
        "displayArtist": album.artist or UNKNOWN_ARTIST,
        "artists": [{"id": artist_id(album.artist), "name": album.artist or UNKNOWN_ARTIST}],
        "coverArt": album_id(album.id),
        "songCount": album.tracks,
        "duration": round(album.seconds),
        "created": format_moment(album.added),
        "genres": name_genres(album.genres),
        "isCompilation": album.is_compilation,
        "musicBrainzId": album.musicbrainz_id,
        **known({"year": album.year, "genre": next(iter(album.genres), None)}),
    }


def to_album_folder(album: Album) -> Fields:
    """Return an album as a `Child` that is a folder."""
    return {
        "id": album_id(album.id),
        "parent": artist_id(album.artist),
        "isDir": True,
        "title": album.title or UNKNOWN_ALBUM,
        "name": album.title or UNKNOWN_ALBUM,  # what the first versions of the API called it
        "album": album.title or UNKNOWN_ALBUM,
        "artist": album.artist or UNKNOWN_ARTIST,
        "artistId": artist_id(album.artist),
        "mediaType": "album",
        "coverArt": album_id(album.id),
        "duration": round(album.seconds),
        "songCount": album.tracks,
        "created": format_moment(album.added),
        "genres": name_genres(album.genres),
        "musicBrainzId": album.musicbrainz_id,
        **known({"year": album.year, "genre": next(iter(album.genres), None)}),
    }


def to_artist(artist: Artist) -> Fields:
    """Return an artist as an `ArtistID3`."""
    return {
        "id": artist_id(artist.name),
        "name": artist.name or UNKNOWN_ARTIST,
        "coverArt": artist_id(artist.name),
        "albumCount": artist.albums,
        "sortName": artist.sort_name,
    }


def to_artist_folder(artist: Artist) -> Fields:
    """Return an artist as an `Artist`, who is a folder."""
    return {"id": artist_id(artist.name), "name": artist.name or UNKNOWN_ARTIST}


def to_genre(genre: Genre) -> Fields:
    return {"songCount": genre.tracks, "albumCount": genre.albums, "value": genre.name}


def to_playlist(playlist: SavedPlaylist, seconds: float) -> Fields:
    """Return a saved playlist as a `Playlist`, of which the length in seconds is given; it is nobody's who listens."""
    return {
        "id": playlist_id(playlist.file),
        "name": Path(playlist.file).stem,
        "owner": OWNER,
        "public": True,
        "songCount": len(playlist.tracks),
        "duration": round(seconds),
        "created": format_moment(playlist.changed),
        "changed": format_moment(playlist.changed),
        **known({"coverArt": str(playlist.tracks[0]) if playlist.tracks else None}),
    }


def name_genres(names: Iterable[str]) -> list[Fields]:
    return [{"name": name} for name in names]


def name_artists(name: str) -> list[Fields]:
    return [{"id": artist_id(name), "name": name}] if name else []
