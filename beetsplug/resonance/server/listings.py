"""Albums, artists, genres and tracks of a beets library as players list them: queries over beets' tables."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from beets.dbcore.pathutils import expand_path_from_db

from beetsplug.resonance.library.items import select_rows
from beetsplug.resonance.server.library_tracks import COLUMNS, GENRES, to_track
from beetsplug.resonance.server.plays import Plays, read_plays
from beetsplug.resonance.server.text_index import STEADY
from resonance_engine.errors import printable
from resonance_engine.server.browsing import Album, Artist, Genre, ListedTrack

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from sqlite3 import Row

    from beets.library import Library

    from resonance_engine.server.browsing import AlbumQuery, TrackQuery

LISTED = (
    f"{COLUMNS}, album_id, albumartist, track, disc, bitrate, samplerate, bitdepth, channels, bpm, mb_trackid, added"
)
SELECT_LISTED = f"SELECT {LISTED} FROM items WHERE id IN"  # noqa: S608 - constants
ALBUM_TABLES = "items i JOIN albums a ON a.id = i.album_id"
ALBUM_COLUMNS = (
    "a.id, a.album, a.albumartist, a.year, a.genres, a.added, a.comp, a.mb_albumid, COUNT(*) AS tracks, "
    "SUM(i.length) AS seconds"
)
TITLE = "a.album COLLATE NOCASE, a.id"
ARTIST = f"COALESCE(NULLIF(a.albumartist_sort, ''), a.albumartist) COLLATE NOCASE, a.year, {TITLE}"
ALBUM_ORDERS = {
    "title": TITLE,
    "artist": ARTIST,
    "year": f"a.year, {ARTIST}",
    "year down": f"a.year DESC, {ARTIST}",
    "newest": "a.added DESC, a.id DESC",
    "random": "RANDOM()",
}
IN_JSON = "IN (SELECT value FROM json_each(?))"
BY_PLAYS = ("frequent", "recent", "highest")
# Titles that are the text, then those that begin with it, then artists that do.
BEST = "lower(title) <> ?, substr(lower(title), 1, ?) <> ?, substr(lower(artist), 1, ?) <> ?"
TRACK_TEXT = ("title", "artist", "album", "albumartist")
ALBUM_TEXT = ("a.album", "a.albumartist")


class Conditions(NamedTuple):
    """Conditions of a statement, all of which hold, and the values of their marks."""

    clauses: list[str]
    values: list[Any]

    def add(self, clause: str, *values: Any) -> None:
        self.clauses.append(clause)
        self.values.extend(values)

    def add_text(self, text: str, columns: Sequence[str]) -> None:
        """Add that each word of a text is in one of the columns."""
        for word in text.split():
            escaped = "".join(f"\\{sign}" if sign in "\\%_" else sign for sign in word)
            clause = " OR ".join(f"{column} LIKE ? ESCAPE '\\'" for column in columns)
            self.add(f"({clause})", *[f"%{escaped}%"] * len(columns))

    def __str__(self) -> str:
        return f"WHERE {' AND '.join(self.clauses)}" if self.clauses else ""


def list_artists(library: Library, text: str) -> list[Artist]:
    """Return the artists of albums and of single tracks, those with all words of a text in their names, sorted."""
    albums, singles = Conditions([], []), Conditions(["album_id IS NULL"], [])
    albums.add_text(text, ["a.albumartist"])
    singles.add_text(text, ["artist"])
    of_albums = (
        "SELECT COALESCE(a.albumartist, '') AS name, MAX(a.albumartist_sort) AS sort_name, "  # noqa: S608 - constants
        f"COUNT(DISTINCT a.id) AS albums FROM {ALBUM_TABLES} {albums} GROUP BY 1"
    )
    of_singles = (
        "SELECT COALESCE(artist, '') AS name, MAX(artist_sort) AS sort_name, 0 AS albums "  # noqa: S608 - constants
        f"FROM items {singles} GROUP BY 1"
    )
    with library.transaction() as transaction:
        rows = [*transaction.query(of_singles, singles.values), *transaction.query(of_albums, albums.values)]
    artists = {row["name"]: Artist(row["name"], row["albums"], row["sort_name"] or "") for row in rows}
    return sorted(artists.values(), key=lambda artist: ((artist.sort_name or artist.name).casefold(), artist.name))


def list_albums(library: Library, query: AlbumQuery) -> list[Album]:
    """Return the albums that a query is about."""
    conditions = Conditions([], [])
    if query.ids is not None:
        conditions.add(f"a.id {IN_JSON}", json.dumps([*query.ids]))
    if query.artist is not None:
        by_track = "a.id IN (SELECT album_id FROM items WHERE artist = ?)"
        conditions.add(f"(COALESCE(a.albumartist, '') = ? OR {by_track})", query.artist, query.artist)
    if query.years is not None:
        conditions.add("a.year BETWEEN ? AND ?", *query.years)
    if query.genre is not None:
        add_genre(library, conditions, "albums", "a.genres", query.genre)
    conditions.add_text(query.text, ALBUM_TEXT)
    select = f"SELECT {ALBUM_COLUMNS} FROM {ALBUM_TABLES}"  # noqa: S608 - constants
    if query.order in BY_PLAYS:
        ranked = rank_albums(library, query.order)[query.offset : query.offset + query.limit]
        conditions.add(f"a.id {IN_JSON}", json.dumps(ranked))
        with library.transaction() as transaction:
            rows = transaction.query(f"{select} {conditions} GROUP BY a.id", conditions.values)
        albums = {row["id"]: to_album(row) for row in rows}
        return [albums[each] for each in ranked if each in albums]
    order = f"GROUP BY a.id ORDER BY {ALBUM_ORDERS[query.order]} LIMIT ? OFFSET ?"
    with library.transaction() as transaction:
        rows = transaction.query(f"{select} {conditions} {order}", (*conditions.values, query.limit, query.offset))
    return [to_album(row) for row in rows]


def rank_albums(library: Library, order: str) -> list[int]:
    """Return the ids of the albums with tracks that were played or rated: the first most often, last, or best."""
    plays = read_plays(library)
    scores: dict[int, list[float]] = {}
    for row in select_rows(library, "SELECT id, album_id FROM items WHERE album_id IS NOT NULL AND id IN", plays):
        known = plays[row["id"]]
        score = {"frequent": known.times, "recent": known.last, "highest": known.rating}[order]
        if score > 0:
            scores.setdefault(row["album_id"], []).append(score)
    whole = {album: max(own) if order == "recent" else sum(own) for album, own in scores.items()}
    if order == "highest":
        whole = {album: total / len(scores[album]) for album, total in whole.items()}
    return sorted(whole, key=lambda album: (-whole[album], album))


def list_tracks(library: Library, query: TrackQuery) -> list[ListedTrack]:
    """Return the tracks that a query is about."""
    conditions = Conditions([], [])
    if query.album is not None:
        conditions.add("album_id = ?", query.album)
    if query.artist is not None:
        conditions.add("(artist = ? OR albumartist = ?)", query.artist, query.artist)
    if query.singles:
        conditions.add("album_id IS NULL")
    if query.years is not None:
        conditions.add("year BETWEEN ? AND ?", *query.years)
    if query.genre is not None:
        add_genre(library, conditions, "items", "genres", query.genre)
    conditions.add_text(query.text, TRACK_TEXT)
    order, values = STEADY, conditions.values
    if query.order == "random":
        order = "RANDOM()"
    elif query.order == "best":
        lower = query.text.strip().lower()
        order, values = f"{BEST}, {STEADY}", [*values, lower, len(lower), lower, len(lower), lower]
    statement = f"SELECT {LISTED} FROM items {conditions} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608 - constants
    with library.transaction() as transaction:
        rows = transaction.query(statement, (*values, query.limit, query.offset))
    return to_listed(library, rows)


def read_listed(library: Library, ids: Sequence[int]) -> list[ListedTrack]:
    """Return the tracks of ids, in their order, without those that are gone."""
    rows = select_rows(library, SELECT_LISTED, dict.fromkeys(ids))
    known = {track.track.id: track for track in to_listed(library, rows)}
    return [known[each] for each in ids if each in known]


def list_top_tracks(library: Library, artist: str, count: int) -> list[ListedTrack]:
    """Return an artist's tracks, those first that were played most, then those rated best, then as on their albums."""
    with library.transaction() as transaction:
        statement = f"SELECT id FROM items WHERE artist = ? COLLATE NOCASE ORDER BY {STEADY}"  # noqa: S608 - constants
        ids = [row["id"] for row in transaction.query(statement, (artist,))]
    plays = read_plays(library, ids)
    ids.sort(key=lambda each: (-plays.get(each, Plays()).times, -plays.get(each, Plays()).rating))
    return read_listed(library, ids[:count])


