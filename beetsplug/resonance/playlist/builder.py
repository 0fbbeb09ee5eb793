"""From a programme to the playlist: a list that flows from its seeds, an arc over an attribute, or a path."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
from beets.exceptions import UserError

from beetsplug.resonance.library.play_history import last_played
from beetsplug.resonance.playlist.candidates import PlaylistCandidates, pool_of
from beetsplug.resonance.playlist.incompatible_pairs import incompatible_pairs
from beetsplug.resonance.search.finder import Finder, short
from beetsplug.resonance.search.request import LARGEST_COUNT
from beetsplug.resonance.search.seeds import resolve_seeds
from beetsplug.resonance.search.session import seeds_of
from resonance_engine.playlist.arc import arched
from resonance_engine.playlist.length import Length
from resonance_engine.playlist.order import ordered
from resonance_engine.playlist.path import path
from resonance_engine.playlist.track import USUAL_SECONDS, OrderedTracks, TrackPool, durations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from beets.library import Item

    from beetsplug.resonance.playlist.request import PlaylistRequest
    from beetsplug.resonance.search.finder import SearchResult
    from beetsplug.resonance.search.request import SearchRequest
    from beetsplug.resonance.search.seeds import Seeds
    from beetsplug.resonance.search.session import SearchSession
    from resonance_engine.playlist.rules import SequenceRules
    from resonance_engine.playlist.track import Track

COMMAND = "playlist"
POOL = 4  # candidates per wanted track that a list is made from
LEAST_POOL = 40
GROWTH = 4
STRICT = 16  # candidates per wanted track from which on caps that nobody asked for give way
KEPT = 10.0  # by how much what is kept is closer than all else, where an arc makes the order
GAVE_WAY = "There are more tracks of an artist or album than the configuration wants: there were no others."
TURNED_DOWN = "Candidates were turned down: {}."


@dataclass(frozen=True)
class BuiltPlaylist:
    """A playlist, in playing order, and sentences about what could not be as asked."""

    items: list[Item]
    notes: tuple[str, ...] = ()


class PlaylistBuilder:
    """Makes the playlist of a request; `files` are the items meant by vectors, see `PlaylistCandidates`."""

    def __init__(
        self, search: SearchSession, programme: PlaylistRequest, files: Mapping[int, int] | None = None
    ) -> None:
        self.search = search
        self.programme = programme
        self.wish = programme.wish
        if programme.recent is not None:
            seeds = last_played(search.sidecar.library, self.wish.query, programme.recent, COMMAND)
            self.wish = replace(self.wish, query=seeds)
        self.finder = Finder(search, COMMAND)
        self.start: Seeds = resolve_seeds(search, self.wish, COMMAND)
        self.repertoire = PlaylistCandidates(self.finder, self.wish, self.start, files)

    def composed(self, kept: Sequence[int] = ()) -> BuiltPlaylist:
        """The playlist; vector ids in `kept` were in it before, in this order, and still hold.

        What is kept stays as it is where nothing is missing.
        """
        listing = self.path(kept) if self.programme.to is not None else self.whole(kept) or self.listed(kept)
        item_ids = [self.repertoire.items[track.id] for track in listing.tracks]
        items = {item.id: item for item in self.search.items(set(item_ids))}
        return BuiltPlaylist([items[each] for each in item_ids if each in items], listing.notes)

    def rules(self) -> SequenceRules:
        """The rules of the list, without the pairs that never are in one."""
        settings = self.search.sidecar.settings
        return self.programme.rules(settings.per_artist, settings.per_album, settings.spacing)

    def missing(self, tracks: Sequence[Track]) -> bool:
        """Whether a list is too short."""
        length = self.programme.length()
        if length.seconds is None:
            return len(tracks) < length.count
        seconds = durations(tracks)
        return not seconds or length.seconds - sum(seconds) >= float(np.median(seconds)) / 2

    def whole(self, kept: Sequence[int]) -> OrderedTracks | None:
        """What is kept, where it is a list of the length already."""
        tracks = self.repertoire.named(kept)
        return None if self.missing(tracks) else OrderedTracks(tuple(tracks))

    def listed(self, kept: Sequence[int]) -> OrderedTracks:
        """A list that starts at the seeds and stays close to them, or an arc that does.

        The list is made from some times as many candidates as it has tracks. While it is short for the rules, there are
        more and more of these; then the caps of the configuration are raised.
        """
        size = min(max(POOL * self.tracks_wanted(), LEAST_POOL), LARGEST_COUNT)
        while True:
            wish = replace(self.wish, count=size, per_artist=0, per_album=0)
            found = self.finder.find(wish, self.start)
            seeds = self.repertoire.seeds(self.seeds, size) if self.seeds else {}
            pool = pool_of(self.repertoire, found, seeds, kept or self.opening, self.rules().works == "together")
            exhausted = max(len(found.hits), len(seeds)) < size or size == LARGEST_COUNT
            enough = sum(durations(pool.tracks)) >= POOL * (self.programme.length().seconds or 0)
            if enough or exhausted:
                made = partial(self.ordered, pool, kept)
                listing = made(self.rules())
                if self.missing(listing.tracks) and (exhausted or size >= STRICT * self.tracks_wanted()):
                    listing = self.relaxed(listing, made)
                if exhausted or not self.missing(listing.tracks):
                    return replace(listing, notes=(*self.asides(found, wish, listing), *listing.notes))
            size = min(GROWTH * size, LARGEST_COUNT)

    def asides(self, found: SearchResult, wish: SearchRequest, listing: OrderedTracks) -> list[str]:
        """What the search said of the seeds and, where the list is short, of what it turned down."""
        of_the_pool = short(len(found.hits), wish, found.turned_down)
        said = [note for note in found.notes if note not in of_the_pool]
        if self.missing(listing.tracks) and found.turned_down:
            said.append(TURNED_DOWN.format(found.turned_down))
        return said

    def tracks_wanted(self) -> int:
        """About how many tracks the list will have."""
        length = self.programme.length()
        return length.count if length.seconds is None else max(round(length.seconds / USUAL_SECONDS), 1)

    @cached_property
    def seeds(self) -> list[int]:
        """The seeds that may be in the list: all but those that were just played."""
        return [] if self.programme.recent is not None else list(dict.fromkeys(self.start.ids))

    @cached_property
    def opening(self) -> list[int]:
        """What the list opens with: the most typical of the seeds."""
        return [self.repertoire.typical(self.seeds)] if self.seeds else []

    def ordered(self, pool: TrackPool, kept: Sequence[int], rules: SequenceRules) -> OrderedTracks:
        """A list of tracks of the pool."""
        ids = [track.id for track in pool.tracks]
        rules = replace(rules, apart=incompatible_pairs(self.search.sidecar, ids))
        places = {each: place for place, each in enumerate(ids)}
        length, seed, arc = self.programme.length(), self.programme.seed, self.programme.course()
        if arc is None:
            first = [places[each] for each in kept or self.opening if each in places]
            return ordered(pool, length, rules, first, seed)
        there = np.isin(ids, list(kept))
        return arched(TrackPool(pool.tracks, pool.vectors, pool.closeness + KEPT * there), arc, length, rules, seed)

    def relaxed(self, listing: OrderedTracks, made: Callable[[SequenceRules], OrderedTracks]) -> OrderedTracks:
        """A list that is short made again with the caps that nobody asked for raised as far as is needed."""
        found = listing
        for rules in self.raised(self.rules()):
            found = made(rules)
            if not self.missing(found.tracks):
                break
        if len(found.tracks) <= len(listing.tracks):
            return listing
        return replace(found, notes=(*found.notes, GAVE_WAY))

    def raised(self, rules: SequenceRules) -> Iterator[SequenceRules]:
        """The same rules with those caps doubled again and again that nobody asked for, at last without them."""
        artist = rules.per_artist if self.wish.per_artist is None else None
        album = rules.per_album if self.wish.per_album is None else None
        factor = 2
        while (artist or album) and factor < 2 * self.tracks_wanted():
            yield replace(
                rules,
                per_artist=artist * factor if artist else rules.per_artist,
                per_album=album * factor if album else rules.per_album,
            )
            factor *= 2
        if artist or album:
            yield replace(
                rules,
                per_artist=None if artist else rules.per_artist,
                per_album=None if album else rules.per_album,
            )

    def path(self, kept: Sequence[int]) -> OrderedTracks:
        """A path from the seeds' typical track to the last one, through the others; through what is kept, if it can."""
        corners = self.corners([[*self.wish.query], *self.programme.corners()], kept)
        stay = self.leads_through(kept, corners)
        if stay and (whole := self.whole(kept)):
            return whole
        waypoints = self.repertoire.named(kept if stay else corners)
        length = self.programme.length()
        if length.seconds is None:
            length = Length(max(length.count, len(waypoints) if stay else 1))
        index = self.search.index
        apart = incompatible_pairs(self.search.sidecar, index.ids.tolist())
        allowed = self.repertoire.sieve.allowed()
        away = set() if self.programme.recent is None else set(self.start.ids)

        def made(rules: SequenceRules) -> OrderedTracks:
            rules = replace(rules, apart=apart)
            seed = self.programme.seed
            return path(index, waypoints, self.repertoire.tracks, length, rules, allowed, away, seed)

        listing = made(self.rules())
        return self.relaxed(listing, made) if self.missing(listing.tracks) else listing

    def corners(self, queries: Sequence[Sequence[str]], kept: Sequence[int]) -> list[int]:
        """The tracks that queries name: of several matches one that is kept, else the most typical.

        The first corner is the first of those kept, the last one the last of them, others come in order.
        """
        found: list[int] = []
        for number, query in enumerate(queries):
            ids = seeds_of(self.search, list(query), COMMAND)[1]
            last = number == len(queries) - 1
            stay = [each for each in kept if each in ids and each not in found]
            found.append(stay[-1 if last else 0] if stay else self.repertoire.typical(list(dict.fromkeys(ids))))
            if found[-1] in found[:-1]:
                raise UserError(
                    f"{COMMAND}: a path has no repeats; {shlex.join(query)} names a track that is in it already"
                )
        return found

    @staticmethod
    def leads_through(kept: Sequence[int], corners: Sequence[int]) -> bool:
        """Whether what is kept begins and ends as the path does, and passes its other corners in order."""
        if not kept or kept[0] != corners[0] or kept[-1] != corners[-1] or not {*corners} <= {*kept}:
            return False
        places = [list(kept).index(each) for each in corners]
        return places == sorted(places)
