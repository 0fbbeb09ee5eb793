"""Resolve `similar:` queries: the tracks or albums nearest to the matches of a query, with their scores."""

from __future__ import annotations

from contextlib import closing
from functools import cached_property
from typing import TYPE_CHECKING

from beets.exceptions import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from beets.library import Library
    from beets.logging import BeetsLogger

    from beetsplug.resonance.config.settings import Settings
    from beetsplug.resonance.fields.queries import SimilarPattern
    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.search.session import SearchSession

    Nearest = Callable[[SearchSession, SimilarPattern, int], dict[int, float]]

NAME = "similar"  # begins messages


class Neighbours(dict[int, float]):
    """Scores by item id, best first, with the item ids of the seeds, and notes of the search."""

    def __init__(
        self, scores: Mapping[int, float], library: Library, seeds: Sequence[int], notes: Sequence[str] = ()
    ) -> None:
        super().__init__(scores)
        self.library, self.seeds, self.notes = library, seeds, notes

    @cached_property
    def shares(self) -> dict[int, dict[str, float]]:
        """The share of each facet in the scores, by id and facet; raises StoreError."""
        from beetsplug.resonance.library.sidecar import Sidecar
        from beetsplug.resonance.search.explanations import mean_facet_shares

        with closing(Sidecar(self.library)) as sidecar:
            return mean_facet_shares(sidecar, self.seeds, self)


class SimilarResolver:
    """Resolves `similar:` in the library of this run of beets; its indexes are opened once for a state of the store.

    Seeds without a match, or that are not analysed, are no error: a line warns, and nothing is similar to them. So one
    smart playlist that lost its seed leaves the others alone.
    """

    def __init__(self, settings: Callable[[], Settings], log: BeetsLogger) -> None:
        self.settings, self.log = settings, log
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
        from beetsplug.resonance.library.item_query import NO_TRACKS
        from beetsplug.resonance.library.sidecar import describe_coverage
        from beetsplug.resonance.search.session import open_session

        coverage = sidecar.coverage()
        missing = describe_coverage(sidecar, coverage)
        if not coverage.embedded:
            self._warn(f"{NAME}: {missing if coverage.total else NO_TRACKS}")
            return {}
        if coverage.missing:
            self.log.info("{}", missing)
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
    scores = {hit.item.id: min(hit.score, 1.0) for hit in result.hits if hit.item.id is not None}
    seeds = [item.id for item in result.seeds.items if item.id is not None]
    return Neighbours(scores, session.sidecar.library, seeds, result.notes)


def nearest_album_scores(session: SearchSession, pattern: SimilarPattern, count: int) -> dict[int, float]:
    """Return the `count` albums nearest to the seeds, all taken as one set of tracks; UserError without any seed."""
    from beetsplug.resonance.search.groups import nearest_albums, require_matches, tracks_by_album

    library = session.sidecar.library
    seeds = tracks_by_album(library, pattern.seeds)
    require_matches(seeds, "album", pattern.seeds, NAME)
    return nearest_albums(session, seeds, tracks_by_album(library, pattern.candidates), count)
