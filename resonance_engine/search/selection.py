"""Select a list from ranked candidates: filters, versions, caps and diversity, with a count of each rejection."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from resonance_engine.search.constraints import Caps
from resonance_engine.search.names import TrackMetadata, track_keys
from resonance_engine.search.ranking import query, rank_by_similarity, refine
from resonance_engine.search.same_sound import SAME_SOUND, Sound, is_same_sound, scale_threshold

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from resonance_engine.index.vector_index import VectorIndex
    from resonance_engine.search.ranking import CandidatePool, Ranking
    from resonance_engine.store.records import Windows

    Vectors = NDArray[np.float32]
    Rank = Callable[[int], CandidatePool]
    LoadWindows = Callable[[int], Windows | None]

NO_CAPS = Caps()
GROWTH = 4  # of the pool of candidates, while the list is short
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


def load_no_windows(_: int) -> Windows | None:
    """Return what is known of a recording's windows where no store has any."""
    return None


@dataclass(frozen=True)
class SelectionRules:
    """Rules of a list: its `caps`, and whether it may hold `versions` of seeds and of its own tracks.

    `favour` is how much a numeric field counts: at 1 the largest value among the candidates is 0.1 ahead of the
    smallest, at -1 behind it. `spread` is how far apart the library's tracks are, see `measure_spread`; `load_windows`
    returns the windows of the recording behind a vector id, None where they are not known.
    """

    caps: Caps = NO_CAPS
    versions: bool = True
    favour: float = 0.0
    spread: float = 1.0
    load_windows: LoadWindows = load_no_windows

    def __post_init__(self) -> None:
        for name, cap in (("per_artist", self.caps.per_artist), ("per_album", self.caps.per_album)):
            if cap < 0:
                raise ValueError(f"{name} is a number of tracks, 0 for any number, not {cap}")
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
    """What a list starts from, to reject its versions: metadata `tracks` and embeddings (s, d), in one order.

    `load_windows` returns the windows of the recording at a place of that order; None where they are not known.
    """

    tracks: Sequence[TrackMetadata] = ()
    vectors: Vectors = field(default_factory=lambda: np.empty((0, 0), np.float32))
    load_windows: LoadWindows = load_no_windows

    def sound(self, place: int) -> Sound:
        """Return what tells the recording at a place from others."""
        return Sound(self.tracks[place], self.vectors[place], partial(self.load_windows, place))