def list_genres(library: Library) -> list[Genre]:
    """Return the genres, sorted by name."""
    tracks, albums = (count_genres(library, table) for table in ("items", "albums"))
    names = sorted({*tracks, *albums}, key=str.casefold)
    return [Genre(name, tracks.get(name, 0), albums.get(name, 0)) for name in names]


def count_genres(library: Library, table: str) -> dict[str, int]:
    """Return how many rows of a table have a genre, by its name."""
    counts: dict[str, int] = {}
    for names, count in read_genres(library, table).values():
        for name in dict.fromkeys(names):
            counts[name] = counts.get(name, 0) + count
    return counts


def read_genres(library: Library, table: str) -> dict[str, tuple[list[str], int]]:
    """Return the genres that rows of a table have together, and the number of such rows, by the column's value."""
    statement = f"SELECT genres, COUNT(*) AS count FROM {table} WHERE genres <> '' GROUP BY genres"  # noqa: S608 - items or albums
    with library.transaction() as transaction:
        return {row["genres"]: (GENRES.from_sql(row["genres"]), row["count"]) for row in transaction.query(statement)}


def add_genre(library: Library, conditions: Conditions, table: str, column: str, genre: str) -> None:
    """Add that a genre is among those of a row, whatever its capitals."""
    folded = genre.casefold()
    values = [
        value
        for value, (names, _) in read_genres(library, table).items()
        if folded in {name.casefold() for name in names}
    ]
    conditions.add(f"{column} {IN_JSON}", json.dumps(values))


