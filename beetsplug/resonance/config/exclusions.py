"""What never comes up in a list: items that the user's rules name, some of them but for a season."""

from __future__ import annotations

import difflib
import re
import shlex
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from beets.dbcore.query import ParsingError
from beets.exceptions import UserError

from beetsplug.resonance.library.item_query import matching_ids

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beets.library import Library

SETTING = "resonance.exclude in the configuration"
KEYS = ("query", "except")
LEAP_YEAR = 2000  # has every day that a year can have
DAY = re.compile(r"(\d\d?)(?:-(\d\d?))?")


@dataclass(frozen=True)
class Season:
    """The days from one to another, both included, as (month, day); one that ends before it begins spans new year."""

    first: tuple[int, int]
    last: tuple[int, int]

    @classmethod
    def parse(cls, text: str) -> Season:
        """A season such as "12-01..12-31", "12-24" or "11..01", whole months; ValueError for anything else."""
        beginning, dots, end = text.partition("..")
        first = days(beginning)
        return cls(first[0], (days(end) if dots else first)[1])

    def __contains__(self, day: date) -> bool:
        at = day.month, day.day
        if self.first <= self.last:
            return self.first <= at <= self.last
        return at >= self.first or at <= self.last


@dataclass(frozen=True)
class Exclusion:
    """A beets query whose matches never come up, except in a season, if one is given."""

    query: str
    season: Season | None = None


def exclusions(value: Any) -> tuple[Exclusion, ...]:
    """The rules of the setting `exclude`: a list of queries, each a text or `{query: ..., except: 12-01..12-31}`.

    Raises UserError for anything else.
    """
    if value is None:
        return ()
    return tuple(exclusion(each) for each in (value if isinstance(value, list) else [value]))


def exclusion(value: Any) -> Exclusion:
    rule = {"query": value} if isinstance(value, str) else value
    if not isinstance(rule, dict):
        raise UserError(f"{SETTING} lists beets queries, and {value!r} is none; write for example genre:audiobook")
    for key in rule:
        if key not in KEYS:
            near = difflib.get_close_matches(str(key), KEYS, 1)
            hint = f"did you mean {near[0]}?" if near else f"a rule has {' and '.join(KEYS)}"
            raise UserError(f"{SETTING}: {key} is no part of a rule; {hint}")
    query = rule.get("query")
    if not isinstance(query, str) or not query.strip():
        raise UserError(f"{SETTING}: {value!r} has no query; an empty one would exclude every track")
    if rule.get("except") is None:
        return Exclusion(query)
    try:
        return Exclusion(query, Season.parse(str(rule["except"])))
    except ValueError as error:
        raise UserError(f"{SETTING}: {error}") from error


def excluded(library: Library, rules: Iterable[Exclusion], today: date) -> set[int]:
    """The ids of the items that may not come up today.

    Raises UserError for a rule whose query beets does not understand.
    """
    found: set[int] = set()
    for rule in rules:
        if rule.season is None or today not in rule.season:
            try:
                found |= matching_ids(library, shlex.split(rule.query))
            except (ParsingError, ValueError) as error:
                raise UserError(f"{SETTING}: the query {rule.query!r} is not understood ({error})") from error
    return found


def days(text: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """The first and the last day that "12" or "12-24" names, as (month, day)."""
    found = DAY.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        first = date(LEAP_YEAR, int(found[1]), int(found[2] or 1))
    except ValueError:
        raise ValueError(f"{text.strip()!r} is no day of the year; write a season as 12-01..12-31") from None
    if found[2]:
        return (first.month, first.day), (first.month, first.day)
    last = date(LEAP_YEAR + first.month // 12, first.month % 12 + 1, 1) - timedelta(days=1)
    return (first.month, first.day), (last.month, last.day)
