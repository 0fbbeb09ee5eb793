"""Queries in beets' language: `similar:QUERY`, `similarity:0.8..`, `res_bpm:120..130` and their like.

All are fast queries: their matches are resolved before beets builds its items, and enter SQL as ids.
"""

from __future__ import annotations

import json
import re
from collections import deque
from threading import local
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import ReferenceType, ref

from beets.dbcore.query import FieldQuery, InvalidQueryArgumentValueError, NumericQuery
from beets.exceptions import UserError
from beets.library.queries import parse_query_parts

from beetsplug.resonance.config.options import SETTINGS, TABLE, split_query
from resonance_engine.suggestions import suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from beets.dbcore import Model
    from beets.library.models import LibModel
    from beets.logging import BeetsLogger

    Clause = tuple[str, Sequence[Any]]

SCORES_KEPT = 16  # lists that `$similarity` reads
COUNT = re.compile(r"(\d+):(.*)", re.DOTALL)
FROM = "--from"
OPTION = re.compile(r"--[A-Za-z]")


class SimilarPattern(NamedTuple):
    """A parsed `similar:` query: seeds and candidates as words of beets queries; `length` None is the setting's."""

    seeds: list[str]
    candidates: list[str]
    length: int | None

    @classmethod
    def parse(cls, pattern: str) -> SimilarPattern:
        """Parse `[COUNT:]QUERY [--from QUERY]`; raises InvalidQueryArgumentValueError.

        Queries are written as in a smart playlist; quotes around values may be left out, see `split_query`.
        """
        counted = COUNT.fullmatch(pattern)
        words = [part for word in split_query(counted[2] if counted else pattern) for part in split_from(word)]
        for word in words:
            if OPTION.match(word) and word != FROM:
                raise InvalidQueryArgumentValueError(word, "an option of a similar query", explain_option(word))
        if words.count(FROM) > 1:
            raise InvalidQueryArgumentValueError(pattern, f"a query with {FROM} once")
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


def split_from(word: str) -> list[str]:
    """Split `--from=QUERY` in two, as a command line has it; any other word stays whole."""
    option, equals, query = word.partition("=")
    return [option, query] if option == FROM and equals else [word]


def explain_option(word: str) -> str:
    """Return a clause on an option in `similar:` that it does not take."""
    flag = word.partition("=")[0]
    if flag in ("--count", "--number"):
        return "a number of tracks goes in front, as in similar:10:title:yesterday"
    if any(flag in (option.flag, *option.flags) for option in TABLE if option.commands):
        return f"it takes {FROM} alone, `beet similar` takes {flag}"
    return suggest(flag, [FROM], f"it takes {FROM} alone, as in similar:'artist:air {FROM} genres:jazz'")


class ScoredList(NamedTuple):
    """Scores by id, and the query that they belong to, as long as it is in use."""

    scores: Mapping[int, float]
    query: ReferenceType[SimilarQuery]


class ThreadLists(local):
    """The last lists of a thread, the last first, and the `similar:` that it parsed last.

    `is_missed` where a query needed a list, and there was none.
    """

    def __init__(self) -> None:
        self.lists: deque[ScoredList] = deque(maxlen=SCORES_KEPT)
        self.parsed: ReferenceType[SimilarQuery] | None = None
        self.is_missed = False


class SimilarityScores:
    """The scores of the last `similar:` queries, by id: the values of `$similarity`, and the keys of `similarity-`.

    A field knows its item and not the query. The last list with an item is the one that beets shows, or that of an
    earlier alternative, as in `similar:A , similar:B`. Each thread has lists of its own, for `beet web` answers several
    queries at once; where one has none, as the threads of `beet convert`, those of all threads count.
    """

    def __init__(self) -> None:
        self.own = ThreadLists()
        self.shared: deque[ScoredList] = deque(maxlen=SCORES_KEPT)

    def add(self, scores: Mapping[int, float], query: SimilarQuery) -> None:
        scored = ScoredList(scores, ref(query))
        self.own.lists.appendleft(scored)
        self.shared.appendleft(scored)

    @property
    def parsed(self) -> SimilarQuery | None:
        """The `similar:` that was parsed last, while it is in use."""
        return self.own.parsed() if self.own.parsed is not None else None

    def begin(self, query: SimilarQuery) -> None:
        """Note that a `similar:` was parsed."""
        self.own.parsed = ref(query)

    def score(self, thing: Model) -> float | None:
        """Return the score of an item or album; None where no list has it."""
        # `beet similar` sets it on the items that it lists, where a computed field would hide it.
        given = thing._values_flex.get("similarity")
        if given is not None:
            return float(given)
        scores = self.list_with(thing)
        return None if scores is None or thing.id is None else scores[thing.id]

    def list_with(self, thing: Model) -> Mapping[int, float] | None:
        """Return the last list with an item or album."""
        lists = (*self.own.lists, *self.shared)
        return next((each.scores for each in lists if thing.id in each.scores), None)

    def current(self) -> list[Mapping[int, float]]:
        """Return the lists of the queries in use, the last one last; others were answers to earlier ones."""
        own, shared = ([each.scores for each in lists if each.query()] for lists in (self.own.lists, self.shared))
        return [*reversed(own or shared)]

    def by_id(self, name: str = "similarity") -> dict[int, float]:  # noqa: ARG002 - the only number there is
        """Return the scores of the lists of the queries in use."""
        return {thing_id: score for scores in self.current() for thing_id, score in scores.items()}


