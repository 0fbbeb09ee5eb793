"""The setting `exclude`: queries of items that never come up in a list, some of them except in a season."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from beets.exceptions import UserError

from beetsplug.resonance.config.options import suggest
from beetsplug.resonance.config.query_words import split_query

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
        """Parse a season such as "12-01..12-31", "12-24" or "11..01", whole months; ValueError for anything else."""
        beginning, dots, end = text.partition("..")
        first = parse_days(beginning)
        return cls(first[0], (parse_days(end) if dots else first)[1])

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


def parse_exclusions(value: Any) -> tuple[Exclusion, ...]:
    """Parse the setting `exclude`: a list of queries, each a text or `{query: ..., except: 12-01..12-31}`.

    Raises UserError for anything else.
    """
    return tuple(map(parse_exclusion, value if isinstance(value, list) else [value]))


def parse_exclusion(value: Any) -> Exclusion:
    rule = {"query": value} if isinstance(value, str) else value
    if not isinstance(rule, dict):
        raise UserError(f"{SETTING} lists beets queries, and {value!r} is none; write for example genre:audiobook")
    for key in rule:
        if key not in KEYS:
            hint = suggest(str(key), KEYS, f"a rule has {' and '.join(KEYS)}")
            raise UserError(f"{SETTING}: {key} is no part of a rule; {hint}")
    query = rule.get("query")
    if not isinstance(query, str) or not split_query(query):
        raise UserError(f"{SETTING}: {value!r} has no query; an empty one would exclude every track")
    if rule.get("except") is None:
        return Exclusion(query)
    try:
        return Exclusion(query, Season.parse(str(rule["except"])))
    except ValueError as error:
        raise UserError(f"{SETTING}: {error}") from error


def parse_days(text: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Parse a day "12-24" or a month "12" to its first and last day, as (month, day)."""
    match = DAY.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        first = date(LEAP_YEAR, int(match[1]), int(match[2] or 1))
    except ValueError:
        raise ValueError(f"{text.strip()!r} is no day of the year; write a season as 12-01..12-31") from None
    if match[2]:
        return (first.month, first.day), (first.month, first.day)
    last = date(LEAP_YEAR + first.month // 12, first.month % 12 + 1, 1) - timedelta(days=1)
    return (first.month, first.day), (last.month, last.day)
