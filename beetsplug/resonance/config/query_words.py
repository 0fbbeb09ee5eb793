"""The grammar of query text: a beets query written as one text, split into the words of a command line.

It is the same for `--from`, `--not`, `--to`, `--via`, `--and`, `similar:`, profiles and `exclude`.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from beets.dbcore.query import PathQuery
from beets.exceptions import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

QUOTE = re.compile(r"[\"'\\]")
FIELD = re.compile(r"[^\s:]+:[^,]*$")  # and no comma at the end, which begins an alternative
NEW_TERM = re.compile(r"[\^-]\S|,$|[^\s:]+:\S")


def split_query(text: str) -> list[str]:
    """Split a query into words.

    Where quotes are in pairs, as a shell does; without, a value goes on to the next field: "title:don't stop".
    """
    if PathQuery.is_path_query(text):
        return [text]
    if QUOTE.search(text):
        try:
            return [word for word in shlex.split(text) if word]
        except ValueError:  # an apostrophe
            pass
    words: list[str] = []
    for word in text.split():
        if words and FIELD.match(words[-1]) and not NEW_TERM.match(word):
            words[-1] += f" {word}"
        else:
            words.append(word)
    return words


def split_option(text: str, option: str) -> list[str]:
    """Split the query that an option such as "similar --from" was given; UserError where it has no words."""
    words = split_query(text)
    if not words:
        raise UserError(f"{option}: a query is missing, for example `{option.split()[-1]} genres:jazz`")
    return words


def split_alternatives(texts: Iterable[str], option: str) -> list[str]:
    """Split the queries of an option that was given several times into one query: its matches are those of any."""
    words: list[str] = []
    for text in texts:
        words += [",", *split_option(text, option)] if words else split_option(text, option)
    return words
