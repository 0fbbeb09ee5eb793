"""From a wish to the library's tracks that fulfil it best, and why there are not more of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from beets.exceptions import UserError

from beetsplug.resonance.config.options import flag_of
from beetsplug.resonance.search.filters import CandidateFilter
from beetsplug.resonance.search.request import COMPARING, option_errors
from beetsplug.resonance.search.seeds import negative_vector_ids, resolve_seeds
from beetsplug.resonance.search.text import score_text
from resonance_engine.search.facets import facet_query, focus, parse_weights
from resonance_engine.search.query import query
from resonance_engine.search.ranking import pooled, sharpened
from resonance_engine.search.selection import ALBUM, ARTIST, Rules, Selection, filled
from resonance_engine.search.text.ranking import TextFit, combined_pool, spoken_pool

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Mapping, Sequence

    from beets.library import Item
    from numpy.typing import NDArray

    from beetsplug.resonance.search.request import SearchRequest
    from beetsplug.resonance.search.seeds import Seeds
    from beetsplug.resonance.search.session import SearchSession
    from beetsplug.resonance.search.text import TextScores
    from resonance_engine.search.explain import TrackProfile
    from resonance_engine.search.query import Query, Ranking
    from resonance_engine.search.ranking import CandidatePool

    Vectors = NDArray[np.float32]


UNTOLD = "not described in words yet"


class Hit(NamedTuple):
    """A track that was found, with its score, the id of its vector, and the embedding."""

    item: Item
    score: float
    id: int
    vector: Vectors


@dataclass(frozen=True)
class SearchResult:
    """A list, best first, what it started from, and why it is shorter than asked, if it is.

    `weights` are those of the facets, `text_scores` those of a text. `turned_down` says what kept how many others out,
    such as "tempo (12), version of another (3)"; empty for nothing.
    """

    hits: list[Hit]
    start: Seeds
    weights: Mapping[str, float]
    text_scores: TextScores | None
    turned_down: str
    notes: tuple[str, ...] = ()


class Finder:
    """A library and the rules of its configuration, ready to fulfil wishes; `command` begins its errors."""

    def __init__(self, search: SearchSession, command: str, today: date | None = None) -> None:
        self.search, self.command = search, command
        self.today = today or date.today()

    def find(self, wish: SearchRequest, start: Seeds | None = None) -> SearchResult:
        """The tracks that fulfil a wish best; `start` are its seeds, where they are known already.

        Caps of the configuration give way where the list would be short for them; those that were asked for hold.
        """
        start = resolve_seeds(self.search, wish, self.command) if start is None else start
        if not start:
            self.comparing(wish)
        seeds_heard = (
            start.profiles(self.search) if wish.weights or wish.like or wish.tempo or wish.compatible_key else []
        )
        weights = self.weights(wish, seeds_heard)
        sieve = CandidateFilter(self, wish, [each.attributes for each in seeds_heard])
        said = None if wish.text is None else score_text(self.search, wish.text, self.command)
        asked = self.query(wish, start, seeds_heard, weights, sieve.allowed())
        selection = self.selected(asked, wish, start, said, sieve)
        items = {item.id: item for item in self.search.items({sieve.items[hit.id] for hit in selection.hits})}
        vectors = self.search.index.vectors([hit.id for hit in selection.hits])
        hits = [
            Hit(items[sieve.items[hit.id]], hit.score, hit.id, vector)
            for hit, vector in zip(selection.hits, vectors, strict=True)
            if sieve.items[hit.id] in items  # removed this moment
        ]
        left_out = selection.turned_down + sieve.kept_out
        if said is not None and not start and len(hits) < wish.count:
            left_out[UNTOLD] = self.search.sidecar.store.tags.count_missing(self.search.model.id)
        turned_down = reasons(left_out)
        notes = (*start.notes, *sieve.notes(), *short(len(hits), wish, turned_down))
        return SearchResult(hits, start, weights, said, turned_down, notes)

    def comparing(self, wish: SearchRequest) -> None:
        """Raise UserError for what compares with a track, where none is named."""
        asked = [name for name in COMPARING if name in wish.options]
        asked += ["bpm"] if wish.tempo is not None and wish.tempo.relative else []
        asked += ["key"] if wish.compatible_key else []
        if asked:
            raise UserError(f"{self.command}: {flag_of(asked[0])} compares with a track; name one beside --text")

    def weights(self, wish: SearchRequest, seeds: Sequence[TrackProfile]) -> dict[str, float]:
        """The weights of the facets; none where all count as they were trained to."""
        facets = list(self.search.model.modalities)
        if wish.weights is None and wish.like is None:
            return {}
        if any(name not in each.facets or name not in each.gates for name in facets for each in seeds):
            raise UserError(f"{self.command}: no facets are known of a track to start from; leave them unweighted")
        if wish.weights is not None:
            with option_errors("weights"):
                return parse_weights(wish.weights, facets)
        with option_errors("like"):
            names = [each.strip() for each in (wish.like or "").split(",")]
            gates = [{name: each.gates[name] for name in facets} for each in seeds]
            return focus(names, gates)

    def query(
        self,
        wish: SearchRequest,
        start: Seeds,
        seeds: Sequence[TrackProfile],
        weights: Mapping[str, float],
        allowed: set[int] | None,
    ) -> Query:
        search = self.search
        away = negative_vector_ids(search, wish, self.command)
        exclude = {*start.ids, *away}
        avoid = search.index.vectors(away) if away else None
        if not weights:
            return query(search.index, start.vectors(search), exclude, allowed, avoid)
        indexes = {name: search.facet(name) for name in weights}
        facets = {name: np.stack([each.facets[name] for each in seeds]) for name in weights}
        gates = [each.gates for each in seeds]
        return facet_query(search.index, indexes, facets, gates, weights, exclude, allowed, avoid)

    def selected(
        self, asked: Query, wish: SearchRequest, start: Seeds, said: TextScores | None, sieve: CandidateFilter
    ) -> Selection:
        """The best that the rules allow, with those caps raised that nobody asked for where the list is short."""
        settings = self.search.sidecar.settings
        caps = wish.caps(settings.caps)
        favour = wish.preference.strength if wish.preference is not None else 0.0
        rules = Rules(caps.per_artist, caps.per_album, wish.versions, favour)
        seeds, ranking = start.described(self.search), wish.ranking
        values = sieve.values if rules.favour else None
        pool = self.pool(asked, start, said, ranking)

        def listed(rules: Rules) -> Selection:
            return filled(pool, ranking, rules, sieve.described, seeds, sieve.refused, values)

        selection = listed(rules)
        for relaxed in caps.relaxations(ranking.count):
            capped = selection.turned_down[ARTIST] + selection.turned_down[ALBUM]
            if len(selection.hits) == ranking.count or not capped:
                break
            selection = listed(replace(rules, per_artist=relaxed.per_artist, per_album=relaxed.per_album))
        return selection

    def pool(
        self, asked: Query, start: Seeds, said: TextScores | None, ranking: Ranking
    ) -> Callable[[int], CandidatePool]:
        """Candidates in any number, ranked by closeness to the seeds, by words, or by both."""
        ready = sharpened(asked, ranking) if start else asked
        if said is None:
            return lambda size: pooled(ready, ranking, size)
        spoken = TextFit(said.ids, said.scores()).within(asked)
        if not start:
            return lambda size: spoken_pool(spoken, asked, ranking, size)
        return lambda size: combined_pool(spoken, ready, ranking, size)


def reasons(turned_down: Counter[str]) -> str:
    """What turned how many tracks down, the most first."""
    return ", ".join(f"{rule} ({count:,})" for rule, count in turned_down.most_common() if count)


def short(count: int, wish: SearchRequest, turned_down: str) -> tuple[str, ...]:
    """A sentence on why a list is shorter than asked for, if it is."""
    if count == wish.count:
        return ()
    among = " among the matches of --from" if wish.among else ""
    why = f"turned down: {turned_down}" if turned_down else "there are no others"
    return (f"{count:,} of {wish.count:,} tracks found{among}; {why}",)
