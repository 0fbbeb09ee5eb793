"""Tell whether two tracks are one recording: by embeddings, lengths, and how their windows differ from each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from resonance_engine.search.names import SECONDS_APART, TrackMetadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from resonance_engine.index.statistics import VectorMoments
    from resonance_engine.store.records import Windows

    Vectors = NDArray[np.float32]

# Of all pairs of different tracks of a corpus of 381, one in ten thousand is nearer; a track and its copy at 128 kbit/s
# are at 0.99 on average. Lengths must agree too; where one is unknown, the sound alone must show it. Two tracks there
# are at 0 on average. What lies between that and 1 is less where a library's are nearer, as with networks of other
# projects: by musicnn's pooled activations two tracks are at 0.93, and 28 % of the pairs above 0.95.
SAME_SOUND = 0.95
SAME_SOUND_ALONE = 0.98
# Rain is at 0.98 to other rain, pink noise at 0.996 to other pink noise. But no two windows are quite alike, and how
# they differ from each other is repeated by a copy alone: `window_agreement` is at most 0.52 of recordings of noise,
# at least 0.97 for their copies at 128 kbit/s and 0.92 for copies of music at 96. A single window shows no such thing,
# and has to be as near as where no length is known.
AGREEMENT = 0.7
LEAST_VARIATION = 0.02  # of windows, root mean square: below it they are one loop, whose copies only add noise
FEW = 20  # tracks of whose mean similarity half is believed


class Sound(NamedTuple):
    """What tells a recording from others: metadata, embedding (d,), and what loads its windows, None for unknown."""

    track: TrackMetadata
    vector: Vectors
    load_windows: Callable[[], Windows | None]


def measure_spread(moments: VectorMoments) -> float:
    """Return 1 less the mean similarity of two tracks of a library, of which few tracks say little."""
    return spread_of(moments.mean, moments.count)


def spread_of(mean: float, count: int) -> float:
    """Return the spread of a library of `count` tracks by the mean similarity of two."""
    return 1.0 - max(mean, 0.0) * count / (count + FEW)


def scale_threshold(cosine: float, spread: float) -> float:
    """Return the cosine that means in a library of that spread what `cosine` means where two tracks are at 0."""
    return 1 - (1 - cosine) * spread


def is_same_sound(sound: Sound, others: Iterable[Sound], spread: float) -> bool:
    """Return whether a track is the same recording as one of others whose embeddings are near to it."""
    return any(_is_same(sound, other, spread) for other in others)


def _is_same(one: Sound, other: Sound, spread: float) -> bool:
    if one.track.seconds and other.track.seconds:
        if abs(one.track.seconds - other.track.seconds) > SECONDS_APART:
            return False
    elif float(one.vector @ other.vector) < scale_threshold(SAME_SOUND_ALONE, spread):
        return False
    windows, others = one.load_windows(), other.load_windows()
    if windows is None or others is None:
        return True
    if min(len(windows.starts), len(others.starts)) < 2:
        return float(one.vector @ other.vector) >= scale_threshold(SAME_SOUND_ALONE, spread)
    agreement = window_agreement(windows, others)
    return agreement is None or agreement >= AGREEMENT


def window_agreement(one: Windows, other: Windows) -> float | None:
    """Return the correlation, -1 to 1, of how windows at the same places differ from the mean of their recording.

    Near 1 for a copy, whatever a codec does to all of its windows alike; near 0 for two recordings of one kind of
    noise.
    None where fewer than two windows are at the same place, or those of a recording do not differ.
    """
    if not one.starts or not other.starts:
        return None
    apart = np.abs(np.subtract.outer(one.starts, other.starts))
    rows, columns = np.arange(len(one.starts)), apart.argmin(axis=1)
    close = apart[rows, columns] <= SECONDS_APART
    if close.sum() < 2:
        return None
    mine, others = (vectors.astype(np.float64) for vectors in (one.vectors[close], other.vectors[columns[close]]))
    mine, others = mine - mine.mean(axis=0), others - others.mean(axis=0)
    variations = [float(np.sqrt((each**2).sum(axis=1).mean())) for each in (mine, others)]
    if min(variations) < LEAST_VARIATION:
        return None
    return float((mine * others).sum(axis=1).mean() / np.prod(variations))
