"""Read the items of a library: ids that a beets query matches, rows, metadata for the rules of lists, movements."""

from __future__ import annotations

import math
import re
import shlex
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from beets import config, context
from beets.dbcore.pathutils import expand_path_from_db, normalize_path_for_db
from beets.dbcore.query import (
    AndQuery,
    InQuery,
    InvalidQueryArgumentValueError,
    InvalidQueryError,
    OrQuery,
    ParsingError,
)
from beets.dbcore.sort import Sort
from beets.dbcore.types import DATE
from beets.exceptions import UserError
from beets.library import Item
from beets.library.queries import parse_query_parts

from resonance_engine.files import expand_home

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import date
    from sqlite3 import Row

    from beets.dbcore.query import Query
    from beets.library import Library

    from beetsplug.resonance.config.settings import Exclusion
    from resonance_engine.search.names import TrackMetadata

UNSORTED = Sort()  # beets takes NullSort for its default order, which costs more than the query
WITH_FILES = ("similar", "playlist")  # commands with the option --file
NO_TRACKS = "the library has no tracks; import some with `beet import PATH`"
PLAYED_FIELDS = ("last_played", "lastplayed")  # of other plugins; beets' mpdstats writes the first
ALTERNATIVE = ","
BY_ID = re.compile(r"id:([0-9]{1,18})")
CHUNK = 10_000  # SQLite takes 32,766 values in a statement, some builds more
VARIOUS_ARTISTS = "89ad4ac3-39f7-470e-963a-56509c546377"  # of MusicBrainz
SELECT = (
    "SELECT id, artist, albumartist, album, title, mb_trackid, mb_workid, mb_albumartistid, comp, length, disc, track, "
    "work FROM items WHERE id IN"
)
PARENT_KEYS = ("mb_parentworkid", "parentwork")  # what beets' parentwork plugin writes
TRACKS_OF_A_DISC = 10_000


def matching_ids(library: Library, query: Sequence[str]) -> set[int]:
    """Return the ids of the items that the words of a beets query match, of all items for none; see `parse_query`."""
    return select_ids(library, parse_query(library, query))


def parse_query(library: Library, words: Sequence[str]) -> Query:
    """Parse the words of a beets query as on a command line; an order in them is dropped.

    Raises InvalidQueryError, which beets prints.
    """
    try:
        with context.music_dir(library.directory):
            return parse_query_parts(list(words), Item)[0]
    except InvalidQueryArgumentValueError as error:
        raise InvalidQueryError(words, error) from error


def select_ids(library: Library, query: Query) -> set[int]:
    """Return the ids of the items that a query matches.

    The part of it that beets can express in SQL is one statement; items are built only for the rest, and only those
    that the statement leaves.
    """
    where, values = query.clause()
    if where:
        # As beets itself selects: fields of the album need its table.
        tables = f"items {Item.relation_join}" if query.field_names & Item.other_db_fields else "items"
        with library.transaction() as transaction:
            statement = f"SELECT items.id FROM ({tables}) WHERE {where}"  # noqa: S608 - the condition is beets' own
            rows = transaction.query(statement, values)
        return {row[0] for row in rows}
    if isinstance(query, OrQuery):
        return {item_id for part in query for item_id in select_ids(library, part)}
    parts = list(query) if isinstance(query, AndQuery) else [query]
    fast: list[Query] = []
    slow: list[Query] = []
    for part in parts:
        (fast if part.clause()[0] else slow).append(part)
    items = library.items(AndQuery(fast) if fast else None, UNSORTED)
    return {item.id for item in items if item.id is not None and all(part.match(item) for part in slow)}


def no_match(library: Library, command: str, query: Sequence[str], noun: str = "track") -> UserError:
    """Return the error of a command whose query matches no item, or none of another `noun`; without a query, NO_TRACKS.

    It names the fields of the query that nothing in the library has, and --file for the paths of files.
    """
    from beetsplug.resonance.library.field_names import describe_unknown_fields

    if not query:
        return UserError(NO_TRACKS)
    words = shlex.join(query)
    unknown = describe_unknown_fields(library, query)
    hint = f": {unknown}" if unknown else f"; try `beet ls {'-a ' * (noun == 'album')}{words}`"
    if command in WITH_FILES and noun == "track" and all(map(is_file, query)):
        hint = (
            f"; `beet {command} {shlex.join(part for word in query for part in ('--file', word))}` starts from a file"
        )
    return UserError(f"{command}: no {noun} matches {words}{hint}")


def is_file(word: str) -> bool:
    """Return whether a word of a query is the path of a file."""
    try:
        return expand_home(word).is_file()
    except (OSError, ValueError):  # too long for a path, or with a zero byte
        return False


def excluded_ids(library: Library, rules: Iterable[Exclusion], today: date) -> set[int]:
    """Return the ids of the items that rules of `exclude` keep out of lists today.

    Raises UserError for a rule whose query beets does not understand.
    """
    from beetsplug.resonance.config.options import split_query
    from beetsplug.resonance.config.settings import EXCLUDE

    excluded: set[int] = set()
    for rule in rules:
        if rule.season is None or today not in rule.season:
            try:
                excluded |= matching_ids(library, split_query(rule.query))
            except ParsingError as error:
                raise UserError(f"{EXCLUDE}: the query {rule.query!r} is not understood ({error})") from error
    return excluded


