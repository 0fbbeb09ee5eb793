"""Select a list from ranked candidates: filters, versions, caps and diversity, with a count of each rejection."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from resonance_engine.names import normalise_artist, normalise_name
from resonance_engine.search.caps import Caps
from resonance_engine.search.diversity import mmr_order
from resonance_engine.search.query import query
from resonance_engine.search.ranking import rank_by_similarity, refine
from resonance_engine.search.versions import TrackMetadata, Versions, of_one_length

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from resonance_engine.search.query import NearestVectors, Ranking
    from resonance_engine.search.ranking import CandidatePool

    Vectors = NDArray[np.float32]
    Rank = Callable[[int], CandidatePool]

NO_CAPS = Caps()
GROWTH = 4  # of the pool of candidates, while the list is short
# Of all pairs of different tracks of a corpus of 381, one in ten thousand is nearer; a track and its copy at 128 kbit/s
# are at 0.99 on average. Lengths must agree too; where one is unknown, the sound alone must show it.
SAME_SOUND = 0.95
SAME_SOUND_ALONE = 0.98
MOST_SEEDS = 4096  # that candidates are compared with by sound
SWING = 0.1  # the score by which the largest value of a favoured field is ahead of the smallest
ARTIST, ALBUM, VERSION, SOUND, SCORE, GONE = (
    "artist already listed often enough",
    "album already listed often enough",
    "version of another",
    "sounds the same as another",
    "score too low",
    "not in the library",
)


class Neighbour(NamedTuple):
    """A track's vector id and its score: higher is closer, at most 1."""

    id: int
    score: float


class CandidateTrack(NamedTuple):
    """Metadata of a candidate, the reason why a filter rejects it (empty for none), and its favoured field (or NaN)."""

    track: TrackMetadata = TrackMetadata()
    rejection: str = ""
    value: float = math.nan


@dataclass(frozen=True)
class SelectionRules:
    """Rules of a list: its `caps`, and whether it may hold `versions` of seeds and of its own tracks.

    `favour` is how much a numeric field counts: at 1 the largest value among the candidates is 0.1 ahead of the
    smallest, at -1 behind it.
    """

    caps: Caps = NO_CAPS
    versions: bool = True
    favour: float = 0.0

    def __post_init__(self) -> None:
        if not -10.0 <= self.favour <= 10.0:
            raise ValueError(f"favour must lie between -10 and 10, not {self.favour}")


@dataclass(frozen=True)
class Selection:
    """The list, best first, with embeddings (n, d); candidates that each rule rejected; whether all were seen."""

    hits: list[Neighbour]
    vectors: Vectors
    rejected: Counter[str]
    exhausted: bool


@dataclass(frozen=True, eq=False)
class SeedRecordings:
    """What a list starts from, to reject its versions: metadata `tracks` and embeddings (s, d), in one order."""

    tracks: Sequence[TrackMetadata] = ()
    vectors: Vectors = field(default_factory=lambda: np.empty((0, 0), np.float32))

    def near(self, vectors: Vectors) -> dict[int, list[int]]:
        """Return the positions of candidates (n, d) that sound like seeds, with the places of these."""
        places: dict[int, list[int]] = {}
        if len(self.vectors):
            pairs = np.argwhere(vectors @ self.vectors[:MOST_SEEDS].T >= SAME_SOUND)
            for position, place in pairs.tolist():
                places.setdefault(position, []).append(place)
        return places


def find_neighbours(
    index: NearestVectors, seeds: Vectors, ranking: Ranking, exclude: Collection[int] = ()
) -> list[Neighbour]:
    """Return the tracks nearest to the seeds (n, d), best first, without `exclude` and by no other rules."""
    ready = refine(query(index, seeds, exclude), ranking)
    return select(partial(rank_by_similarity, ready, ranking), ranking).hits


def accept_all(ids: Iterable[int]) -> Mapping[int, CandidateTrack]:
    return dict.fromkeys(ids, CandidateTrack())


def select(
    rank: Rank,
    ranking: Ranking,
    rules: SelectionRules | None = None,
    load: Callable[[list[int]], Mapping[int, CandidateTrack]] = accept_all,
    seeds: SeedRecordings | None = None,
) -> Selection:
    """Select the best `ranking.count` tracks that the rules allow.

    `rank` returns about so many ranked candidates; `load` what is known of vector ids, without those that have left
    the library, and is called once for each id. More candidates are ranked until the list is full or the index
    exhausted, or until most of them are below `min_score`. Where caps that are not fixed leave the list short, they are
    relaxed step by step, over the same candidates.
    """
    rules, seeds = rules or SelectionRules(), seeds or SeedRecordings()
    pools: list[tuple[CandidatePool, dict[int, list[int]]]] = []
    known: dict[int, CandidateTrack | None] = {}
    for caps in chain((rules.caps,), rules.caps.relaxations(ranking.count)):
        for number in count():
            if number == len(pools):
                pool = rank(ranking.pool_size * GROWTH**number)
                pools.append((pool, {} if rules.versions else seeds.near(pool.vectors)))
                new = [each for each in pool.ids.tolist() if each not in known]
                known |= {**dict.fromkeys(new), **(load(new) if new else {})}
            pool, near = pools[number]
            listed = PartialList(pool, ranking.count, caps, None if rules.versions else seeds, near)
            rejected = listed.fill(ranking, [known[each] for each in pool.ids.tolist()], rules.favour)
            is_full = len(listed.positions) == ranking.count
            if is_full or pool.complete or rejected[SCORE] > len(pool.ids) / 2:
                break
        if is_full or not rejected[ARTIST] + rejected[ALBUM]:
            break
    hits = [Neighbour(int(pool.ids[place]), min(float(pool.scores[place]), 1.0)) for place in listed.positions]
    return Selection(hits, pool.vectors[listed.positions], rejected, pool.complete)


