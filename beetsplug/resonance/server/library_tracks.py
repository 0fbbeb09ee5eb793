"""Tracks of a beets library as the API shows them: search by text, rows to records, files and covers."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from beets.dbcore.pathutils import expand_path_from_db
from beets.library import Item

from beetsplug.resonance.config.options import split_query
from beetsplug.resonance.library.items import select_rows
from beetsplug.resonance.library.labels import file_name
from beetsplug.resonance.library.sidecar import version_of
from beetsplug.resonance.server.text_index import TextIndex
from resonance_engine.server.collection import TrackPage, TrackRecord, UnknownTrackError
from resonance_engine.server.media import image_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from sqlite3 import Row

    from beets.library import Library

COLUMNS = "id, title, artist, album, genres, year, length, path"
SELECT = f"SELECT {COLUMNS} FROM items WHERE id IN"  # noqa: S608 - constants
GENRES = Item._type("genres")  # reads them from their column
LARGEST_COVER = 20_000_000  # bytes


class TrackFile(NamedTuple):
    """The file of an item, its format, and the id of its album, None for a single track."""

    path: Path
    format: str
    album: int | None


def to_track(row: Row) -> TrackRecord:
    """Return the record of a row of COLUMNS; a track without a title goes by the name of its file."""
    genres = GENRES.from_sql(row["genres"])
    return TrackRecord(
        row["id"],
        row["title"] or file_name(expand_path_from_db(bytes(row["path"]))),
        row["artist"] or "",
        row["album"] or "",
        genres[0] if genres else "",
        row["year"] or 0,
        row["length"] or 0.0,
    )


def read_tracks(library: Library, ids: Iterable[int]) -> dict[int, TrackRecord]:
    """Return the tracks of ids, those of them that the library has."""
    return {row["id"]: to_track(row) for row in select_rows(library, SELECT, dict.fromkeys(ids))}


class TrackReader:
    """The tracks of a library and the texts that they are found by; while it stays as it is, each is read once."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._known: tuple[str, dict[int, TrackRecord]] = "", {}
        self._texts: tuple[str, TextIndex] | None = None
        self._texts_turn = threading.Lock()

    def read(self, ids: Iterable[int]) -> dict[int, TrackRecord]:
        """Return the tracks of ids, those of them that the library has, in their order."""
        wanted, version, known = [*dict.fromkeys(ids)], self._version(), self._known
        if known[0] != version:
            self._known = known = version, {}
        tracks = known[1]
        tracks.update(read_tracks(self.library, [each for each in wanted if each not in tracks]))
        return {each: tracks[each] for each in wanted if each in tracks}

    def search(self, text: str, offset: int, limit: int) -> TrackPage:
        """Return a page of the tracks that a text matches as a query of beets, best first; of all without one."""
        ids = self._text_index().find(split_query(text), text)
        page = ids[offset : offset + limit]
        return TrackPage(len(ids), offset, tuple(self.read(page).values()))

    def _text_index(self) -> TextIndex:
        with self._texts_turn:
            version, texts = self._version(), self._texts
            if texts is None or texts[0] != version:
                self._texts = texts = version, TextIndex(self.library)
            return texts[1]

    def _version(self) -> str:
        """Return a text that differs whenever the content of the library may."""
        return version_of(os.fsencode(self.library.path))


def find_file(library: Library, item_id: int) -> TrackFile:
    """Return the file of an item; UnknownTrackError where the library does not have it."""
    for row in select_rows(library, "SELECT path, format, album_id FROM items WHERE id IN", [item_id]):
        path = Path(os.fsdecode(expand_path_from_db(bytes(row["path"]))))
        return TrackFile(path, row["format"] or "", row["album_id"])
    raise UnknownTrackError(f"There is no track {item_id} in the library.")


def find_cover(library: Library, item_id: int) -> tuple[bytes, str]:
    """Return the cover of an item and its media type: the art of its album, else that in its file."""
    file = find_file(library, item_id)
    for content in (read_art(library, file.album), read_embedded_art(file.path)):
        kind = image_type(content) if content else None
        if kind is not None:
            return content, kind
    raise UnknownTrackError("This track has no cover.")


def read_art(library: Library, album: int | None) -> bytes:
    """Return the file of an album's art, empty where there is none."""
    ids: Sequence[int] = () if album is None else (album,)
    for row in select_rows(library, "SELECT artpath FROM albums WHERE id IN", ids):
        if row["artpath"]:
            return read_limited(Path(os.fsdecode(expand_path_from_db(bytes(row["artpath"])))))
    return b""


def read_limited(path: Path) -> bytes:
    """Return the content of a cover's file, empty where it cannot be read or is too large to be one."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_COVER + 1)
    except OSError:
        return b""
    return content if len(content) <= LARGEST_COVER else b""


def read_embedded_art(path: Path) -> bytes:
    """Return the image in an audio file's tags, empty where there is none or the file cannot be read."""
    from mediafile import MediaFile, UnreadableFileError

    try:
        art = MediaFile(path).art
    except (UnreadableFileError, OSError):
        return b""
    return bytes(art) if art else b""
