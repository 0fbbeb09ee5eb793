"""The fields that the plugin adds to beets, such as `$similarity` and `$res_bpm`, computed and never stored."""

from __future__ import annotations

from contextlib import closing
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from beets.dbcore import types
from beets.dbcore.query import FieldQuery, NumericQuery, SubstringQuery
from beets.exceptions import UserError
from beets.library import Album, Item

from beetsplug.resonance.fields.analysis_cache import AnalysisCache, load_attributes, load_tags
from beetsplug.resonance.fields.duplicates import DuplicatesQuery, DuplicatesResolver
from beetsplug.resonance.fields.queries import (
    AttributeQuery,
    SimilarityQuery,
    SimilarityScores,
    SimilarPattern,
    SimilarQuery,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from beets.library import Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.config.settings import Settings
    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.search.session import SearchSession
    from resonance_engine.store import Store

    Nearest = Callable[[SearchSession, SimilarPattern, int], dict[int, float]]

NAME = "similar"  # begins messages


class Neighbours(dict[int, float]):
    """Scores by item id, best first, with the item ids of the seeds, and notes of the search."""

    def __init__(
        self, scores: Mapping[int, float], sidecar: Sidecar, seeds: Sequence[int], notes: Sequence[str] = ()
    ) -> None:
        super().__init__(scores)
        self.library, self.settings, self.seeds, self.notes = sidecar.library, sidecar.settings, seeds, notes

    @cached_property
    def shares(self) -> dict[int, dict[str, float]]:
        """The share of each facet in the scores, by id and facet; raises StoreError."""
        from beetsplug.resonance.library.sidecar import Sidecar
        from beetsplug.resonance.search.explanations import mean_facet_shares

        with closing(Sidecar(self.library, self.settings)) as sidecar:
            return mean_facet_shares(sidecar, self.seeds, self)


class SimilarResolver:
    """Resolves `similar:` in the library of this run of beets; its indexes are opened once for a state of the store.

    Seeds without a match, or that are not analysed, are no error: a line warns, and nothing is similar to them. So one
    smart playlist that lost its seed leaves the others alone.
    """

    def __init__(
        self, settings: Callable[[], Settings], log: BeetsLogger, is_analysing: Callable[[Sidecar], bool]
    ) -> None:
        self.settings, self.log, self.is_analysing = settings, log, is_analysing
        self.library: Library | None = None
        self.session: SearchSession | None = None
        self.warned: set[str] = set()

    def open(self, lib: Library) -> None:
        """Use this library from now on."""
        self.library, self.session, self.warned = lib, None, set()

    def tracks(self, pattern: SimilarPattern) -> dict[int, float]:
        """Return scores by item id, best first; raises UserError where the store or a setting is damaged."""
        return self._resolve(nearest_tracks, pattern)

    def albums(self, pattern: SimilarPattern) -> dict[int, float]:
        """Return scores by album id, as `tracks`; the queries name albums."""
        return self._resolve(nearest_album_scores, pattern)

    def _resolve(self, nearest: Nearest, pattern: SimilarPattern) -> dict[int, float]:
        from beetsplug.resonance.library.sidecar import Sidecar
        from resonance_engine.errors import ResonanceError

        settings = self.settings()
        if self.library is None:
            return {}
        try:
            with closing(Sidecar(self.library, settings)) as sidecar:
                return self._search(sidecar, nearest, pattern, pattern.length or settings.count)
        except ResonanceError as error:
            raise UserError(str(error)) from error

    def _search(self, sidecar: Sidecar, nearest: Nearest, pattern: SimilarPattern, count: int) -> dict[int, float]:
        from beetsplug.resonance.library.items import NO_TRACKS
        from beetsplug.resonance.library.models import describe_missing_model
        from beetsplug.resonance.library.sidecar import describe_coverage
        from beetsplug.resonance.search.session import open_session

        coverage = sidecar.coverage()
        missing = describe_coverage(sidecar, coverage, coverage.missing > 0 and self.is_analysing(sidecar))
        if not coverage.embedded:
            self._warn(f"{NAME}: {missing if coverage.total else NO_TRACKS}")
            return {}
        if coverage.missing:
            self.log.info("{}", missing)
        if without := describe_missing_model(sidecar):
            self._warn(f"{NAME}: {without}")
        try:
            with open_session(sidecar, self.session) as self.session:
                scores = nearest(self.session, pattern, count)
        except UserError as error:
            self._warn(str(error))
            return {}
        for note in scores.notes if isinstance(scores, Neighbours) else ():
            self.log.info("{}: {}", NAME, note)
        return scores

    def _warn(self, message: str) -> None:
        """Log a warning once in a run."""
        if message not in self.warned:
            self.warned.add(message)
            self.log.warning("{}", message)


def nearest_tracks(session: SearchSession, pattern: SimilarPattern, count: int) -> dict[int, float]:
    """Return the items that `beet similar -n COUNT` lists for a pattern; UserError without any seed."""
    from beetsplug.resonance.search.finder import Finder
    from beetsplug.resonance.search.request import SearchRequest

    request = SearchRequest(query=pattern.seeds, among=pattern.candidates, count=count)
    result = Finder(session, request, NAME).find()
    scores = {hit.item_id: min(hit.score, 1.0) for hit in result.hits}
    seeds = [item.id for item in result.seeds.items if item.id is not None]
    return Neighbours(scores, session.sidecar, seeds, result.notes)


def nearest_album_scores(session: SearchSession, pattern: SimilarPattern, count: int) -> dict[int, float]:
    """Return the `count` albums nearest to the seeds, all taken as one set of tracks; UserError without any seed."""
    from beetsplug.resonance.search.groups import nearest_groups, require_matches, tracks_by_album

    library = session.sidecar.library
    seeds = tracks_by_album(library, pattern.seeds)
    require_matches(library, seeds, "album", pattern.seeds, NAME)
    return nearest_groups(session, seeds, tracks_by_album(library, pattern.candidates), count)


class OptionalNumber(types.NullFloat):
    """A number that may be unknown, which prints as nothing."""

    def format(self, value: float | None) -> str:
        return "" if value is None else super().format(value)


class TemplateField(NamedTuple):
    """The type of a field, beets' query for such a value, its name in a stored analysis, and what loads that."""

    kind: types.Type[Any, Any]
    query: type[FieldQuery[Any]]
    name: str
    load: Callable[[Store, set[bytes]], Mapping[bytes, Mapping[str, Any]]] = load_attributes

    def pick(self, analysis: Mapping[str, Any] | None) -> Any:
        """Return the field's part of the stored analysis of a recording."""
        return None if analysis is None else analysis.get(self.name)


FIELDS = {
    "res_bpm": TemplateField(OptionalNumber(1), NumericQuery, "tempo"),
    "res_key": TemplateField(types.STRING, SubstringQuery, "key"),
    "res_energy": TemplateField(OptionalNumber(1), NumericQuery, "energy"),
    "res_brightness": TemplateField(OptionalNumber(0), NumericQuery, "brightness"),
    "res_tags": TemplateField(types.STRING, SubstringQuery, "tags", load_tags),
    "res_speech": TemplateField(OptionalNumber(2), NumericQuery, "speech", load_tags),
    "res_vocals": TemplateField(types.STRING, SubstringQuery, "vocals", load_tags),
}
SIMILARITY = OptionalNumber(4)
# Shares of the similarity to the seeds of `similar:`, for the facets of the models that come with the program.
FACETS = {f"res_{name}": name for name in ("timbre", "harmony", "rhythm", "semantic", "instrumentation")}
SHARE = OptionalNumber(2)


class Fields:
    """The types, queries and values of the fields, in the form that beets takes from a plugin."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        place: Callable[[], Settings],
        log: BeetsLogger,
        warn: Callable[[str], None],
        is_analysing: Callable[[Sidecar], bool],
    ) -> None:
        self.place, self.warn = place, warn
        self.resolver = SimilarResolver(settings, log, is_analysing)
        self.duplicates = DuplicatesResolver(settings, lambda: self.resolver.library)
        self.caches: dict[Callable[..., Any], AnalysisCache[Any]] = {}
        self.tracks = tracks = SimilarityScores()
        albums = SimilarityScores()
        self.item_types = {
            "similarity": SIMILARITY,
            **{name: field.kind for name, field in FIELDS.items()},
            **dict.fromkeys(FACETS, SHARE),
        }
        self.album_types = {"similarity": SIMILARITY}
        self.item_queries = {
            "similar": partial(SimilarQuery, Item, self.resolver.tracks, tracks, log),
            "similarity": partial(SimilarityQuery, Item, tracks, tracks.by_id, log),
            "res_duplicates": partial(DuplicatesQuery, self.duplicates.resolve, log),
            **{name: partial(AttributeQuery, field.query, self.values) for name, field in FIELDS.items()},
            **dict.fromkeys(FACETS, partial(SimilarityQuery, Item, tracks, self.shares, log)),
        }
        self.album_queries = {
            "similar": partial(SimilarQuery, Album, self.resolver.albums, albums, log),
            "similarity": partial(SimilarityQuery, Album, albums, albums.by_id, log),
        }
        self.item_getters: dict[str, Callable[[Item], object]] = {
            "similarity": tracks.score,
            **{name: partial(self.value, name) for name in FIELDS},
            **{name: partial(self.share, name) for name in FACETS},
        }
        self.album_getters: dict[str, Callable[[Album], object]] = {"similarity": albums.score}

    def open(self, lib: Library) -> None:
        """Use this library from now on, as at the start of a run of beets."""
        self.resolver.open(lib)
        self.duplicates.clear()
        self.caches.clear()

    def cache(self, name: str) -> AnalysisCache[Any]:
        """Return the cache of the analysis that a field is a part of."""
        load = FIELDS[name].load
        if (cache := self.caches.get(load)) is None:  # another thread may clear them at any moment
            cache = self.caches[load] = AnalysisCache(load, self.place())
        return cache

    def value(self, name: str, item: Item) -> Any:
        """Return the value of a field of an item; None where it is unknown."""
        return self.read(lambda: FIELDS[name].pick(self.cache(name).get(item)))

    def share(self, name: str, item: Item) -> Any:
        """Return a facet's share in the similarity of an item that `similar:` lists; None for any other."""
        neighbours = self.tracks.list_with(item)
        if not isinstance(neighbours, Neighbours) or item.id is None:
            return None
        return self.read(lambda: neighbours.shares.get(item.id or 0, {}).get(FACETS[name]))

    def read(self, load: Callable[[], Any]) -> Any:
        """Load from the store; None, with one warning, where it cannot be read: path formats read during imports."""
        from resonance_engine.errors import ResonanceError

        try:
            return load()
        except ResonanceError as error:
            self.warn(str(error))
            return None

    def shares(self, name: str) -> dict[int, float]:
        """Return the shares of a facet in the similarity of all items that `similar:` lists, by item id."""
        lists = [scores for scores in self.tracks.current() if isinstance(scores, Neighbours)]
        return {
            item_id: shares[FACETS[name]]
            for neighbours in lists
            for item_id, shares in (self.read(partial(getattr, neighbours, "shares")) or {}).items()
            if FACETS[name] in shares
        }

    def values(self, name: str) -> dict[int, Any]:
        """Return the values of a field of all items, by id; raises UserError where the store is unreadable."""
        from resonance_engine.errors import ResonanceError

        library = self.resolver.library
        if library is None:
            return {}
        try:
            analyses = self.cache(name).get_all(library)
        except ResonanceError as error:
            raise UserError(str(error)) from error
        return {item_id: FIELDS[name].pick(analysis) for item_id, analysis in analyses.items()}