def to_album(row: Row) -> Album:
    return Album(
        row["id"],
        row["album"] or "",
        row["albumartist"] or "",
        row["year"] or 0,
        tuple(GENRES.from_sql(row["genres"])),
        row["added"] or 0.0,
        row["tracks"],
        row["seconds"] or 0.0,
        bool(row["comp"]),
        row["mb_albumid"] or "",
    )


def to_listed(library: Library, rows: Iterable[Row]) -> list[ListedTrack]:
    """Return the records of rows of LISTED."""
    ordered = list(rows)
    plays = read_plays(library, [row["id"] for row in ordered])
    return [to_listed_track(library, row, plays.get(row["id"], Plays())) for row in ordered]


def to_listed_track(library: Library, row: Row, plays: Plays) -> ListedTrack:
    path = os.path.relpath(expand_path_from_db(bytes(row["path"])), library.directory)
    return ListedTrack(
        to_track(row),
        printable(os.path.basename(path) if path.startswith(b"..") else path),  # noqa: PTH119 - bytes
        row["album_id"],
        row["albumartist"] or row["artist"] or "",
        row["track"] or 0,
        row["disc"] or 0,
        tuple(GENRES.from_sql(row["genres"])),
        (row["bitrate"] or 0) // 1000,
        row["samplerate"] or 0,
        row["bitdepth"] or 0,
        row["channels"] or 0,
        row["bpm"] or 0,
        row["mb_trackid"] or "",
        row["added"] or 0.0,
        plays.times,
        plays.last,
    )
