"""Metadata of items for the rules of lists: artist, album, title, recording and work, and movements of works."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from beets import config

from beetsplug.resonance.library.item_query import select_rows
from resonance_engine.search.names import NO_ARTIST, TrackMetadata, normalise_name, parse_movement

if TYPE_CHECKING:
    from collections.abc import Collection
    from sqlite3 import Row

    from beets.library import Library

VARIOUS_ARTISTS = "89ad4ac3-39f7-470e-963a-56509c546377"  # of MusicBrainz
SELECT = (
    "SELECT id, artist, albumartist, album, title, mb_trackid, mb_workid, mb_albumartistid, comp, length, disc, track, "
    "work FROM items WHERE id IN"
)
PARENT_KEYS = ("mb_parentworkid", "parentwork")  # what beets' parentwork plugin writes
TRACKS_OF_A_DISC = 10_000


class Movement(NamedTuple):
    """The composition that an item is a part of, empty where unknown, and the number of the part."""

    composition: str
    number: int


def metadata_of(library: Library, item_ids: Collection[int]) -> dict[int, TrackMetadata]:
    """Return the metadata of items, by id; ids without an item are left out. Reads a few columns, builds no items.

    A track counts for its album's artist, on a compilation for its own.
    """
    unnamed = NO_ARTIST | {normalise_name(config["va_name"].as_str())}
    tracks = {}
    for row in select_rows(library, SELECT, item_ids):
        by, own = row["albumartist"] or row["artist"] or "", row["artist"] or ""
        mixed = row["comp"] or row["mb_albumartistid"] == VARIOUS_ARTISTS or normalise_name(by) in unnamed
        artist = own if mixed else by
        tracks[row["id"]] = TrackMetadata(
            artist="" if normalise_name(artist) in unnamed else artist,
            # Two artists' "Greatest Hits" are two records.
            album=f"{'' if mixed else by} / {row['album']}" if row["album"] else "",
            title=row["title"] or "",
            recording=row["mb_trackid"] or "",
            work=row["mb_workid"] or "",
            seconds=row["length"] or 0.0,
        )
    return tracks


def movements_of(library: Library, item_ids: Collection[int]) -> dict[int, Movement]:
    """Return the movements that items are, by id.

    The composition is the parent work of beets' parentwork plugin, or named in the tags of work or title, or else the
    work itself. Movements are numbered in the order of disc and track.
    """
    parents: dict[int, dict[str, str]] = defaultdict(dict)
    marks = ", ".join("?" * len(PARENT_KEYS))
    statement = f"SELECT entity_id, key, value FROM item_attributes WHERE key IN ({marks}) AND entity_id IN"  # noqa: S608 - marks
    for row in select_rows(library, statement, item_ids, PARENT_KEYS):
        parents[row["entity_id"]][row["key"]] = row["value"]
    return {
        row["id"]: Movement(
            next((value for key in PARENT_KEYS if (value := parents[row["id"]].get(key))), find_composition(row)),
            (row["disc"] or 0) * TRACKS_OF_A_DISC + (row["track"] or 0),
        )
        for row in select_rows(library, SELECT, item_ids)
    }


def find_composition(row: Row) -> str:
    """Return the composition that a movement's work or title names, or else its work; empty for neither."""
    for name in (row["work"], row["title"]):
        if name and (movement := parse_movement(name)):
            return movement[0]
    return row["mb_workid"] or row["work"] or ""