class SimilarQuery(FieldQuery[str]):
    """`similar:QUERY`: the items or albums nearest to the matches of QUERY, without these.

    `resolve` returns their scores by id at every use: a smart playlist is parsed when beets starts, and evaluated after
    an import. It raises UserError where it cannot.
    """

    def __init__(
        self,
        model: type[LibModel],
        resolve: Callable[[SimilarPattern], Mapping[int, float]],
        scores: SimilarityScores,
        log: BeetsLogger,
        field_name: str,
        pattern: str,
        fast: bool = True,
    ) -> None:
        super().__init__(field_name, pattern, fast)
        self.model, self.resolve, self.scores, self.log = model, resolve, scores, log
        self.similar = SimilarPattern.parse(pattern)
        for words in (self.similar.seeds, self.similar.candidates):
            parse_query_parts(words, model)  # a mistake is named before anything is listed
        self.matches: Mapping[int, float] | None = None
        scores.begin(self)

    def clause(self) -> Clause:
        self.matches = self.resolve(self.similar)
        self.scores.add(self.matches, self)
        return f"{self.model._table}.id IN ({', '.join(map(str, self.matches))})", ()

    def match(self, obj: Model) -> bool:
        """Whether an object is in the list; beets calls it for each item where another part of the query is slow."""
        if self.matches is None:
            try:
                self.clause()
            except UserError as error:  # an import may evaluate the query, and must go on
                self.log.warning("{}", error)
                self.matches = {}
        return obj.id in (self.matches or {})


class SimilarityQuery(NumericQuery):
    """`similarity:0.8..`: the matches of a `similar:` of the same query, by their score or the share of a facet.

    `values` returns these numbers by id for the name of a field, once all parts of the query are known.
    """

    def __init__(
        self,
        model: type[LibModel],
        scores: SimilarityScores,
        values: Callable[[str], Mapping[int, float]],
        log: BeetsLogger,
        field_name: str,
        pattern: str,
        fast: bool = True,
    ) -> None:
        super().__init__(field_name, pattern, fast)
        self.model, self.scores, self.values, self.log = model, scores, values, log

    def clause(self) -> Clause:
        return f"{self.model._table}.id IN (SELECT value FROM json_each(?))", (DeferredIds(self.ids),)  # noqa: S608 - a constant

    def ids(self) -> list[int]:
        self.require_list()
        return [thing_id for thing_id, value in self.values(self.field_name).items() if self.accepts(value)]

    def match(self, obj: Model) -> bool:
        if not self.scores.current() and (parsed := self.scores.parsed) is not None:
            parsed.match(obj)  # the query's other part stands behind this one
        self.require_list()
        value = obj.get(self.field_name)
        return value is not None and self.accepts(float(value))

    def require_list(self) -> None:
        """Warn, once in a run, where there is no `similar:` to be near to, so that nothing matches."""
        if not self.scores.current() and not self.scores.own.is_missed:
            self.scores.own.is_missed = True
            self.log.warning(
                "{0}: only what `similar:` lists has it, and no `similar:` is in the query; "
                "write for example `beet ls similar:title:yesterday {0}:{1}`",
                self.field_name,
                self.pattern,
            )

    def accepts(self, value: float) -> bool:
        return super().match({self.field_name: value})  # type: ignore[arg-type]  # of a model, it reads the field alone


class DeferredIds:
    """Ids as a parameter of an SQL statement, computed when that runs: all parts of a query are known then."""

    def __init__(self, ids: Callable[[], Iterable[int]]) -> None:
        self.ids = ids

    def __conform__(self, protocol: object) -> str:
        """Return the ids as JSON, for sqlite3."""
        return json.dumps(list(self.ids()))


class AttributeQuery(FieldQuery[str]):
    """`res_bpm:120..130`, `res_key:minor`: items by their measured attributes.

    `kind` is beets' own query for such a value; `values` returns the values of all items by id for a field's name.
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
        ids = (item_id for item_id, value in self.values(self.field_name).items() if self.accepts(value))
        return f"items.id IN ({', '.join(map(str, ids))})", ()

    def match(self, obj: Model) -> bool:
        return self.accepts(obj.get(self.field_name))

    def accepts(self, value: Any) -> bool:
        # What is unknown is in no range.
        return value is not None and self.like.match({self.field_name: value})  # type: ignore[arg-type]  # reads the field