def find_neighbours(
    index: VectorIndex, seeds: Vectors, ranking: Ranking, exclude: Collection[int] = ()
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
    for caps in chain((rules.caps,), relax_caps(rules.caps, ranking.count)):
        for number in count():
            if number == len(pools):
                pool = rank(ranking.pool_size * GROWTH**number)
                pools.append((pool, {} if rules.versions else near_seeds(pool.vectors, seeds.vectors, rules.spread)))
                new = [each for each in pool.ids.tolist() if each not in known]
                known |= {**dict.fromkeys(new), **(load(new) if new else {})}
            pool, near = pools[number]
            candidates = [known[each] for each in pool.ids.tolist()]
            positions, rejected = fill_list(pool, candidates, near, ranking, rules, caps, seeds)
            is_full = len(positions) == ranking.count
            if is_full or pool.complete or rejected[SCORE] > len(pool.ids) / 2:
                break
        if is_full or not rejected[ARTIST] + rejected[ALBUM]:
            break
    hits = [Neighbour(int(pool.ids[place]), min(float(pool.scores[place]), 1.0)) for place in positions]
    return Selection(hits, pool.vectors[positions], rejected, pool.complete)


def relax_caps(caps: Caps, count: int) -> Iterator[Caps]:
    """Yield caps of which those that are not fixed are doubled again and again, at last without them.

    `count` is the length of the list. Yields nothing where no cap can be raised.
    """
    by_artist = caps.per_artist > 0 and "per_artist" not in caps.fixed
    by_album = caps.per_album > 0 and "per_album" not in caps.fixed
    factor = 1 if by_artist or by_album else 0
    while factor:
        factor = 2 * factor if factor < count else 0  # 0 lifts the caps, and is the last
        yield Caps(
            caps.per_artist * factor if by_artist else caps.per_artist,
            caps.per_album * factor if by_album else caps.per_album,
            caps.fixed,
        )


def near_seeds(vectors: Vectors, seeds: Vectors, spread: float) -> dict[int, list[int]]:
    """Return the positions of candidates (n, d) that sound like seeds (s, d), with the places of these."""
    places: dict[int, list[int]] = {}
    if len(seeds):
        threshold = scale_threshold(SAME_SOUND, spread)
        for position, place in np.argwhere(vectors @ seeds[:MOST_SEEDS].T >= threshold).tolist():
            places.setdefault(position, []).append(place)
    return places


def fill_list(
    pool: CandidatePool,
    candidates: Sequence[CandidateTrack | None],
    near: Mapping[int, list[int]],
    ranking: Ranking,
    rules: SelectionRules,
    caps: Caps,
    seeds: SeedRecordings,
) -> tuple[list[int], Counter[str]]:
    """Return the positions of the best candidates that the rules allow, and how many each rule rejected before.

    Instead of the caps of `rules`, `caps` hold; `near` are the places of seeds that candidates sound like, by position.
    """
    positions: list[int] = []
    sounds: list[Sound] = []
    vectors = np.empty((min(ranking.count, len(pool.ids)), pool.vectors.shape[1]), np.float32)
    rejected, artists, albums = Counter[str](), Counter[str](), Counter[str]()
    songs = set() if rules.versions else {key for track in seeds.tracks for key in track_keys(track).songs}
    same_sound = scale_threshold(SAME_SOUND, rules.spread)
    relevance = pool.scores
    if rules.favour:
        relevance = relevance + favour_bonus([each.value if each else math.nan for each in candidates], rules.favour)
    low = pool.scores < (-np.inf if ranking.min_score is None else ranking.min_score)
    order: Iterable[int] = np.argsort(-relevance, kind="stable").tolist()
    if ranking.rerank == "mmr" and ranking.lambda_div:
        order = mmr_order(relevance, pool.vectors, ranking.lambda_div, positions)
    for position in order:
        candidate = candidates[position]
        if low[position] or candidate is None:
            rejected[SCORE if low[position] else GONE] += 1
            continue
        track, reason, _ = candidate
        keys = track_keys(track)
        if not reason and not rules.versions and not songs.isdisjoint(keys.matches):
            reason = VERSION
        reason = reason or exceeded_cap(caps, artists.get(keys.artist, 0), albums.get(keys.album, 0))
        if not reason and not rules.versions:  # last, for it takes longer than all others
            vector = pool.vectors[position]
            sound = Sound(track, vector, partial(rules.load_windows, int(pool.ids[position])))
            close = (vectors[: len(positions)] @ vector >= same_sound).nonzero()[0].tolist()
            others = [sounds[place] for place in close] + [seeds.sound(place) for place in near.get(position, ())]
            if is_same_sound(sound, others, rules.spread):
                reason = SOUND
            else:
                vectors[len(positions)] = vector
                sounds.append(sound)
        if reason:
            rejected[reason] += 1
            continue
        artists[keys.artist] += bool(keys.artist)  # tracks of unknown artists are not of one
        albums[keys.album] += bool(keys.album)
        songs.update(keys.songs)
        positions.append(position)
        if len(positions) == ranking.count:
            break
    return positions, rejected


def exceeded_cap(caps: Caps, by_artist: int, on_album: int) -> str:
    """Return the rule that one track more would break, where a list has so many by its artist, on its album."""
    if 0 < caps.per_artist <= by_artist:
        return ARTIST
    return ALBUM if 0 < caps.per_album <= on_album else ""


def mmr_order(
    relevance: NDArray[np.floating], vectors: NDArray[np.float32], lambda_div: float, selected: Sequence[int]
) -> Iterator[int]:
    """Yield the positions of candidates, best first (Carbonell & Goldstein 1998), while the caller selects some.

    Greedy choice of the candidate d with the largest (1 - lambda_div) * relevance(d) - lambda_div * max sim(d, chosen);
    `lambda_div` is the weight of diversity: 0 ranks by relevance alone, 1 by difference alone. `relevance` (n,) and
    `vectors` (n, d) of length one belong to the candidates; ties go to the earlier one. A position that the caller has
    appended to `selected` before it takes the next one counts; another is passed over for good.
    """
    if not 0.0 <= lambda_div <= 1.0:
        raise ValueError(f"lambda_div is a share between 0 and 1, not {lambda_div}")
    gain = (1.0 - lambda_div) * relevance.astype(np.float64)
    left = np.ones(len(relevance), bool)
    closest = np.zeros(len(relevance), np.float32)
    counted = 0
    while left.any():
        best = int(np.argmax(np.where(left, gain - lambda_div * closest, -np.inf)))
        left[best] = False
        yield best
        if len(selected) > counted:
            similarity = vectors @ vectors[best]
            closest = np.maximum(closest, similarity) if counted else similarity
            counted = len(selected)


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
