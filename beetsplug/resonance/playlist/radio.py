"""A radio: a list without end, chosen a few tracks at a time, that learns from what is skipped or played to its end.

Each choice is a playlist of its own that opens with the tracks before it, so that its rules hold over these, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from beetsplug.resonance.playlist.builder import PlaylistBuilder
from beetsplug.resonance.playlist.candidates import build_pool
from beetsplug.resonance.playlist.request import PlaylistRequest
from beetsplug.resonance.search.exploration import alternatives
from resonance_engine.playlist.rules import Clashes, TrackPool
from resonance_engine.search.vector_sets import centroid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from beets.library import Item

    from beetsplug.resonance.search.finder import SearchResult
    from beetsplug.resonance.search.session import SearchSession

FINISHED_WEIGHT = 0.25  # of closeness to the tracks that were played to their end, against closeness to the seeds
FINISHED_SHARE = 0.9  # of a track that is played until it counts as finished
SKIP_SECONDS = 30.0  # until which, and before its half, a track is skipped early
LEAST_SECONDS = 1.0  # below which nobody can have judged it; a file that cannot be played ends as soon
UNPLAYABLE = "not known to the player"


class RadioSession:
    """What a radio has played and learned, as item ids, and the seeds that it goes by.

    `options` are those of a playlist's request; its `query` is the first seed, until the user puts on a track. `played`
    is in order, the last one is playing; `queued` are the tracks that the radio chose, `finished` those of them that
    were played to their end since the seed changed, `skipped` those that were skipped early. `unplayable` are items
    that the player does not know.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = dict(options)
        self.query: tuple[str, ...] = tuple(self.options.pop("query", ()))
        self.seeds: set[int] = set()
        self.played: dict[int, None] = {}
        self.queued: set[int] = set()
        self.finished: dict[int, None] = {}
        self.skipped: dict[int, None] = {}
        self.unplayable: set[int] = set()

    @property
    def has_seed(self) -> bool:
        return bool(self.query or self.options.get("text"))

    def begin(self, item_id: int) -> None:
        """Note that a track plays now; one that the radio did not choose is the seed from now on."""
        self.played.pop(item_id, None)
        self.played[item_id] = None
        if item_id not in self.queued and self.query != (f"id:{item_id}",):
            self.query, self.seeds, self.finished = (f"id:{item_id}",), {item_id}, {}
            self.skipped.pop(item_id, None)

    def end(self, item_id: int, seconds: float, duration: float, following: int | None) -> bool:
        """Note how many seconds of a track were played before another one `following`; whether it was skipped early.

        Only what the radio chose counts, and no seed. To go back to a track that was played before skips nothing.
        """
        if item_id not in self.queued or item_id in self.seeds or duration <= 0:
            return False
        if seconds >= FINISHED_SHARE * duration:
            self.finished[item_id] = None
            return False
        is_early = LEAST_SECONDS <= seconds < min(SKIP_SECONDS, duration / 2)
        if not is_early or following is None or following in self.played:
            return False
        self.skipped[item_id] = None
        self.finished.pop(item_id, None)
        return True

    def choose(self, session: SearchSession, ahead: Sequence[int], count: int) -> list[Item]:
        """Choose `count` tracks to play after those `ahead`, fewer where there are no others; raises UserError."""
        vectors = session.searchable_vectors({*self.played, *ahead, *self.finished, *self.skipped})
        before = list(dict.fromkeys(vectors[each] for each in (*self.played, *ahead) if each in vectors))
        most = session.sidecar.settings.count
        kept = before[-most:]
        skipped = [each for each in self.skipped if each in vectors]
        request = PlaylistRequest(
            **{
                **self.options,
                "query": self.query,
                "avoid": alternatives(self.options.get("avoid", ()), skipped),
                "count": len(kept) + count,
                "works": "avoid",  # one at a time, the movements of a whole work would never fit
            }
        )
        builder = RadioBuilder(
            session,
            request,
            before=before[: len(before) - len(kept)],
            finished=[vectors[each] for each in self.finished if each in vectors],
            unplayable=self.unplayable,
        )
        self.seeds = {item.id for item in builder.seeds.items if item.id is not None}
        listed = builder.build(kept).items
        opening = {builder.candidates.items.get(each) for each in kept}
        return [item for item in listed if item.id not in opening | self.unplayable]


class RadioBuilder(PlaylistBuilder):
    """Builds a list without the vectors of tracks that were played `before`, their versions, and what clashes with one.

    Closeness to those that were `finished` counts a part.
    """

    command = "radio"

    def __init__(
        self,
        session: SearchSession,
        request: PlaylistRequest,
        before: Sequence[int],
        finished: Sequence[int],
        unplayable: Iterable[int],
    ) -> None:
        super().__init__(session, request, left_out=dict.fromkeys(unplayable, UNPLAYABLE))
        self.before, self.finished = before, finished

    def make_pool(self, result: SearchResult, seeds: Mapping[int, float], opening: Sequence[int]) -> TrackPool:
        pool = build_pool(self.candidates, result, seeds, [*self.before, *opening], is_together=False)
        ids = np.array([track.id for track in pool.tracks], np.int64)
        clashes = Clashes(pool.tracks, self.incompatible.restrict(self.rules, ids.tolist()))
        is_left_out = np.isin(ids, self.before)
        for place in np.flatnonzero(is_left_out).tolist():
            is_left_out |= clashes.of(place)
        rest = np.flatnonzero(~is_left_out | np.isin(ids, opening))
        vectors, closeness = pool.vectors[rest], pool.closeness[rest]
        if self.finished:
            typical = centroid(self.session.index.vectors(self.finished))
            closeness = (1 - FINISHED_WEIGHT) * closeness + FINISHED_WEIGHT * (vectors @ typical)
        return TrackPool([pool.tracks[place] for place in rest.tolist()], vectors, closeness.astype(np.float32))
