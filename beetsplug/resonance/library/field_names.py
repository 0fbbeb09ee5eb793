"""The names of fields that a beets query may use, and a clause on those in a query that no track has.

To beets, a field that nobody knows is a flexible attribute which no item happens to have: it matches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from beets import context
from beets.dbcore.query import ParsingError
from beets.library import Album, Item
from beets.library.queries import parse_query_parts

from resonance_engine.suggestions import nearest_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from beets.library import Library

ATTRIBUTES = "SELECT DISTINCT key FROM item_attributes UNION SELECT DISTINCT key FROM album_attributes"
REMEDY = "`beet fields` lists those that there are"
# How much the spelling of a field agrees with the one that is meant: all but one letter of four, or of five where the
# query works. A looser measure, as for lists of a few names, takes an attribute such as rating for asin.
ALIKE_OF_NO_MATCH, ALIKE_OF_MATCHES = 0.75, 0.8


def field_names(library: Library) -> set[str]:
    """Return the names of all fields of items and albums: beets' own, plugins' and flexible attributes."""
    with library.transaction() as transaction:
        attributes = {row[0] for row in transaction.query(ATTRIBUTES)}
    return attributes.union(*({*each.all_keys(), *each._types, *each._queries} for each in (Item, Album)))


def unknown_fields(library: Library, query: Sequence[str], alike: float = ALIKE_OF_NO_MATCH) -> dict[str, str]:
    """Return the nearest known name, or nothing, by each unknown field of a query or its order, in order of name.

    `alike` is how much of two spellings agrees, at least.
    """
    try:
        with context.music_dir(library.directory):
            parsed, sort = parse_query_parts(list(query), Item)
    except ParsingError:  # what runs the query says so
        return {}
    names = (parsed.field_names | sort.field_names) - Item.all_db_fields
    if not names:
        return {}
    known = field_names(library)
    return {name: "".join(nearest_names(name, known, alike=alike)) for name in sorted(names - known)}


def describe_unknown_fields(library: Library, query: Sequence[str]) -> str:
    """Return a clause on the fields of a query that no track has, with the names that may be meant; else nothing."""
    return describe_fields(unknown_fields(library, query))


def describe_misspelt_fields(library: Library, queries: Iterable[Sequence[str]]) -> str:
    """Return such a clause on queries that match something: one on fields alone that are spelt like a known one.

    A rule of the configuration may be about an attribute that no track has yet.
    """
    unknown = [unknown_fields(library, query, ALIKE_OF_MATCHES) for query in queries if query]
    return describe_fields({name: near for fields in unknown for name, near in fields.items() if near})


def describe_numberless_field(library: Library, name: str) -> str:
    """Return a clause on a field of --prefer that holds no number; of an unknown one, with the name that is meant."""
    known = field_names(library)
    near = "".join(nearest_names(name, () if name in known else known, alike=ALIKE_OF_NO_MATCH))
    hint = f"; did you mean {near}?" if near else ""
    return f"no track here has a number in the field {name}, so --prefer changes nothing{hint}"


def describe_fields(fields: dict[str, str]) -> str:
    named = [f"{name} ({f'did you mean {near}?' if near else REMEDY})" for name, near in fields.items()]
    return f"no track has a field {' or '.join(named)}" if named else ""
