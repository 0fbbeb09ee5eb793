"""The texts of a library's items in memory, which words are looked up in without a scan of the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beets.dbcore.pathutils import expand_path_from_db
from beets.dbcore.query import AndQuery, OrQuery, SubstringQuery
from beets.library import Item

from beetsplug.resonance.library.items import parse_query, select_ids
from beetsplug.resonance.library.labels import file_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from sqlite3 import Row

    from beets.dbcore.query import Query
    from beets.library import Library

STEADY = "albumartist COLLATE NOCASE, album COLLATE NOCASE, disc, track, id"
FIRST = ("title", "artist")
SEARCHED = (*FIRST, *(name for name in Item._search_fields if name not in FIRST))  # what a word of a query may be in
SELECT = f"SELECT id, path, {', '.join(SEARCHED)} FROM items ORDER BY {STEADY}"  # noqa: S608 - constants
SEPARATOR = "\n"
LAST = 3


class TextIndex:
    """The searched fields of all items as they were at one moment, in the order of artists, albums, discs, tracks."""

    def __init__(self, library: Library) -> None:
        self.library = library
        with library.transaction() as transaction:
            rows = transaction.query(SELECT)
        self.ids: list[int] = [row["id"] for row in rows]
        self.texts = [to_text(row) for row in rows]

    def find(self, words: Sequence[str], text: str) -> list[int]:
        """Return the ids of the items that a beets query matches, all for no words.

        Titles that are the text come first, then those that begin with it, then artists that do.
        """
        if not words:
            return self.ids
        query = parse_query(self.library, words)
        plain = plain_words(query)
        if plain is None:
            matched = select_ids(self.library, query)
            places = [place for place, item_id in enumerate(self.ids) if item_id in matched]
        else:
            places = list(range(len(self.ids)))
            for word in plain:
                places = [place for place in places if word in self.texts[place]]
        start = text.strip().casefold()
        line = SEPARATOR + start
        # Ranked one by one are only the few of many that can be better than the others.
        few = [place for place in places if self.texts[place].startswith(start) or line in self.texts[place]]
        ranks = {place: rank_text(self.texts[place], start) for place in few}
        better = sorted((place for place in few if ranks[place] < LAST), key=ranks.__getitem__)
        known = {*better}
        return [self.ids[place] for place in (*better, *(place for place in places if place not in known))]


def to_text(row: Row) -> str:
    """Return the searched fields of a row, case-folded, a line each: the title, the artist, the others.

    A track without a title goes by the name of its file, as in all lists.
    """
    title = row["title"] or file_name(expand_path_from_db(bytes(row["path"])))
    fields = (title, *(row[name] or "" for name in SEARCHED[1:]))
    return SEPARATOR.join(str(field).replace(SEPARATOR, " ").casefold() for field in fields)


def plain_words(query: Query) -> list[str] | None:
    """Return the words, case-folded, of a query that is nothing but words for any searched field; None for another."""
    if type(query) is not AndQuery:
        return None
    words = []
    for part in query.subqueries:
        choices = part.subqueries if type(part) is OrQuery else ()
        patterns = {choice.pattern for choice in choices if type(choice) is SubstringQuery}
        fields = {choice.field_name for choice in choices if type(choice) is SubstringQuery}
        if len(patterns) != 1 or len(choices) != len(SEARCHED) or fields != {*SEARCHED}:
            return None
        words.append(patterns.pop().casefold())
    return words


def rank_text(known: str, start: str) -> int:
    """Return 0 where a title is a text, 1 where it begins with it, 2 where the artist does, LAST otherwise."""
    if known.startswith(start):
        return 0 if known.startswith(SEPARATOR, len(start)) else 1
    return 2 if known.startswith(start, known.index(SEPARATOR) + 1) else LAST
