"""Sound in beets' query language: `similar:QUERY`, `similarity:0.8..`, `res_bpm:120..130` and their like.

All are fast queries: what they match is found before beets looks at its items, and said to SQL as ids.
"""

from __future__ import annotations

import json
import re
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from beets.dbcore.query import FieldQuery, InvalidQueryArgumentValueError, NumericQuery
from beets.exceptions import UserError
from beets.library.queries import parse_query_parts

from beetsplug.resonance.config.options import SETTINGS
from beetsplug.resonance.config.query_words import split_query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from beets.dbcore import Model
    from beets.library.models import LibModel
    from beets.logging import BeetsLogger

    Clause = tuple[str, Sequence[Any]]

SCORES_KEPT = 16  # lists at a time that `$similarity` speaks of
COUNT = re.compile(r"(\d+):(.*)", re.DOTALL)
FROM = "--from"


class SimilarPattern(NamedTuple):
    """What `similar:` asks for: seeds and candidates as words of beets queries; `length` None is the setting's."""

    seeds: list[str]
    candidates: list[str]
    length: int | None

    @classmethod
    def parse(cls, pattern: str) -> SimilarPattern:
        """The pattern `[COUNT:]QUERY [--from QUERY]`; raises InvalidQueryArgumentValueError.

        Queries are written as in a smart playlist; quotes around values may be left out, see `split_query`.
        """
        counted = COUNT.fullmatch(pattern)
        words = split_query(counted[2] if counted else pattern)
        place = words.index(FROM) if FROM in words else len(words)
        seeds, candidates = words[:place], words[place + 1 :]
        if not seeds:
            example = "write for example similar:title:yesterday"
            raise InvalidQueryArgumentValueError(pattern, "a query for tracks to compare with", example)
        if place < len(words) and not candidates:
            raise InvalidQueryArgumentValueError(pattern, f"complete, for a query goes after {FROM}")
        least, most = SETTINGS["count"].range or (1, 1)
        if counted and not least <= int(counted[1]) <= most:
            raise InvalidQueryArgumentValueError(counted[1], f"a number of tracks from {least} to {most:,}")
        return cls(seeds, candidates, int(counted[1]) if counted else None)


class SimilarityScores:
    """How close things are to what was asked for last, by id: what `$similarity` says and `similarity-` sorts by.

    A field knows its item and not the query that found it. The last list that holds an item is the one that beets
    shows, or that of an earlier alternative, as in `similar:A , similar:B`.
    """

    def __init__(self) -> None:
        self.lists: deque[Mapping[int, float]] = deque(maxlen=SCORES_KEPT)
        self.parsed: SimilarQuery | None = None

    def put(self, scores: Mapping[int, float]) -> None:
        self.lists.appendleft(scores)

    def of(self, thing: Model) -> float | None:
        """The score of an item or album; None where it was not found by closeness."""
        # `beet similar` sets it on the items that it lists, where a computed field would hide it.
        given = thing._values_flex.get("similarity")
        if given is not None:
            return float(given)
        scores = self.holding(thing)
        return None if scores is None or thing.id is None else scores[thing.id]

    def holding(self, thing: Model) -> Mapping[int, float] | None:
        """The list that an item or album was found by."""
        return next((scores for scores in self.lists if thing.id in scores), None)

    def by_id(self, name: str = "similarity") -> dict[int, float]:  # noqa: ARG002 - the only number there is
        """The scores of all that was found."""
        return {each: score for scores in reversed(self.lists) for each, score in scores.items()}


class SimilarQuery(FieldQuery[str]):
    """`similar:QUERY`: what sounds most like the matches of QUERY, and not these themselves.

    `nearest` says what that is, by id, at every use: a smart playlist is parsed when beets starts, and asked after an
    import. It raises UserError where that cannot be said.
    """

    def __init__(
        self,
        model: type[LibModel],
        nearest: Callable[[SimilarPattern], Mapping[int, float]],
        scores: SimilarityScores,
        log: BeetsLogger,
        field_name: str,
        pattern: str,
        fast: bool = True,
    ) -> None:
        super().__init__(field_name, pattern, fast)
        self.model, self.nearest, self.scores, self.log = model, nearest, scores, log
        self.wanted = SimilarPattern.parse(pattern)
        for words in (self.wanted.seeds, self.wanted.candidates):
            parse_query_parts(words, model)  # a mistake is named before anything is listed
        self.found: Mapping[int, float] | None = None
        scores.parsed = self

    def clause(self) -> Clause:
        self.found = self.nearest(self.wanted)
        self.scores.put(self.found)
        return f"{self.model._table}.id IN ({', '.join(map(str, self.found))})", ()

    def match(self, obj: Model) -> bool:
        """Whether something is in the list; beets asks this of each item where another part of the query is slow."""
        if self.found is None:
            try:
                self.clause()
            except UserError as error:  # an import may ask, and must go on
                self.log.warning("{}", error)
                self.found = {}
        return obj.id in (self.found or {})


class SimilarityQuery(NumericQuery):
    """`similarity:0.8..`: what a `similar:` of the same query found, by a number that belongs to finding it.

    `values` gives that number by id, for a field of the name, once all parts of the query are known.
    """

    def __init__(
        self,
        model: type[LibModel],
        scores: SimilarityScores,
        values: Callable[[str], Mapping[int, float]],
        field_name: str,
        pattern: str,
        fast: bool = True,
    ) -> None:
        super().__init__(field_name, pattern, fast)
        self.model, self.scores, self.values = model, scores, values

    def clause(self) -> Clause:
        return f"{self.model._table}.id IN (SELECT value FROM json_each(?))", (LateIds(self.ids),)  # noqa: S608 - a constant

    def ids(self) -> list[int]:
        return [each for each, value in self.values(self.field_name).items() if self.holds(value)]

    def match(self, obj: Model) -> bool:
        if not self.scores.lists and self.scores.parsed is not None:
            self.scores.parsed.match(obj)  # the query's other part stands behind this one
        value = obj.get(self.field_name)
        return value is not None and self.holds(float(value))

    def holds(self, value: float) -> bool:
        return super().match({self.field_name: value})  # type: ignore[arg-type]  # of a model, it reads the field alone


class LateIds:
    """A list of ids as a value of an SQL statement, made when that runs: all parts of a query are known then."""

    def __init__(self, ids: Callable[[], Iterable[int]]) -> None:
        self.ids = ids

    def __conform__(self, protocol: object) -> str:
        """The list as JSON; sqlite3 asks for it."""
        return json.dumps(list(self.ids()))


class AttributeQuery(FieldQuery[str]):
    """`res_bpm:120..130`, `res_key:minor`: items by what was measured of their sound.

    `kind` is beets' own query for such a value; `values` gives the value of every item by id, for a field of the name.
    """

    def __init__(
        self,
        kind: type[FieldQuery[str]],
        values: Callable[[str], Mapping[int, Any]],
        field_name: str,
        pattern: str,
        fast: bool = True,
    ) -> None:
        super().__init__(field_name, pattern, fast)
        self.like, self.values = kind(field_name, pattern, False), values

    def clause(self) -> Clause:
        ids = (each for each, value in self.values(self.field_name).items() if self.holds(value))
        return f"items.id IN ({', '.join(map(str, ids))})", ()

    def match(self, obj: Model) -> bool:
        return self.holds(obj.get(self.field_name))

    def holds(self, value: Any) -> bool:
        # Of a model, these queries read the field alone; what is unknown is in no range.
        return value is not None and self.like.match({self.field_name: value})  # type: ignore[arg-type]
