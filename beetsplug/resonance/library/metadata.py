"""What the rules of a list need to know of items, as the engine's plain values."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from beets import config

from beetsplug.resonance.library.item_query import select_rows
from resonance_engine.playlist.works import parse_movement
from resonance_engine.search.versions import TrackMetadata

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from sqlite3 import Row

    from beets.library import Library

VARIOUS_ARTISTS = "89ad4ac3-39f7-470e-963a-56509c546377"  # of MusicBrainz
VARIOUS_NAMES = frozenset(("various artists", "various", "va", "v.a."))
COLUMNS = (
    "id, artist, albumartist, album, title, mb_trackid, mb_workid, mb_albumartistid, comp, length, disc, track, work"
)
PARENT_KEYS = ("mb_parentworkid", "parentwork")  # what beets' parentwork plugin writes
TRACKS_OF_A_DISC = 10_000


class Movement(NamedTuple):
    """Which composition an item is a part of, empty where that is unknown, and the place of the part within it."""

    composition: str
    number: int


def metadata_of(library: Library, item_ids: Collection[int]) -> dict[int, TrackMetadata]:
    """What is tagged of items, by id; ids without an item are left out. Reads a few columns and builds no items."""
    various = VARIOUS_NAMES | {config["va_name"].as_str().casefold()}
    return {row["id"]: description(row, various) for row in rows(library, item_ids)}


def description(row: Row, various: frozenset[str]) -> TrackMetadata:
    """A track as rules see it: it counts for its album's artist, on a compilation for its own."""
    by, own = row["albumartist"] or row["artist"] or "", row["artist"] or ""
    mixed = row["comp"] or row["mb_albumartistid"] == VARIOUS_ARTISTS or by.casefold() in various
    artist = own if mixed else by
    return TrackMetadata(
        artist="" if artist.casefold() in various else artist,
        # Two artists' "Greatest Hits" are two records.
        album=f"{'' if mixed else by} / {row['album']}" if row["album"] else "",
        title=row["title"] or "",
        recording=row["mb_trackid"] or "",
        work=row["mb_workid"] or "",
        seconds=row["length"] or 0.0,
    )


def movements(library: Library, item_ids: Collection[int]) -> dict[int, Movement]:
    """The compositions that items are parts of, by id.

    That is the parent work of beets' parentwork plugin, or what the names of works and titles tell, or the work itself.
    Movements are numbered as their disc plays them.
    """
    parents: dict[int, dict[str, str]] = defaultdict(dict)
    marks = ", ".join("?" * len(PARENT_KEYS))
    statement = f"SELECT entity_id, key, value FROM item_attributes WHERE key IN ({marks}) AND entity_id IN"  # noqa: S608 - marks
    for row in select_rows(library, statement, item_ids, PARENT_KEYS):
        parents[row["entity_id"]][row["key"]] = row["value"]
    return {
        row["id"]: Movement(
            next((value for key in PARENT_KEYS if (value := parents[row["id"]].get(key))), composition(row)),
            (row["disc"] or 0) * TRACKS_OF_A_DISC + (row["track"] or 0),
        )
        for row in rows(library, item_ids)
    }


def composition(row: Row) -> str:
    """What a movement's own tags say that it is a movement of, or the work that they name; empty for neither."""
    for name in (row["work"], row["title"]):
        if name and (found := parse_movement(name)):
            return found[0]
    return row["mb_workid"] or row["work"] or ""


def rows(library: Library, item_ids: Collection[int]) -> Iterator[Row]:
    return select_rows(library, f"SELECT {COLUMNS} FROM items WHERE id IN", item_ids)  # noqa: S608 - a constant
