"""Run a search request: rank candidates, apply filters and limits, and report why the list is short."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from beets.exceptions import UserError

from beetsplug.resonance.config.options import flag_of
from beetsplug.resonance.search.filters import CandidateFilter
from beetsplug.resonance.search.request import COMPARING, option_errors
from beetsplug.resonance.search.seeds import resolve_seeds
from resonance_engine.search.ranking import query, rank_by_similarity, refine
from resonance_engine.search.selection import SelectionRules, select

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from beets.library import Item
    from numpy.typing import NDArray

    from beetsplug.resonance.search.request import SearchRequest
    from beetsplug.resonance.search.seeds import Seeds
    from beetsplug.resonance.search.session import SearchSession
    from beetsplug.resonance.search.text import TextScores
    from resonance_engine.search.constraints import Caps
    from resonance_engine.search.ranking import CandidatePool, Query, Ranking

    Vectors = NDArray[np.float32]


WITHOUT_TAGS = "not described in words yet"


class Hit(NamedTuple):
    """A track of the list, with its score, the id of its vector, and the embedding."""

    item: Item
    score: float
    id: int
    vector: Vectors


@dataclass(frozen=True)
class SearchResult:
    """A list, best first, its seeds, and why it is shorter than requested, if it is.

    `weights` are those of the facets, `text_scores` those of a text. `rejected` lists how many others each rule kept
    out, such as "tempo (12), version of another (3)"; empty for none. `shortage` is a sentence on a short list, the
    last of the `notes`.
    """

    hits: list[Hit]
    seeds: Seeds
    weights: Mapping[str, float]
    text_scores: TextScores | None
    rejected: str
    notes: tuple[str, ...] = ()
    shortage: str = ""


class Finder:
    """A search request on an open library: its seeds and filter, resolved once; `command` begins errors.

    `files` names the item to take of several with one sound, by vector id; see `CandidateFilter`.
    """

    def __init__(
        self,
        session: SearchSession,
        request: SearchRequest,
        command: str,
        today: date | None = None,
        files: Mapping[int, int] | None = None,
    ) -> None:
        self.session, self.request, self.command = session, request, command
        self.seeds = resolve_seeds(session, request, command)
        if not self.seeds:
            self._reject_comparisons()
        needs_profiles = request.weights or request.like or request.tempo or request.compatible_key
        self._profiles = self.seeds.profiles(session) if needs_profiles else []
        self.weights = self._facet_weights() if request.weights or request.like else {}
        attributes = [each.attributes for each in self._profiles]
        self.filter = CandidateFilter(session, request, command, attributes, today or date.today(), files)

    def find(self, count: int | None = None, caps: Caps | None = None) -> SearchResult:
        """Return the best tracks, as many and with the caps as requested unless others are given.

        Caps of the configuration are relaxed where they would leave the list short; requested ones hold.
        """
        session, request = self.session, self.request
        ranking = request.ranking if count is None else replace(request.ranking, count=count)
        caps = request.caps(session.sidecar.settings.caps) if caps is None else caps
        rules = SelectionRules(caps, request.versions, request.preference.strength if request.preference else 0.0)
        selection = select(self._ranker(ranking), ranking, rules, self.filter.load, self.seeds.recordings(session))
        items = {item.id: item for item in session.items({self.filter.items[hit.id] for hit in selection.hits})}
        hits = [
            Hit(items[self.filter.items[hit.id]], hit.score, hit.id, vector)
            for hit, vector in zip(selection.hits, selection.vectors, strict=True)
            if self.filter.items[hit.id] in items  # removed this moment
        ]
        rejected = selection.rejected + self.filter.rejected
        if self._text_scores is not None and not self.seeds and len(hits) < ranking.count:
            rejected[WITHOUT_TAGS] = session.store.tags.count_missing(session.model.id)
        reasons = ", ".join(f"{rule} ({number:,})" for rule, number in rejected.most_common() if number)
        notes = (*self.seeds.notes, *self.filter.notes())
        shortage = ""
        if len(hits) < ranking.count:
            among = " among the matches of --from" if request.among else ""
            why = f"turned down: {reasons}" if reasons else "there are no others"
            shortage = f"{len(hits):,} of {ranking.count:,} tracks found{among}; {why}"
            notes = (*notes, shortage)
        return SearchResult(hits, self.seeds, self.weights, self._text_scores, reasons, notes, shortage)

    def _reject_comparisons(self) -> None:
        """Raise UserError for an option that compares with a track, where none is named."""
        request = self.request
        names = [name for name in COMPARING if name in request.options]
        names += ["bpm"] if request.tempo is not None and request.tempo.relative else []
        names += ["key"] if request.compatible_key else []
        if names:
            raise UserError(f"{self.command}: {flag_of(names[0])} compares with a track; name one beside --text")

    def _facet_weights(self) -> dict[str, float]:
        from resonance_engine.search.facets import focus_weights, parse_weights

        request, facets, profiles = self.request, list(self.session.model.modalities), self._profiles
        if any(name not in each.facets or name not in each.gates for name in facets for each in profiles):
            raise UserError(f"{self.command}: no facets are known of a track to start from; leave them unweighted")
        if request.weights is not None:
            with option_errors("weights"):
                return parse_weights(request.weights, facets)
        with option_errors("like"):
            names = [name.strip() for name in (request.like or "").split(",")]
            return focus_weights(names, [{name: each.gates[name] for name in facets} for each in profiles])

    @cached_property
    def _text_scores(self) -> TextScores | None:
        if self.request.text is None:
            return None
        from beetsplug.resonance.search.text import score_text

        return score_text(self.session, self.request.text, self.command)

    @cached_property
    def _query(self) -> Query:
        session, seeds, allowed = self.session, self.seeds, self.filter.allowed
        exclude = {*seeds.ids, *seeds.negative_ids}
        avoid = session.index.vectors(seeds.negative_ids) if seeds.negative_ids else None
        if not self.weights:
            return query(session.index, seeds.vectors(session), exclude, allowed, avoid)
        from resonance_engine.search.facets import facet_query

        indexes = {name: session.facet(name) for name in self.weights}
        vectors = {name: np.stack([each.facets[name] for each in self._profiles]) for name in self.weights}
        gates = [each.gates for each in self._profiles]
        return facet_query(session.index, indexes, vectors, gates, self.weights, exclude, allowed, avoid)

    def _ranker(self, ranking: Ranking) -> Callable[[int], CandidatePool]:
        """Return what ranks candidates in any number: by similarity to the seeds, by a text, or by both."""
        scores = self._text_scores  # before the query, whose errors are less likely
        ready = refine(self._query, ranking) if self.seeds else self._query
        if scores is None:
            return partial(rank_by_similarity, ready, ranking)
        from resonance_engine.search.text.ranking import TextFit, rank_by_text, rank_by_text_and_seeds

        fit = TextFit(scores.ids, scores.overall()).restrict(ready)
        return partial(rank_by_text_and_seeds if self.seeds else rank_by_text, fit, ready, ranking)
