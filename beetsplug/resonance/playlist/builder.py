"""Build a playlist: a list that flows from its seeds, an arc over an attribute, or a path."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from beets.exceptions import UserError
from beets.util.units import human_seconds_short

from beetsplug.resonance.config.options import LARGEST_COUNT
from beetsplug.resonance.library.field_names import describe_misspelt_fields
from beetsplug.resonance.library.items import last_played, multi_line_ids, select_items
from beetsplug.resonance.playlist.candidates import PlaylistCandidates, build_pool
from beetsplug.resonance.playlist.incompatible import IncompatibleTracks
from beetsplug.resonance.search.finder import MULTI_LINE, Finder
from beetsplug.resonance.search.library_map import items_of_cluster
from beetsplug.resonance.search.request import SearchRequest
from beetsplug.resonance.search.session import resolve_query
from resonance_engine.errors import format_count
from resonance_engine.playlist.arc import order_by_arc
from resonance_engine.playlist.order import order_tracks
from resonance_engine.playlist.path import find_path
from resonance_engine.playlist.rules import (
    USUAL_SECONDS,
    Length,
    OrderedTracks,
    TrackPool,
    durations,
)
from resonance_engine.search.constraints import Caps
from resonance_engine.search.selection import relax_caps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from beets.library import Item

    from beetsplug.resonance.playlist.request import PlaylistRequest
    from beetsplug.resonance.search.finder import SearchResult
    from beetsplug.resonance.search.session import SearchSession
    from resonance_engine.playlist.rules import SequenceRules, Track

COMMAND = "playlist"
POOL = 4  # candidates per track of the list
LEAST_POOL = 40
GROWTH = 4
STRICT = 16  # candidates per track of the list from which on default caps give way
KEPT = 10.0  # added to the closeness of kept tracks where an arc makes the order
GAVE_WAY = "There are more tracks of an artist or album than the configuration wants: there were no others."
UNLISTABLE = "{} left out: no line of a list can hold the line break in the path."
TURNED_DOWN = "Candidates were turned down: {}."


@dataclass(frozen=True)
class BuiltPlaylist:
    """Items in playing order, and notes on unfulfilled options."""

    items: list[Item]
    notes: tuple[str, ...] = ()


class PlaylistBuilder:
    """Builds the playlist of a request; for `files` and `left_out` see `CandidateFilter`.

    One `in_lines` has a path a line, and no item whose path has several. `command` begins errors.
    """

    command: ClassVar[str] = COMMAND

    def __init__(
        self,
        session: SearchSession,
        request: PlaylistRequest,
        files: Mapping[int, int] | None = None,
        in_lines: bool = False,
        left_out: Mapping[int, str] | None = None,
    ) -> None:
        self.session = session
        self.request = request
        search_request = request.search
        if request.recent is not None:
            query = last_played(session.sidecar.library, request.search.query, request.recent, self.command)
            search_request = SearchRequest(**{**search_request.options, "query": query})
        settings = session.sidecar.settings
        self.rules = request.rules(settings.caps, settings.spacing)  # without the incompatible tracks
        self.incompatible = IncompatibleTracks(session)
        self.unlistable = multi_line_ids(session.sidecar.library) if in_lines else set()
        inside = items_of_cluster(session, request.cluster, self.command) if request.cluster is not None else None
        reasons = {**(left_out or {}), **dict.fromkeys(self.unlistable, MULTI_LINE)}
        self.finder = Finder(session, search_request, self.command, files=files, left_out=reasons, inside=inside)
        self.seeds = self.finder.seeds
        self.candidates = PlaylistCandidates(self.finder, needs_attributes=request.arc is not None)
        length = request.length
        self._expected_count = length.count if length.seconds is None else max(round(length.seconds / USUAL_SECONDS), 1)

    def build(self, kept: Sequence[int] = ()) -> BuiltPlaylist:
        """Build the playlist; `kept` are vector ids of its previous version that still hold, in their order.

        They stay as they are where nothing is missing.
        """
        if self.request.waypoints:
            listing = self._build_path(kept)
        elif not self._is_short(tracks := self.candidates.tracks(kept) if kept else []):
            listing = OrderedTracks(tuple(tracks))
        else:
            listing = self._build_sequence(kept)
        item_ids = [self.candidates.items[track.id] for track in listing.tracks]
        items = {item.id: item for item in select_items(self.session.sidecar.library, set(item_ids))}
        fields = describe_misspelt_fields(self.session.sidecar.library, self.request.waypoints)
        listed = [items[item_id] for item_id in item_ids if item_id in items]
        every = [*self.finder.request_notes, fields, *listing.notes, *self._describe_unlistable()]
        notes = dict.fromkeys(filter(None, [*every, self._describe_excess(listed)]))
        return BuiltPlaylist(listed, tuple(notes))

    def _describe_unlistable(self) -> list[str]:
        """Return a sentence about the candidates whose paths have line breaks, if there are any."""
        met = len(self.unlistable & {*self.candidates.items.values()})
        count = max(met, self.finder.filter.rejected[MULTI_LINE])
        return [UNLISTABLE.format(format_count(count))] if count else []

    def _describe_excess(self, items: Sequence[Item]) -> str:
        """Return a sentence where the tracks that a list must have take longer than it should; empty otherwise."""
        wanted, least = self.request.length.seconds, len(self.request.waypoints) + 1
        total = sum(item.length or 0.0 for item in items)
        if wanted is None or len(items) > least or total <= wanted:
            return ""
        which = "the tracks that its path leads through take" if least > 1 else "its first track alone takes"
        return f"The list is longer than {wanted / 60:g} min: {which} {human_seconds_short(total)}."

    def _is_short(self, tracks: Sequence[Track]) -> bool:
        """Whether a list is shorter than requested."""
        length = self.request.length
        if length.seconds is None:
            return len(tracks) < length.count
        seconds = durations(tracks)
        return not seconds or length.seconds - sum(seconds) >= float(np.median(seconds)) / 2

    def _build_sequence(self, kept: Sequence[int]) -> OrderedTracks:
        """Build a list that starts at the seeds and stays close to them, along an arc if one is requested.

        It opens with the kept tracks or the most typical of the seeds; those that were played lately may not be in it.
        The pool is some times as large as the list. While the rules leave the list short, it grows; then the default
        caps are relaxed.
        """
        listable = [] if self.request.recent is not None else self.candidates.listable(self.seeds.ids)
        opening = kept or ([self.candidates.most_typical(listable)] if listable else [])
        size = min(max(POOL * self._expected_count, LEAST_POOL), LARGEST_COUNT)
        while True:
            result = self.finder.find(size, Caps())
            seeds = self.candidates.rank_seeds(listable, size) if listable else {}
            pool = self.make_pool(result, seeds, opening)
            is_exhausted = max(len(result.hits), len(seeds)) < size or size == LARGEST_COUNT
            seconds = self.request.length.seconds
            is_enough = seconds is None or sum(durations(pool.tracks)) >= POOL * seconds
            if is_enough or is_exhausted:
                rules = self.incompatible.restrict(self.rules, [track.id for track in pool.tracks])
                order = partial(self._order, pool, opening, kept)
                listing = order(rules)
                may_relax = is_exhausted or size >= STRICT * self._expected_count
                is_short = self._is_short(listing.tracks)
                if may_relax and is_short and len(listing.tracks) < len(pool.tracks):
                    listing = self._relax_caps(listing, rules, order, len(pool.tracks))
                    is_short = self._is_short(listing.tracks)
                if is_exhausted or not is_short:
                    notes = [note for note in result.notes if note != result.shortage]
                    notes += [TURNED_DOWN.format(result.rejected)] if is_short and result.rejected else []
                    return replace(listing, notes=(*notes, *listing.notes))
            size = min(GROWTH * size, LARGEST_COUNT)

    def make_pool(self, result: SearchResult, seeds: Mapping[int, float], opening: Sequence[int]) -> TrackPool:
        """Return what the list is chosen from: hits of the search, seeds with their closeness, and its opening."""
        return build_pool(self.candidates, result, seeds, opening, self.rules.works == "together")

    def _order(
        self, pool: TrackPool, opening: Sequence[int], kept: Sequence[int], rules: SequenceRules
    ) -> OrderedTracks:
        """Order tracks of the pool."""
        ids = [track.id for track in pool.tracks]
        positions = {vector_id: position for position, vector_id in enumerate(ids)}
        length, seed, arc = self.request.length, self.request.seed, self.request.arc
        if arc is None:
            first = [positions[vector_id] for vector_id in opening if vector_id in positions]
            return order_tracks(pool, length, rules, first, seed)
        closeness = pool.closeness + KEPT * np.isin(ids, list(kept))
        return order_by_arc(TrackPool(pool.tracks, pool.vectors, closeness), arc, length, rules, seed)

    def _relax_caps(
        self, listing: OrderedTracks, rules: SequenceRules, build: Callable[[SequenceRules], OrderedTracks], most: int
    ) -> OrderedTracks:
        """Build a short list again with the default caps raised as far as is needed; it has `most` tracks at most."""
        longest = listing
        for caps in relax_caps(rules.caps, self._expected_count):
            longest = build(replace(rules, caps=caps))
            if len(longest.tracks) == most or not self._is_short(longest.tracks):
                break
        if len(longest.tracks) <= len(listing.tracks):
            return listing
        return replace(longest, notes=(*longest.notes, GAVE_WAY))

    def _build_path(self, kept: Sequence[int]) -> OrderedTracks:
        """Build a path from the seeds' most typical track through the waypoints, and the kept tracks if possible."""
        corners = self._resolve_corners([self.finder.request.query, *self.request.waypoints], kept)
        stays = passes_through(kept, corners)
        waypoints = self.candidates.tracks(kept if stays else corners)
        if stays and not self._is_short(waypoints):
            return OrderedTracks(tuple(waypoints))
        length = self.request.length
        if length.seconds is None:
            length = Length(max(length.count, len(waypoints) if stays else 1))
        index = self.session.index
        rules = self.incompatible.restrict(self.rules, index.ids.tolist())
        known, allowed = self.finder.filter, self.finder.filter.allowed
        if allowed is not None:  # a track that is known to be too long would only take the place of another
            allowed = allowed - {each for each, item_id in known.items.items() if item_id in known.excluded}
        exclude = set() if self.request.recent is None else set(self.seeds.ids)

        def build(rules: SequenceRules) -> OrderedTracks:
            seed = self.request.seed
            return find_path(index, waypoints, self.candidates.allowed_tracks, length, rules, allowed, exclude, seed)

        listing = build(rules)
        return self._relax_caps(listing, rules, build, len(index)) if self._is_short(listing.tracks) else listing

    def _resolve_corners(self, queries: Sequence[Sequence[str]], kept: Sequence[int]) -> list[int]:
        """Resolve queries to one vector id each: of several matches one that is kept, else the most typical.

        The first corner is the first of those kept, the last one the last of them, others come in order. Raises
        UserError for a query that names only tracks that are never in one list with another corner.
        """
        corners: list[int] = []
        matches = [self.candidates.listable(resolve_query(self.session, query, COMMAND)[1]) for query in queries]
        for query in (query for query, ids in zip(queries, matches, strict=True) if not ids):
            raise UserError(
                f"{COMMAND}: the path of the track that {shlex.join(query)} names has a line break, which no line of a "
                "list can hold; the path cannot lead through it"
            )
        compatible = self.incompatible.compatible(matches, self.rules)
        for number, query in enumerate(queries):
            is_last = number == len(queries) - 1
            ids = compatible(number, corners)
            if not ids:
                raise UserError(
                    f"{COMMAND}: {shlex.join(query)} is never to be in one list with another track that the path leads "
                    "through; `beet resonance apart` shows the rules"
                )
            stay = [vector_id for vector_id in kept if vector_id in ids and vector_id not in corners]
            corner = stay[-1 if is_last else 0] if stay else self.candidates.most_typical(ids)
            if corner in corners:
                raise UserError(
                    f"{COMMAND}: a path has no repeats; {shlex.join(query)} names a track that is in it already"
                )
            corners.append(corner)
        return corners


def passes_through(ids: Sequence[int], corners: Sequence[int]) -> bool:
    """Whether a list begins and ends as a path does, and passes its other corners in order."""
    if not ids or ids[0] != corners[0] or ids[-1] != corners[-1] or not {*corners} <= {*ids}:
        return False
    places = [list(ids).index(corner) for corner in corners]
    return places == sorted(places)
