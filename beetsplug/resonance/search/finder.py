"""Run a search request: rank and filter candidates, apply the rules of a list, and report why it is short."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from beets.exceptions import UserError

from beetsplug.resonance.config.options import flag_of, split_query
from beetsplug.resonance.library.field_names import describe_misspelt_fields, describe_numberless_field
from beetsplug.resonance.library.items import excluded_ids, ids_of, matching_ids, no_match, numeric_field, select_items
from beetsplug.resonance.search.request import option_errors
from beetsplug.resonance.search.session import resolve_seeds
from beetsplug.resonance.search.taste import load_taste, taste_ranker
from beetsplug.resonance.search.voices import voice_filter
from resonance_engine.errors import format_count
from resonance_engine.search.constraints import Constraints, keys_of, tempi_of
from resonance_engine.search.ranking import query, rank_by_similarity, refine
from resonance_engine.search.same_sound import measure_spread
from resonance_engine.search.selection import CandidateTrack, SelectionRules, select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from beets.library import Item, Library
    from numpy.typing import NDArray

    from beetsplug.resonance.search.request import SearchRequest
    from beetsplug.resonance.search.session import SearchSession, Seeds
    from beetsplug.resonance.search.text import TextScores
    from beetsplug.resonance.search.voices import VoiceFilter
    from resonance_engine.search.constraints import Caps
    from resonance_engine.search.names import TrackMetadata
    from resonance_engine.search.ranking import CandidatePool, Query, Ranking

    Vectors = NDArray[np.float32]

EXCLUDED, TOO_LONG = "excluded by the configuration", "too long"
MULTI_LINE = "in a path with a line break"
MOST_EXCLUDED = 0.1  # share of the library from which on excluded items are left out before the search, not after
WITHOUT_TAGS = "not described in words yet"


class CandidateFilter:
    """The queries, tempo and key of a request and the rules of the configuration, applied to batches of candidates.

    `allowed` are the vector ids that may come up, None for any; `rejected` counts what is left out before the search;
    `items` are the ids of the items that stand for vectors. Of several files with one sound, `files` names the one to
    take, by vector id. `voices` rejects spoken recordings, and others than the request wants; `left_out`
    are reasons by the ids of items that never come up, `inside` the ids of the only ones that may, None for any.
    """

    def __init__(
        self,
        session: SearchSession,
        request: SearchRequest,
        command: str,
        seeds: Sequence[Mapping[str, Any]],
        today: date,
        files: Mapping[int, int] | None = None,
        voices: VoiceFilter | None = None,
        left_out: Mapping[int, str] | None = None,
        inside: set[int] | None = None,
    ) -> None:
        self.session, self.files, self.voices = session, files or {}, voices
        library, settings = session.sidecar.library, session.sidecar.settings
        minutes = settings.max_length if request.max_length is None else request.max_length
        self.longest = minutes * 60 if minutes else math.inf
        self.excluded = dict.fromkeys(
            excluded_ids(library, settings.exclude, today) if settings.exclude else (), EXCLUDED
        ) | dict(left_out or {})
        self.among = matching_ids(library, request.among) if request.among else None
        if self.among is not None and not self.among:
            raise no_match(library, f"{command} --from", request.among)
        if inside is not None:
            self.among = inside if self.among is None else self.among & inside
        tempi, keys = [], None
        if request.tempo is not None and request.tempo.relative:
            with option_errors("bpm"):
                tempi = tempi_of(seeds)
        if request.compatible_key:
            with option_errors("key"):
                keys = keys_of(seeds)
        self.constraints = Constraints(request.tempo, tempi, keys)
        self.preference = request.preference
        self.items: dict[int, int] = {}
        self.rejected: Counter[str] = Counter()
        self.has_values = False
        self.allowed: set[int] | None = None
        if self.among is not None or len(self.excluded) > MOST_EXCLUDED * len(session.index):
            items = matching_ids(library, ()) if self.among is None else self.among
            self.rejected.update(self.excluded[each] for each in items if each in self.excluded)
            ids = session.store.tracks.vector_ids(session.sidecar.id, items - self.excluded.keys(), session.model.id)
            self.allowed = set(ids.values())

    def load(self, vector_ids: Iterable[int]) -> dict[int, CandidateTrack]:
        """Load what is known of the candidates behind vector ids, in their order, without those that are gone."""
        items = self.session.metadata([*dict.fromkeys(vector_ids)])
        chosen = {each: self._choose_file(each, same) for each, same in items.items() if same}
        self.items |= chosen
        rejections = {each: self.excluded[item] for each, item in chosen.items() if item in self.excluded}
        if self.constraints.tempo is not None or self.constraints.keys is not None:
            rest = [each for each in chosen if each not in rejections]
            attributes = self.session.attributes(rest)
            rejections |= {each: self.constraints.rejection(attributes.get(each, {})) for each in rest}
        if self.voices is not None:
            rejections |= self.voices.rejections([each for each in chosen if not rejections.get(each)])
        values = self._values(chosen, self.preference.field) if self.preference else {}
        return {
            key: CandidateTrack(items[key][item], rejections.get(key, ""), values.get(key, math.nan))
            for key, item in chosen.items()
        }

    def _choose_file(self, vector_id: int, same: Mapping[int, TrackMetadata]) -> int:
        """Return which of the files of one sound stands for them: the first that may come up."""
        # Compared here: to select all items by their lengths reads the whole table, lyrics and all.
        for item, track in same.items():
            if track.seconds > self.longest:
                self.excluded.setdefault(item, TOO_LONG)
        if len(same) == 1:
            return next(iter(same))
        if self.files.get(vector_id) in same:
            return self.files[vector_id]
        allowed = [each for each in same if each not in self.excluded and (self.among is None or each in self.among)]
        return self.session.first_with_file(allowed or [*same])

    def _values(self, items: Mapping[int, int], field: str) -> dict[int, float]:
        """Return a numeric field by vector id, of items that have it."""
        vector_of = {item: each for each, item in items.items()}
        numbers = ((item, numeric_field(item, field)) for item in select_items(self.session.sidecar.library, vector_of))
        values = {vector_of[item.id]: value for item, value in numbers if item.id is not None and value is not None}
        self.has_values = self.has_values or bool(values)
        return values


class Hit(NamedTuple):
    """A track of the list: the id of its item, its score, the id of its vector, and the embedding."""

    item_id: int
    score: float
    id: int
    vector: Vectors


def load_items(library: Library, hits: Iterable[Hit]) -> list[tuple[Hit, Item]]:
    """Return hits with their items, without those that were removed this moment."""
    by_id = {hit.item_id: hit for hit in hits}
    items = {item.id: item for item in select_items(library, by_id)}
    return [(hit, items[item_id]) for item_id, hit in by_id.items() if item_id in items]


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

    `files`, `left_out` and `inside` are those of `CandidateFilter`.
    """

    def __init__(
        self,
        session: SearchSession,
        request: SearchRequest,
        command: str,
        today: date | None = None,
        files: Mapping[int, int] | None = None,
        left_out: Mapping[int, str] | None = None,
        inside: set[int] | None = None,
    ) -> None:
        self.session, self.request, self.command = session, request, command
        self.seeds = resolve_seeds(session, request, command)
        self.has_seeds = len(self.seeds.vectors) > 0
        if not self.has_seeds and request.comparing:
            raise UserError(f"{command}: {flag_of(request.comparing[0])} compares with a track; name one beside --text")
        self.taste = load_taste(session.sidecar, session.model, command) if request.taste else None
        needs_profiles = request.weights or request.like or self.taste or request.tempo or request.compatible_key
        self._profiles = self.seeds.profiles(session) if needs_profiles else []
        self.weights = self._facet_weights() if request.weights or request.like or self.taste else {}
        attributes = [each.attributes for each in self._profiles]
        voices = voice_filter(session, request, self.seeds)
        self.filter = CandidateFilter(
            session, request, command, attributes, today or date.today(), files, voices, left_out, inside
        )

    def find(self, count: int | None = None, caps: Caps | None = None) -> SearchResult:
        """Return the best tracks, as many and with the caps as requested unless others are given.

        Caps of the configuration are relaxed where they would leave the list short; requested ones hold.
        """
        session, request = self.session, self.request
        ranking = request.ranking if count is None else replace(request.ranking, count=count)
        caps = request.caps(session.sidecar.settings.caps) if caps is None else caps
        favour = request.preference.strength if request.preference else 0.0
        spread = 1.0 if request.versions else measure_spread(session.index.moments)
        rules = SelectionRules(caps, request.versions, favour, spread, session.windows)
        selection = select(self._ranker(ranking), ranking, rules, self.filter.load, self.seeds.recordings(session))
        ids = self.filter.items
        pairs = zip(selection.hits, selection.vectors, strict=True)
        hits = [Hit(ids[hit.id], hit.score, hit.id, vector) for hit, vector in pairs]
        scores = self._query[1]
        rejected = selection.rejected + self.filter.rejected
        if scores is not None and not self.has_seeds and len(hits) < ranking.count:
            rejected[WITHOUT_TAGS] = session.store.tags.count_missing(session.model.id)
        reasons = ", ".join(f"{rule} ({number:,})" for rule, number in rejected.most_common() if number)
        notes = [*self.seeds.notes, *self.request_notes, *([scores.note] if scores and scores.note else [])]
        preference, shortage = request.preference, ""
        if preference is not None and preference.strength and ids and not self.filter.has_values:
            notes.append(describe_numberless_field(session.sidecar.library, preference.field))
        if len(hits) < ranking.count:
            among = " among the matches of --from" if request.among else " in the cluster" * bool(self.filter.among)
            why = f"turned down: {reasons}" if reasons else "there are no others"
            shortage = f"{len(hits):,} of {format_count(ranking.count)} found{among}; {why}"
            notes.append(shortage)
        return SearchResult(hits, self.seeds, self.weights, scores, reasons, tuple(notes), shortage)

    @cached_property
    def request_notes(self) -> list[str]:
        """Clauses on misspelt fields in queries, also of the settings, and on more hits for --prf than there are."""
        request, sidecar = self.request, self.session.sidecar
        excluded = [split_query(rule.query) for rule in sidecar.settings.exclude]
        queries = [each for each in (request.query, request.avoid, request.among, *excluded) if not ids_of(each)]
        fields = describe_misspelt_fields(sidecar.library, queries)
        wanted, others = request.ranking.prf, len(self.session.index) - len(self.seeds.stored)
        feedback = [f"--prf {wanted:,} takes all of the {others:,} other tracks, for there are no more"]
        return ([fields] if fields else []) + (feedback if wanted > others else [])

    def _facet_weights(self) -> dict[str, float]:
        from resonance_engine.search.facets import focus_weights, parse_weights

        request, facets, profiles = self.request, list(self.session.model.modalities), self._profiles
        if any(name not in each.facets or name not in each.gates for name in facets for each in profiles):
            raise UserError(f"{self.command}: no facets are known of a track to start from; leave them unweighted")
        if self.taste is not None:
            return self.taste.facet_weights([each.gates for each in profiles])
        if request.weights is not None:
            with option_errors("weights"):
                return parse_weights(request.weights, facets)
        with option_errors("like"):
            names = [name.strip() for name in (request.like or "").split(",")]
            return focus_weights(names, [{name: each.gates[name] for name in facets} for each in profiles])

    @cached_property
    def _query(self) -> tuple[Query, TextScores | None]:
        """The query, and how well recordings fit the text, whose errors are the likelier ones and come first."""
        session, seeds, allowed = self.session, self.seeds, self.filter.allowed
        scores = None
        if self.request.text is not None:
            from beetsplug.resonance.search.text import score_text

            scores = score_text(session, self.request.text, self.command)
        exclude = {*seeds.ids, *seeds.negative_ids}
        avoid = session.index.vectors(seeds.negative_ids) if seeds.negative_ids else None
        if not self.weights:
            return query(session.index, seeds.vectors, exclude, allowed, avoid), scores
        from resonance_engine.search.facets import facet_query

        indexes = {name: session.facet(name) for name in self.weights}
        vectors = {name: np.stack([each.facets[name] for each in self._profiles]) for name in self.weights}
        gates = [each.gates for each in self._profiles]
        return facet_query(session.index, indexes, vectors, gates, self.weights, exclude, allowed, avoid), scores

    def _ranker(self, ranking: Ranking) -> Callable[[int], CandidatePool]:
        """Return what ranks candidates in any number: by similarity to the seeds, by a text, or by both."""
        ready, scores = self._query
        if self.has_seeds:
            ready = refine(ready, ranking)
        if scores is None and self.taste is not None:
            return taste_ranker(self.taste, self.session, self.seeds, ready, ranking)
        if scores is None:
            return partial(rank_by_similarity, ready, ranking)
        from resonance_engine.search.text.scoring import TextFit, rank_by_text, rank_by_text_and_seeds

        fit = TextFit(scores.ids, scores.overall()).restrict(ready)
        return partial(rank_by_text_and_seeds if self.has_seeds else rank_by_text, fit, ready, ranking)