def multi_line_ids(library: Library) -> set[int]:
    """Return the ids of the items whose paths have a line break, which no line of a playlist can hold."""
    breaks = " OR ".join(f"instr(path, x'{character:02x}')" for character in b"\r\n")
    with library.transaction() as transaction:
        return {row[0] for row in transaction.query(f"SELECT id FROM items WHERE {breaks}")}  # noqa: S608 - constants


def select_rows(library: Library, statement: str, ids: Iterable[Any], values: Sequence[str] = ()) -> Iterator[Row]:
    """Yield the rows of a statement that ends in IN, for any number of ids; `values` are those of its other marks."""
    ordered = list(ids)
    for start in range(0, len(ordered), CHUNK):
        chunk = ordered[start : start + CHUNK]
        with library.transaction() as transaction:
            rows = transaction.query(f"{statement} ({', '.join('?' * len(chunk))})", (*values, *chunk))
        yield from rows


def query_items(library: Library, query: Sequence[str]) -> Iterator[Item]:
    """Yield the items that the words of a beets query match, in its order."""
    ids = ids_of(query)
    if 0 < len(ids) <= CHUNK:
        yield from select_items(library, ids)
    else:
        yield from library.items(list(query))


def ids_of(query: Sequence[str]) -> set[int]:
    """Return the ids in a query of `id:7`, or of several with commas between them; none for any other query."""
    ids = [BY_ID.fullmatch(word) for word in query[::2]]
    if len(query) % 2 == 0 or any(word != ALTERNATIVE for word in query[1::2]):
        return set()
    return {int(each[1]) for each in ids if each} if all(ids) else set()


def select_items(library: Library, ids: Iterable[int]) -> Iterator[Item]:
    """Yield the library's items with these ids."""
    ordered = sorted(ids)
    for start in range(0, len(ordered), CHUNK):
        yield from library.items(InQuery("id", ordered[start : start + CHUNK]))


def items_at(library: Library, paths: Iterable[bytes]) -> dict[bytes, int]:
    """Return the ids of the items whose files are at these absolute paths, by path."""
    with context.music_dir(library.directory):
        stored = [memoryview(normalize_path_for_db(path)) for path in dict.fromkeys(paths)]
        rows = select_rows(library, "SELECT id, path FROM items WHERE path IN", stored)
        return {expand_path_from_db(bytes(row["path"])): row["id"] for row in rows}


def last_played(library: Library, query: Sequence[str], count: int, command: str) -> tuple[str, ...]:
    """Return the words of a query for the `count` tracks played last, of those that `query` matches, of all for none.

    Raises UserError where none was ever played.
    """
    played = times_played(library)
    candidates = played.keys() & matching_ids(library, query)
    if not candidates:
        which = "no track that matches" if query else "no track"
        raise UserError(
            f"{command} --recent: {which} was played yet as far as the library knows; "
            f"beets' mpdstats plugin notes it in the field {PLAYED_FIELDS[0]}"
        )
    last = sorted(candidates, key=lambda item_id: (-played[item_id], item_id))[:count]
    return tuple(word for item_id in last for word in (ALTERNATIVE, f"id:{item_id}"))[1:]


def times_played(library: Library) -> dict[int, float]:
    """Return when items were played last, in seconds since the epoch, by id; those that never were are left out."""
    marks = ", ".join("?" * len(PLAYED_FIELDS))
    statement = f"SELECT entity_id, value FROM item_attributes WHERE key IN ({marks})"  # noqa: S608 - marks
    with library.transaction() as transaction:
        rows = transaction.query(statement, PLAYED_FIELDS)
    played: dict[int, float] = {}
    for row in rows:
        moment = DATE.parse(str(row["value"])) or 0.0
        if moment > 0:
            played[row["entity_id"]] = max(moment, played.get(row["entity_id"], 0.0))
    return played


def numeric_field(item: Item, name: str) -> float | None:
    """Return a field of an item as a number; None where it is none."""
    try:
        value = float(item.get(name))
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


class Movement(NamedTuple):
    """The composition that an item is a part of, empty where unknown, and the number of the part."""

    composition: str
    number: int


def metadata_of(library: Library, item_ids: Collection[int]) -> dict[int, TrackMetadata]:
    """Return the metadata of items, by id; ids without an item are left out. Reads a few columns, builds no items.

    A track counts for its album's artist, on a compilation for its own.
    """
    # Loaded when needed: every start of beets loads this module.
    from resonance_engine.search.names import NO_ARTIST, TrackMetadata, normalise_name

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
    from resonance_engine.search.names import parse_movement

    for name in (row["work"], row["title"]):
        if name and (movement := parse_movement(name)):
            return movement[0]
    return row["mb_workid"] or row["work"] or ""
