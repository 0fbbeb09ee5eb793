"""A beets library as players browse it: albums, artists, tracks, genres, and the playlists of a folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from beetsplug.resonance.library.items import items_at
from beetsplug.resonance.server.beetstream_ids import find_item
from beetsplug.resonance.server.listings import (
    list_albums,
    list_artists,
    list_genres,
    list_top_tracks,
    list_tracks,
    read_listed,
)
from resonance_engine.errors import PlaylistError
from resonance_engine.playlist import m3u
from resonance_engine.server.browsing import SavedPlaylist

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from beetsplug.resonance.server.library_collection import LibraryCollection
    from resonance_engine.server.browsing import Album, AlbumQuery, Artist, Genre, ListedTrack, TrackQuery


class LibraryBrowser:
    """Albums, artists, tracks and genres of a library; see `Browser`."""

    def __init__(self, collection: LibraryCollection) -> None:
        self.collection = collection
        self.library = collection.sidecar.library

    def artists(self, text: str = "") -> list[Artist]:
        with self.collection.reading():
            return list_artists(self.library, text)

    def albums(self, query: AlbumQuery) -> list[Album]:
        with self.collection.reading():
            return list_albums(self.library, query)

    def find_tracks(self, query: TrackQuery) -> list[ListedTrack]:
        with self.collection.reading():
            return list_tracks(self.library, query)

    def listed(self, ids: Sequence[int]) -> list[ListedTrack]:
        with self.collection.reading():
            return read_listed(self.library, ids)

    def top_tracks(self, artist: str, count: int) -> list[ListedTrack]:
        with self.collection.reading():
            return list_top_tracks(self.library, artist, count)

    def genres(self) -> list[Genre]:
        with self.collection.reading():
            return list_genres(self.library)

    def playlists(self) -> list[SavedPlaylist]:
        folder = self.collection.recipes
        if folder is None:
            return []
        with self.collection.reading():
            paths = [path for path in folder.iterdir() if path.suffix.lower() in m3u.SUFFIXES and path.is_file()]
            playlists = [read_saved(self.collection, path) for path in paths if not path.name.startswith(".")]
        return sorted(filter(None, playlists), key=lambda playlist: (playlist.file.casefold(), playlist.file))

    def similarities(self, track_id: int, others: Sequence[int]) -> Mapping[int, float]:
        return self.collection.similarities(track_id, others)

    def resolve_id(self, identifier: str) -> int:
        with self.collection.reading():
            return find_item(self.library, identifier)


def read_saved(collection: LibraryCollection, path: Path) -> SavedPlaylist | None:
    """Return a playlist's file with the tracks that the library has; None where it cannot be read now."""
    try:
        entries, changed = m3u.read_playlist(path).entries, path.stat().st_mtime
    except (PlaylistError, OSError):
        return None
    known = items_at(collection.sidecar.library, [entry.path for entry in entries])
    tracks = tuple(known[entry.path] for entry in entries if entry.path in known)
    return SavedPlaylist(os.fsdecode(path.name), tracks, changed)
