"""Candidates of a playlist: tracks with what its rules compare, the movements of their works, and the pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from beetsplug.resonance.library.items import movements_of, select_rows
from beetsplug.resonance.search.finder import EXCLUDED, MULTI_LINE, TOO_LONG
from beetsplug.resonance.search.voices import SPOKEN
from resonance_engine.playlist.rules import Track, TrackPool
from resonance_engine.search.names import normalise_artist, normalise_name, track_keys
from resonance_engine.search.ranking import agreement
from resonance_engine.search.selection import favour_bonus
from resonance_engine.search.vector_sets import centroid, representatives

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from beetsplug.resonance.search.finder import Finder, SearchResult
    from resonance_engine.search.selection import CandidateTrack

NO_MATCH = "does not match --from"
ELSEWHERE = "is not in the cluster"
NEGATIVE = "is what --not names"


class PlaylistCandidates:
    """The tracks of a library that a list may hold, by vector id; see `CandidateFilter` for the rejected ones.

    `items` are item ids by vector id. Negative seeds are rejected, too.
    """

    def __init__(self, finder: Finder, needs_attributes: bool) -> None:
        self.session, self.request, self.filter = finder.session, finder.request, finder.filter
        self.items = self.filter.items
        self._negative = frozenset(finder.seeds.negative_ids)
        self._needs_attributes = needs_attributes
        self._loaded: dict[int, CandidateTrack | None] = {}

    def load(self, vector_ids: Iterable[int]) -> dict[int, CandidateTrack]:
        """Return the candidates behind vectors, in this order, without tracks that left the library."""
        ids = list(vector_ids)
        if new := [vector_id for vector_id in ids if vector_id not in self._loaded]:
            self._loaded |= {**dict.fromkeys(new), **self.filter.load(new)}
        return {vector_id: each for vector_id in ids if (each := self._loaded[vector_id]) is not None}

    def allowed(self, vector_ids: Iterable[int]) -> dict[int, CandidateTrack]:
        """Return the candidates behind vectors, in this order, without rejected tracks."""
        candidates = self.load(vector_ids)
        rejections = self.rejections(candidates)
        return {each: candidate for each, candidate in candidates.items() if each not in rejections}

    def rejections(self, candidates: Mapping[int, CandidateTrack]) -> dict[int, str]:
        """Return why candidates are rejected, as the ends of sentences."""
        reasons = {
            vector_id: f"is {why}" if why in (EXCLUDED, MULTI_LINE, TOO_LONG, SPOKEN) else f"does not fit: {why}"
            for vector_id, (_, why, _) in candidates.items()
            if why
        }
        among = self.filter.among
        if among is not None:
            reason = NO_MATCH if self.request.among else ELSEWHERE
            reasons |= {vector_id: reason for vector_id in candidates if self.items[vector_id] not in among}
        return reasons | {vector_id: NEGATIVE for vector_id in candidates if vector_id in self._negative}

    def listable(self, vector_ids: Iterable[int]) -> list[int]:
        """Return the vectors, each once, without those of items whose paths the list cannot hold."""
        return [each for each, candidate in self.load(vector_ids).items() if candidate.rejection != MULTI_LINE]

    def allowed_tracks(self, vector_ids: Iterable[int]) -> list[Track]:
        """Return the tracks behind vectors, in this order, without rejected ones."""
        return self.tracks(self.allowed(vector_ids))

    def tracks(self, vector_ids: Iterable[int]) -> list[Track]:
        """Return the tracks behind vectors, in this order, without those that left the library."""
        candidates = self.load(vector_ids)
        works = movements_of(self.session.sidecar.library, {self.items[vector_id] for vector_id in candidates})
        attributes = self.session.attributes(list(candidates)) if self._needs_attributes else {}
        return [
            Track(
                id=vector_id,
                artist=normalise_artist(track.artist),
                album=normalise_name(track.album),
                work=works[self.items[vector_id]].composition,
                movement=works[self.items[vector_id]].number,
                seconds=track.seconds,
                attributes=attributes.get(vector_id, {}),
            )
            for vector_id, (track, _, _) in candidates.items()
        ]

    def other_movements(self, tracks: Sequence[Track]) -> list[Track]:
        """Return the other movements of the works of tracks, as far as they are on the same albums and allowed."""
        recordings = {(track.work, track.album) for track in tracks if track.work}
        sidecar = self.session.sidecar
        library = sidecar.library
        of_works = {self.items[track.id] for track in tracks if track.work}
        statement = "SELECT album_id FROM items WHERE album_id IS NOT NULL AND id IN"
        albums = {row[0] for row in select_rows(library, statement, of_works)}
        on_albums = {row[0] for row in select_rows(library, "SELECT id FROM items WHERE album_id IN", albums)}
        works = {work for work, _ in recordings}
        parts = {item_id for item_id, part in movements_of(library, on_albums).items() if part.composition in works}
        current = self.session.current(sidecar.rows_by_id(parts))
        vector_ids = sidecar.store.tracks.vector_ids(sidecar.id, current, self.session.model.id)
        others = np.setdiff1d(list(vector_ids.values()), [track.id for track in tracks]).astype(np.int64)
        searchable = others[self.session.index.has(others)].tolist()
        return [track for track in self.allowed_tracks(searchable) if (track.work, track.album) in recordings]

    def most_typical(self, vector_ids: Sequence[int]) -> int:
        """Return the vector nearest to the centroid of the allowed ones, or of all if none is allowed."""
        if len(vector_ids) == 1:
            return vector_ids[0]
        allowed = list(self.allowed(vector_ids)) or list(vector_ids)
        vectors = self.session.index.vectors(allowed)
        return allowed[int(np.argmax(vectors @ centroid(vectors)))]

    def rank_seeds(self, vector_ids: Sequence[int], most: int) -> dict[int, float]:
        """Return the `most` seeds that agree best with all, with that closeness; no two are versions of a song."""
        vectors = self.session.index.vectors(vector_ids)
        stand_ins = vectors[representatives(vectors)].astype(np.float64)
        closeness = agreement(stand_ins @ vectors.T.astype(np.float64))
        agreeing = {vector_ids[place]: float(closeness[place]) for place in np.argsort(-closeness, kind="stable")}
        return {seed: agreeing[seed] for seed in self.without_versions((), self.allowed(agreeing))[:most]}

    def without_versions(self, fixed: Iterable[int], candidates: Mapping[int, CandidateTrack]) -> list[int]:
        """Return the vector ids of candidates that are versions neither of fixed ones nor of one before them."""
        if self.request.versions:
            return list(candidates)
        songs = {key for candidate in self.load(fixed).values() for key in track_keys(candidate.track).songs}
        kept = []
        for vector_id, (track, _, _) in candidates.items():
            keys = track_keys(track)
            if songs.isdisjoint(keys.matches):
                songs.update(keys.songs)
                kept.append(vector_id)
        return kept


def build_pool(
    candidates: PlaylistCandidates,
    result: SearchResult,
    seeds: Mapping[int, float],
    fixed: Sequence[int],
    is_together: bool,
) -> TrackPool:
    """Build the pool that a list is chosen from: `fixed` tracks, seeds with their closeness, and hits, each once.

    Where works stay together, their other movements are added, as close as those of the work in the pool. A preference
    adds to the closeness, as in the search.
    """
    closeness = {hit.id: float(hit.score) for hit in result.hits}
    if fixed:
        others = candidates.load(vector_id for vector_id in closeness if vector_id not in fixed)
        fresh = {*fixed, *candidates.without_versions(fixed, others)}
        closeness = {vector_id: close for vector_id, close in closeness.items() if vector_id in fresh}
    closeness = {**seeds, **closeness}
    least = min(closeness.values(), default=0.0)
    closeness = {**{vector_id: closeness.get(vector_id, least) for vector_id in fixed}, **closeness}
    tracks = candidates.tracks(closeness)
    if is_together and any(track.work for track in tracks):
        by_work: dict[tuple[str, str], list[float]] = {}
        for track in tracks:
            by_work.setdefault((track.work, track.album), []).append(closeness[track.id])
        others_of_works = candidates.other_movements(tracks)
        closeness |= {track.id: float(np.mean(by_work[track.work, track.album])) for track in others_of_works}
        tracks += others_of_works
    ids = [track.id for track in tracks]
    preference = candidates.request.preference
    close = np.array([closeness[vector_id] for vector_id in ids])
    if preference is not None and preference.strength:
        values = [candidate.value for candidate in candidates.load(ids).values()]
        close += favour_bonus(values, preference.strength)
    return TrackPool(tracks, candidates.session.index.vectors(ids), close.astype(np.float32))
