"""Which items of a library may come up: the ids that a beets query matches, found without building the items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beets import context
from beets.dbcore.query import AndQuery, InvalidQueryArgumentValueError, InvalidQueryError, OrQuery, ParsingError
from beets.dbcore.sort import Sort
from beets.exceptions import UserError
from beets.library import Item
from beets.library.queries import parse_query_parts

from beetsplug.resonance.config.exclusions import SETTING
from beetsplug.resonance.config.query_words import split_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from beets.dbcore.query import Query
    from beets.library import Library

    from beetsplug.resonance.config.exclusions import Exclusion

UNSORTED = Sort()  # beets takes NullSort for its default order, which costs more than the query


def matching_ids(library: Library, query: Sequence[str]) -> set[int]:
    """The ids of the items that a beets query matches, given as the words of a command line; none name all items.

    Raises InvalidQueryError, which beets prints as a sentence.
    """
    return select_ids(library, parse_item_query(library, query))


def parse_item_query(library: Library, words: Sequence[str]) -> Query:
    """A query as beets reads it from a command line; what it says of the order is dropped."""
    try:
        with context.music_dir(library.directory):
            return parse_query_parts(list(words), Item)[0]
    except InvalidQueryArgumentValueError as error:
        raise InvalidQueryError(words, error) from error


def select_ids(library: Library, query: Query) -> set[int]:
    """The ids of the items that a query matches.

    What beets can say in SQL is one statement; of the rest, only items that the statement leaves are built.
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


def excluded_ids(library: Library, rules: Iterable[Exclusion], today: date) -> set[int]:
    """The ids of the items that rules of `exclude` keep out of lists today.

    Raises UserError for a rule whose query beets does not understand.
    """
    excluded: set[int] = set()
    for rule in rules:
        if rule.season is None or today not in rule.season:
            try:
                excluded |= matching_ids(library, split_query(rule.query))
            except ParsingError as error:
                raise UserError(f"{SETTING}: the query {rule.query!r} is not understood ({error})") from error
    return excluded
