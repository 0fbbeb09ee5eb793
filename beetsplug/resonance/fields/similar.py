"""What `similar:` stands for: the tracks, or albums, that sound most like the matches of a query, with their scores."""

from __future__ import annotations

import shlex
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

NAME = "similar"  # what its sentences begin with


class Neighbours(dict[int, float]):
    """Items by id with their scores, best first, the ids of their seeds, and sentences about what could not be."""

    def __init__(
        self, scores: Mapping[int, float], library: Library, seeds: Sequence[int], notes: Sequence[str] = ()
    ) -> None:
        super().__init__(scores)
        self.library, self.seeds, self.notes = library, seeds, notes

    @cached_property
    def shares(self) -> dict[int, dict[str, float]]:
        """The share of each facet in the scores, by id and facet; raises StoreError."""
        from beetsplug.resonance.library.sidecar import Sidecar
        from beetsplug.resonance.search.facet_shares import mean_facet_shares

        with closing(Sidecar(self.library)) as sidecar:
            return mean_facet_shares(sidecar, self.seeds, self)


class SimilarResolver:
    """The library that this run of beets works on, as `similar:` sees it.

    Seeds that nothing matches, or that are not analysed, are no error: that is said in a line, and nothing is similar
    to them. So one smart playlist that lost its seed leaves the others alone.
    """

    def __init__(self, settings: Callable[[], Settings], log: BeetsLogger) -> None:
        self.settings, self.log = settings, log
        self.library: Library | None = None
        self.said: set[str] = set()

    def open(self, lib: Library) -> None:
        """From now on, ask this library."""
        self.library, self.said = lib, set()

    def tracks(self, wanted: SimilarPattern) -> dict[int, float]:
        """Items by id with their scores, best first; raises UserError where the store or a setting is damaged."""
        return self.asked(nearest_tracks, wanted)

    def albums(self, wanted: SimilarPattern) -> dict[int, float]:
        """Albums by id with their scores, as `tracks`; the queries name albums."""
        return self.asked(closest_albums, wanted)

    def asked(self, nearest: Nearest, wanted: SimilarPattern) -> dict[int, float]:
        from beetsplug.resonance.commands.common import opened
        from resonance_engine.errors import ResonanceError

        settings = self.settings()
        if self.library is None:
            return {}
        try:
            with opened(self.library, settings) as sidecar:
                return self.found(sidecar, nearest, wanted, wanted.length or settings.count)
        except ResonanceError as error:
            raise UserError(str(error)) from error

    def found(self, sidecar: Sidecar, nearest: Nearest, wanted: SimilarPattern, count: int) -> dict[int, float]:
        from beetsplug.resonance.commands.common import NO_TRACKS, remaining

        coverage = sidecar.coverage()
        told = remaining(sidecar, coverage.total, coverage.embedded, coverage.missing)
        model = sidecar.model
        if model is None or not coverage.embedded:
            self.say(f"{NAME}: {told if coverage.total else NO_TRACKS}")
            return {}
        if coverage.missing:
            self.log.info("{}", told)
        from beetsplug.resonance.search.session import open_session

        try:
            with open_session(sidecar, model) as search:
                scores = nearest(search, wanted, count)
        except UserError as error:
            self.say(str(error))
            return {}
        for note in scores.notes if isinstance(scores, Neighbours) else ():
            self.log.info("{}: {}", NAME, note)
        return scores

    def say(self, sentence: str) -> None:
        """Warn once in a run, however often beets asks."""
        if sentence not in self.said:
            self.said.add(sentence)
            self.log.warning("{}", sentence)


def nearest_tracks(search: SearchSession, wanted: SimilarPattern, count: int) -> dict[int, float]:
    """The items that `beet similar -n COUNT` lists for the same seeds and candidates; UserError without any seed."""
    from beetsplug.resonance.search.finder import Finder
    from beetsplug.resonance.search.request import SearchRequest

    request = SearchRequest(query=tuple(wanted.seeds), among=tuple(wanted.candidates), count=count)
    found = Finder(search, request, NAME).find()
    scores = {hit.item.id: min(hit.score, 1.0) for hit in found.hits if hit.item.id is not None}
    seeds = [item.id for item in found.seeds.items if item.id is not None]
    return Neighbours(scores, search.sidecar.library, seeds, found.notes)


def closest_albums(search: SearchSession, wanted: SimilarPattern, count: int) -> dict[int, float]:
    """The `count` albums that sound most like the seeds, all taken as one set of tracks; UserError without any seed."""
    from beetsplug.resonance.search.groups import nearest_albums, tracks_by_album

    library = search.sidecar.library
    seeds = tracks_by_album(library, wanted.seeds)
    if not seeds:
        words = shlex.join(wanted.seeds)
        raise UserError(f"{NAME}: no album matches {words}; try `beet ls -a {words}`")
    return nearest_albums(search, seeds, tracks_by_album(library, wanted.candidates), count)
