"""Select items of a library: ids that a beets query matches, rows and items by id, the tracks played last."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from beets import context
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

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date
    from sqlite3 import Row

    from beets.dbcore.query import Query
    from beets.library import Library

    from beetsplug.resonance.config.settings import Exclusion

UNSORTED = Sort()  # beets takes NullSort for its default order, which costs more than the query
NO_TRACKS = "the library has no tracks; import some with `beet import PATH`"
PLAYED_FIELDS = ("last_played", "lastplayed")  # of other plugins; beets' mpdstats writes the first
ALTERNATIVE = ","
CHUNK = 10_000  # SQLite takes 32,766 values in a statement, some builds more


def matching_ids(library: Library, query: Sequence[str]) -> set[int]:
    """Return the ids of the items that the words of a beets query match, of all items for none.

    Raises InvalidQueryError, which beets prints as a sentence.
    """
    return select_ids(library, parse_item_query(library, query))


def parse_item_query(library: Library, words: Sequence[str]) -> Query:
    """Parse the words of a query as beets does on a command line; an order in it is dropped."""
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
            # The condition is beets' own, its values are parameters.
            rows = transaction.query(f"SELECT items.id FROM ({tables}) WHERE {where}", values)  # noqa: S608
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


def no_match(command: str, query: Sequence[str]) -> UserError:
    """Return the error of a command whose query matches no item; without a query, of an empty library."""
    words = shlex.join(query)
    return UserError(f"{command}: no track matches {words}; try `beet ls {words}`" if query else NO_TRACKS)


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


def select_rows(library: Library, statement: str, ids: Iterable[Any], values: Sequence[str] = ()) -> Iterator[Row]:
    """Yield the rows of a statement that ends in IN, for any number of ids; `values` are those of its other marks."""
    ordered = list(ids)
    for start in range(0, len(ordered), CHUNK):
        chunk = ordered[start : start + CHUNK]
        with library.transaction() as transaction:
            rows = transaction.query(f"{statement} ({', '.join('?' * len(chunk))})", (*values, *chunk))
        yield from rows


def select_items(library: Library, ids: Iterable[int]) -> Iterator[Item]:
    """Yield the library's items with these ids."""
    ordered = sorted(ids)
    for start in range(0, len(ordered), CHUNK):
        yield from library.items(InQuery("id", ordered[start : start + CHUNK]))


def last_played(library: Library, query: Sequence[str], count: int, command: str) -> tuple[str, ...]:
    """Return the words of a query for the `count` tracks played last, of those that `query` matches, of all for none.

    Raises UserError where none was ever played.
    """
    marks = ", ".join("?" * len(PLAYED_FIELDS))
    statement = f"SELECT entity_id, value FROM item_attributes WHERE key IN ({marks})"  # noqa: S608 - marks
    with library.transaction() as transaction:
        rows = transaction.query(statement, PLAYED_FIELDS)
    played: dict[int, float] = {}
    for row in rows:
        moment = DATE.parse(str(row["value"])) or 0.0
        if moment > 0:
            played[row["entity_id"]] = max(moment, played.get(row["entity_id"], 0.0))
    candidates = played.keys() & matching_ids(library, query)
    if not candidates:
        which = "no track that matches" if query else "no track"
        raise UserError(
            f"{command} --recent: {which} was played yet as far as the library knows; "
            f"beets' mpdstats plugin notes it in the field {PLAYED_FIELDS[0]}"
        )
    last = sorted(candidates, key=lambda item_id: (-played[item_id], item_id))[:count]
    return tuple(word for item_id in last for word in (ALTERNATIVE, f"id:{item_id}"))[1:]
