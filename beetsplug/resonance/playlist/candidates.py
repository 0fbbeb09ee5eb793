"""What a playlist can be made of: the tracks behind vectors as its rules see them, and the movements of their works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from beetsplug.resonance.library.metadata import movements, selected
from beetsplug.resonance.search.filters import EXCLUDED, TOO_LONG, CandidateFilter
from beetsplug.resonance.search.seeds import negative_vector_ids
from resonance_engine.playlist.track import Track, TrackPool
from resonance_engine.search.agreement import agreement, representatives
from resonance_engine.search.feedback import centroid
from resonance_engine.search.selection import favoured
from resonance_engine.search.versions import Versions, artist_name, named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from beetsplug.resonance.search.finder import Finder, SearchResult
    from beetsplug.resonance.search.request import SearchRequest
    from beetsplug.resonance.search.seeds import Seeds
    from resonance_engine.search.versions import TrackMetadata

NO_MATCH = "does not match --from"
NEGATIVE = "is what --not names"


class PlaylistCandidates:
    """The tracks of a library that may be in a list, by vector id; see `CandidateFilter` for what keeps some out.

    `items` are the ids of the items that stand for vectors. Of several files with one sound, `files` names the one that
    is meant. Negative seeds never come up.
    """

    def __init__(
        self, finder: Finder, wish: SearchRequest, start: Seeds, files: Mapping[int, int] | None = None
    ) -> None:
        self.search, self.wish = finder.search, wish
        self._away = frozenset(negative_vector_ids(finder.search, wish, finder.command))
        heard = start.profiles(finder.search) if wish.bpm or wish.key else []
        self.sieve = CandidateFilter(finder, wish, [each.attributes for each in heard])
        self.items = self.sieve.items
        self._files = files or {}

    def described(self, vector_ids: Iterable[int]) -> dict[int, TrackMetadata]:
        """What is tagged of the tracks behind vectors, in this order, without those that are gone."""
        ids = list(dict.fromkeys(vector_ids))
        found = self.sieve.described(ids)
        self.items.update({each: self._files[each] for each in ids if each in self._files})
        return {each: found[each] for each in ids if each in found}

    def admitted(self, vector_ids: Iterable[int]) -> dict[int, TrackMetadata]:
        """What is tagged of the tracks behind vectors, in this order, without those that may not come up."""
        described = self.described(vector_ids)
        refused = self.refusals(list(described))
        return {each: track for each, track in described.items() if each not in refused}

    def tracks(self, vector_ids: Iterable[int]) -> list[Track]:
        """The tracks behind vectors, in this order, without those that may not come up."""
        return self.told(self.admitted(vector_ids))

    def named(self, vector_ids: Iterable[int]) -> list[Track]:
        """The tracks behind vectors that were named or found, in this order: they may come up."""
        return self.told(self.described(vector_ids))

    def refusals(self, vector_ids: Sequence[int]) -> dict[int, str]:
        """Of vectors that were `described`, those that may not come up, with the ends of sentences that say why."""
        found = {
            each: f"is {why}" if why in (EXCLUDED, TOO_LONG) else f"does not fit: {why}"
            for each, why in self.sieve.refused(vector_ids).items()
        }
        if self.sieve.among is not None:
            found |= {each: NO_MATCH for each in vector_ids if self.items[each] not in self.sieve.among}
        found |= {each: NEGATIVE for each in vector_ids if each in self._away}
        return found

    def told(self, described: Mapping[int, TrackMetadata]) -> list[Track]:
        """The tracks of these descriptions, with what was measured of them and the works that they belong to."""
        works = movements(self.search.sidecar.library, {self.items[each] for each in described})
        attributes = self.search.attributes(list(described))
        return [
            Track(
                id=each,
                artist=artist_name(track.artist),
                album=named(track.album),
                work=works[self.items[each]].composition,
                movement=works[self.items[each]].number,
                seconds=track.seconds,
                attributes=attributes.get(each, {}),
            )
            for each, track in described.items()
        ]

    def companions(self, tracks: Sequence[Track]) -> list[Track]:
        """The other movements of the works of tracks, as far as they are on the same albums and may come up."""
        there = {(track.work, track.album) for track in tracks if track.work}
        sidecar = self.search.sidecar
        library = sidecar.library
        of_works = {self.items[track.id] for track in tracks if track.work}
        statement = "SELECT album_id FROM items WHERE album_id IS NOT NULL AND id IN"
        albums = {row[0] for row in selected(library, statement, of_works)}
        beside = {row[0] for row in selected(library, "SELECT id FROM items WHERE album_id IN", albums)}
        works = {work for work, _ in there}
        parts = {each for each, movement in movements(library, beside).items() if movement.composition in works}
        current = self.search.current(sidecar.some_rows(parts))
        found = sidecar.reader.vector_ids(sidecar.id, current, self.search.model.id)
        ids = np.setdiff1d(list(found.values()), [track.id for track in tracks]).astype(np.int64)
        searchable = ids[self.search.index.has(ids)].tolist()
        return [track for track in self.tracks(searchable) if (track.work, track.album) in there]

    def typical(self, vector_ids: Sequence[int]) -> int:
        """The most typical of what a query names: of those that may come up, if there are any."""
        admitted = list(self.admitted(vector_ids)) or list(vector_ids)
        vectors = self.search.index.vectors(admitted)
        return admitted[int(np.argmax(vectors @ centroid(vectors)))]

    def seeds(self, vector_ids: Sequence[int], most: int) -> dict[int, float]:
        """How close the `most` seeds that agree best with all are to them; no two of those are versions of one song."""
        vectors = self.search.index.vectors(vector_ids)
        stand_ins = vectors[representatives(vectors)].astype(np.float64)
        closeness = agreement(stand_ins @ vectors.T.astype(np.float64))
        agreeing = {vector_ids[place]: float(closeness[place]) for place in np.argsort(-closeness, kind="stable")}
        return {each: agreeing[each] for each in self.unlike((), self.admitted(agreeing))[:most]}

    def unlike(self, fixed: Iterable[int], described: Mapping[int, TrackMetadata]) -> list[int]:
        """Those of the described tracks that are versions neither of fixed ones nor of one that comes before them."""
        if self.wish.versions:
            return list(described)
        heard, kept = Versions(), []
        for track in self.described(fixed).values():
            heard.add(track)
        for each, track in described.items():
            if track not in heard:
                heard.add(track)
                kept.append(each)
        return kept


def pool_of(
    repertoire: PlaylistCandidates,
    found: SearchResult,
    seeds: Mapping[int, float],
    fixed: Sequence[int],
    together: bool,
) -> TrackPool:
    """What a list is chosen from: `fixed` tracks, seeds with their closeness, and what was found, each once.

    Where works stay `together`, their other movements are added, as close as those of the work that are there. What the
    wish favours is closer, as in the search.
    """
    closeness = {hit.id: float(hit.score) for hit in found.hits}
    if fixed:
        others = repertoire.described(each for each in closeness if each not in fixed)
        fresh = {*fixed, *repertoire.unlike(fixed, others)}
        closeness = {each: close for each, close in closeness.items() if each in fresh}
    closeness = {**seeds, **closeness}
    least = min(closeness.values(), default=0.0)
    closeness = {**{each: closeness.get(each, least) for each in fixed}, **closeness}
    tracks = repertoire.named(closeness)
    if together:
        by_work: dict[tuple[str, str], list[float]] = {}
        for track in tracks:
            by_work.setdefault((track.work, track.album), []).append(closeness[track.id])
        movements = repertoire.companions(tracks)
        closeness |= {each.id: float(np.mean(by_work[each.work, each.album])) for each in movements}
        tracks += movements
    ids = [track.id for track in tracks]
    strength = repertoire.wish.preference()[1]
    values = repertoire.sieve.values(ids) if strength else {}
    close = np.array([closeness[each] for each in ids]) + favoured(ids, values, strength)
    return TrackPool(tracks, repertoire.search.index.vectors(ids), close.astype(np.float32))