class PartialList:
    """A list that is filled from a pool: the `positions` of its tracks, and what decides whether another may join.

    Versions of `seeds` and of its own tracks are rejected, unless `seeds` is None; `near` are the places of seeds that
    candidates sound like, by position.
    """

    def __init__(
        self, pool: CandidatePool, size: int, caps: Caps, seeds: SeedRecordings | None, near: Mapping[int, list[int]]
    ) -> None:
        self.positions: list[int] = []
        self._pool, self._size, self._caps, self._seeds, self._near = pool, size, caps, seeds, near
        self._artists: Counter[str] = Counter()
        self._albums: Counter[str] = Counter()
        self._versions = Versions(seeds.tracks if seeds else ())
        self._tracks: list[TrackMetadata] = []
        self._vectors = np.empty((min(size, len(pool.ids)), pool.vectors.shape[1]), np.float32)

    def fill(self, ranking: Ranking, candidates: Sequence[CandidateTrack | None], favour: float) -> Counter[str]:
        """Add the best candidates that the rules allow, and count those that each rule rejected before."""
        pool, rejected = self._pool, Counter[str]()
        relevance = pool.scores
        if favour:
            relevance = relevance + favour_bonus([each.value if each else math.nan for each in candidates], favour)
        low = pool.scores < (-np.inf if ranking.min_score is None else ranking.min_score)
        order: Iterable[int] = np.argsort(-relevance, kind="stable").tolist()
        if diversity := ranking.diversity:
            order = mmr_order(relevance, pool.vectors, diversity, self.positions)
        for position in order:
            candidate = candidates[position]
            reason = SCORE if low[position] else GONE if candidate is None else self.add(position, candidate)
            if reason:
                rejected[reason] += 1
            elif len(self.positions) == self._size:
                break
        return rejected

    def add(self, position: int, candidate: CandidateTrack) -> str:
        """Add a candidate, or return the rule that rejects it."""
        track, caps = candidate.track, self._caps
        if candidate.rejection:
            return candidate.rejection
        if self._seeds is not None:
            if track in self._versions:
                return VERSION
            vector = self._pool.vectors[position]
            near = np.flatnonzero(self._vectors[: len(self.positions)] @ vector >= SAME_SOUND)
            if (len(near) or position in self._near) and self._is_same_sound(position, track, near):
                return SOUND
            self._vectors[len(self.positions)] = vector
        artist, album = normalise_artist(track.artist), normalise_name(track.album)
        if track.artist and 0 < caps.per_artist <= self._artists[artist]:
            return ARTIST
        if track.album and 0 < caps.per_album <= self._albums[album]:
            return ALBUM
        self._artists[artist] += 1
        self._albums[album] += 1
        self.positions.append(position)
        self._tracks.append(track)
        self._versions.add(track)
        return ""

    def _is_same_sound(self, position: int, track: TrackMetadata, near: Iterable[int]) -> bool:
        """Return whether one of the `near` listed tracks, or a near seed, is the same recording by its length, too."""
        assert self._seeds is not None, "versions are rejected"
        vector = self._pool.vectors[position]
        others = [(self._vectors[place], self._tracks[place]) for place in near]
        others += [(self._seeds.vectors[place], self._seeds.tracks[place]) for place in self._near.get(position, ())]
        return any(
            of_one_length(track, other)
            if track.seconds and other.seconds
            else float(vector @ sound) >= SAME_SOUND_ALONE
            for sound, other in others
        )


def favour_bonus(values: Sequence[float], strength: float) -> NDArray[np.float64]:
    """Return what a numeric field adds to the scores of candidates: by the rank of its value, 0 for NaN.

    By ranks, because a play count of 200 is not a hundred times as dear as one of 2.
    """
    numbers = np.array(values, np.float64)
    known = np.unique(numbers[~np.isnan(numbers)])
    if not strength or len(known) < 2:
        return np.zeros(len(numbers))
    rank = np.interp(numbers, known, np.linspace(-0.5, 0.5, len(known)))
    return np.asarray(strength * SWING * np.nan_to_num(rank))
