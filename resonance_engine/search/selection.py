"""From ranked candidates to the list that is shown: rules, versions, caps, diversity, and why it is short if it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.search.diversity import mmr_order
from resonance_engine.search.ranking import GROWTH, Neighbour, first_size, pooled, sharpened, shown
from resonance_engine.search.versions import Versions, artist_name, named, of_one_length

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from resonance_engine.search.query import Query, Ranking
    from resonance_engine.search.ranking import CandidatePool
    from resonance_engine.search.versions import TrackMetadata

    Vectors = NDArray[np.float32]
    Describe = Callable[[Sequence[int]], Mapping[int, TrackMetadata]]
    Refuse = Callable[[Sequence[int]], Mapping[int, str]]
    Values = Callable[[Sequence[int]], Mapping[int, float]]

# Of all pairs of different tracks of a corpus of 381, one in ten thousand is nearer; a track and its copy at 128 kbit/s
# are at 0.99 on average. Lengths must agree too; where one is unknown, the sound must say it alone.
SAME_SOUND = 0.95
SAME_SOUND_ALONE = 0.98
FIRST_ROWS = 32
MOST_SEEDS = 4096  # that candidates are compared with by sound
SWING = 0.1  # the score that the largest value of a favoured field is ahead of the smallest by
ARTIST, ALBUM, VERSION, SOUND, SCORE, GONE = (
    "artist already listed often enough",
    "album already listed often enough",
    "version of another",
    "sounds the same as another",
    "score too low",
    "not in the library",
)


@dataclass(frozen=True)
class Rules:
    """What a list may hold: at most `per_artist` and `per_album` tracks of one (0 for any number), no `versions`.

    `favour` is how much a numeric field counts: at 1 the largest value in the library's part that is looked at is
    0.1 ahead of the smallest, at -1 behind it.
    """

    per_artist: int = 3
    per_album: int = 2
    versions: bool = False
    favour: float = 0.0

    def __post_init__(self) -> None:
        for name in ("per_artist", "per_album"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is a number of tracks, 0 for any number, not {getattr(self, name)}")
        if not -10.0 <= self.favour <= 10.0:
            raise ValueError(f"favour must lie between -10 and 10, not {self.favour}")


@dataclass(frozen=True)
class Selection:
    """The list, best first; how many candidates each rule turned down, by its name; whether nothing else was left."""

    hits: list[Neighbour]
    turned_down: Counter[str]
    exhausted: bool

    def why_short(self) -> str:
        """What turned how many tracks down, as a clause such as "12: version of another, 3: score too low"."""
        return ", ".join(f"{count:,}: {rule}" for rule, count in self.turned_down.most_common())


@dataclass(frozen=True, eq=False)
class SeedRecordings:
    """What the list starts from, to keep their versions out: `descriptions` and embeddings (s, d), in one order."""

    descriptions: Sequence[TrackMetadata] = ()
    vectors: Vectors = field(default_factory=lambda: np.empty((0, 0), np.float32))


def nothing(_: Sequence[int]) -> Mapping[int, str]:
    return {}


def select(
    asked: Query,
    ranking: Ranking,
    rules: Rules,
    describe: Describe,
    seeds: SeedRecordings | None = None,
    refuse: Refuse = nothing,
    values: Values | None = None,
) -> Selection:
    """The best `ranking.count` tracks for a query that the rules allow; see `filled`."""
    ready = sharpened(asked, ranking)
    return filled(lambda size: pooled(ready, ranking, size), ranking, rules, describe, seeds, refuse, values)


def filled(
    pool_of: Callable[[int], CandidatePool],
    ranking: Ranking,
    rules: Rules,
    describe: Describe,
    seeds: SeedRecordings | None = None,
    refuse: Refuse = nothing,
    values: Values | None = None,
) -> Selection:
    """The best `ranking.count` tracks that the rules allow; `pool_of` gives about so many ranked candidates.

    `describe` gives the descriptions of vector ids, without those that are gone from the library; `refuse` gives
    reasons for those that another rule turns down, such as a tempo; `values` the numeric field that `rules.favour` is
    about, by id where known. Each is asked about an id once. More candidates are fetched until the list is full or the
    index exhausted, or until most of what is fetched is below `min_score`.
    """
    seen = Known(describe, refuse, values)
    size = first_size(ranking)
    while True:
        pool = pool_of(size)
        seen.learn(pool.ids.tolist())
        listed, turned_down = chosen(pool, ranking, rules, seen, seeds or SeedRecordings())
        low = turned_down[SCORE] > len(pool.ids) / 2
        if pool.complete or low or len(listed) == ranking.count:
            hits = [Neighbour(int(pool.ids[i]), shown(pool.scores[i])) for i in listed]
            return Selection(hits, turned_down, pool.complete)
        size *= GROWTH


class Known:
    """What was found out about candidates, each once."""

    def __init__(self, describe: Describe, refuse: Refuse, values: Values | None) -> None:
        self._sources = (describe, refuse, values)
        self._asked: set[int] = set()
        self.descriptions: dict[int, TrackMetadata] = {}
        self.refusals: dict[int, str] = {}
        self.values: dict[int, float] = {}

    def learn(self, ids: list[int]) -> None:
        new = [each for each in ids if each not in self._asked]
        self._asked.update(new)
        describe, refuse, values = self._sources
        if new:
            self.descriptions.update(describe(new))
            self.refusals.update(refuse([each for each in new if each in self.descriptions]))
            self.values.update(values(new) if values else {})


def chosen(
    pool: CandidatePool, ranking: Ranking, rules: Rules, known: Known, seeds: SeedRecordings
) -> tuple[list[int], Counter[str]]:
    """Positions in the pool of what is listed, and how often each rule turned a better one down."""
    turned_down: Counter[str] = Counter()
    listing = Listing(pool, rules, known, seeds)
    low = pool.scores < (-np.inf if ranking.min_score is None else ranking.min_score)

    def admitted(position: int) -> bool:
        reason = SCORE if low[position] else listing.refusal(position)
        if reason:
            turned_down[reason] += 1
        else:
            listing.add(position)
        return not reason

    relevance = pool.scores + favoured(pool.ids.tolist(), known.values, rules.favour)
    return mmr_order(relevance, pool.vectors, ranking.count, ranking.diversity, admitted), turned_down


class Listing:
    """A list in the making, which knows what may join it."""

    def __init__(self, pool: CandidatePool, rules: Rules, known: Known, seeds: SeedRecordings) -> None:
        self._pool, self._rules, self._known = pool, rules, known
        self._ids: list[int] = pool.ids.tolist()
        self._artists: Counter[str] = Counter()
        self._albums: Counter[str] = Counter()
        self._versions = Versions()
        for each in seeds.descriptions:
            self._versions.add(each)
        self._heard: list[tuple[Vectors, TrackMetadata]] = []
        self._listed = np.empty((FIRST_ROWS, pool.vectors.shape[1]), np.float32)  # the vectors of `_heard`, and room
        self._seeds = list(zip(seeds.vectors[:MOST_SEEDS], seeds.descriptions, strict=False))
        nearest = seeds.vectors[:MOST_SEEDS]
        self._near_seeds = (
            pool.vectors @ nearest.T >= SAME_SOUND if len(nearest) else np.zeros((len(self._ids), 0), bool)
        )

    def refusal(self, position: int) -> str:
        """The rule that keeps a candidate out; empty where none does."""
        track = self._known.descriptions.get(self._ids[position])
        if track is None:
            return GONE
        if reason := self._known.refusals.get(self._ids[position], ""):
            return reason
        if not self._rules.versions:
            if track in self._versions:
                return VERSION
            if self._sounds_known(position, track):
                return SOUND
        if full(self._artists[artist_name(track.artist)], self._rules.per_artist, track.artist):
            return ARTIST
        if full(self._albums[named(track.album)], self._rules.per_album, track.album):
            return ALBUM
        return ""

    def add(self, position: int) -> None:
        track = self._known.descriptions[self._ids[position]]
        self._artists[artist_name(track.artist)] += 1
        self._albums[named(track.album)] += 1
        self._versions.add(track)
        if len(self._heard) == len(self._listed):
            self._listed = np.concatenate([self._listed, np.empty_like(self._listed)])
        self._listed[len(self._heard)] = self._pool.vectors[position]
        self._heard.append((self._pool.vectors[position], track))

    def _sounds_known(self, position: int, track: TrackMetadata) -> bool:
        vector = self._pool.vectors[position]
        near = self._listed[: len(self._heard)] @ vector >= SAME_SOUND
        others = [self._heard[place] for place in near.nonzero()[0]]
        others += [self._seeds[place] for place in self._near_seeds[position].nonzero()[0]]
        return any(same_sound(vector, track, *other) for other in others)


def same_sound(one: Vectors, track: TrackMetadata, other: Vectors, its: TrackMetadata) -> bool:
    """Whether two embeddings are near enough, and the lengths, to be one recording."""
    near = float(one @ other)
    if not (track.seconds and its.seconds):
        return near >= SAME_SOUND_ALONE
    return near >= SAME_SOUND and of_one_length(track, its)


def full(count: int, most: int, name: str) -> bool:
    return bool(name) and bool(most) and count >= most


def favoured(ids: Sequence[int], values: Mapping[int, float], strength: float) -> NDArray[np.float64]:
    """What a numeric field adds to the scores of candidates: by the rank of its value among theirs, none where unknown.

    Ranks, because a play count of 200 is not a hundred times as dear as one of 2.
    """
    if not strength:
        return np.zeros(len(ids))
    found = np.array([values.get(each, np.nan) for each in ids], np.float64)
    known = np.unique(found[~np.isnan(found)])
    if len(known) < 2:
        return np.zeros(len(ids))
    rank = np.interp(found, known, np.linspace(-0.5, 0.5, len(known)))
    return np.asarray(strength * SWING * np.nan_to_num(rank))
