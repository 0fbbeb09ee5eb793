"""Is a recording still itself when it comes in another guise?"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.quality.alterations import FILES, WINDOWS
from benchmarks.quality.listening import Heard
from benchmarks.quality.resonance import WHOLE
from resonance_engine.audio.windows import read_windows
from training.default_model.transcoding import decoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.quality.kept import Kept
    from benchmarks.quality.listening import Listening, Similarity
    from benchmarks.quality.resonance import Resonance
    from benchmarks.quality.scores import Tracks

ENOUGH = 0.98


class Altered:
    """Hears each track in every guise, with the same models as `resonance`; keeps one embedding (d,) a guise."""

    def __init__(self, resonance: Resonance) -> None:
        self.resonance = resonance
        self.name = f"{resonance.name}-altered"
        self.made_by = f"{resonance.made_by}: {', '.join([*FILES, *WINDOWS])}"

    def hear(self, listening: Listening) -> Heard:
        place = listening.place
        decoding = self.resonance.decoding(place)
        sound = decoded(listening.path)
        found = {}
        with tempfile.TemporaryDirectory() as folder:
            for name, written in FILES.items():
                windows = read_windows(written(sound, Path(folder)), decoding).windows
                found[name] = self.resonance.heard_again(windows, place)
        for name, altered in WINDOWS.items():
            windows = altered(listening.windows(decoding)[0], decoding.rate)
            found[name] = self.resonance.heard_again(windows, place)
        return Heard(dict(found), {})

    def rows(self) -> Mapping[str, Similarity]:
        return {}


def spread(tracks: Tracks, count: int) -> list[str]:
    """So many tracks, from all soundtracks in turns."""
    turns: dict[str, int] = {}
    ranked = []
    for path, soundtrack in zip(tracks.paths, tracks.soundtracks, strict=True):
        turns[soundtrack] = turns.get(soundtrack, -1) + 1
        ranked.append((turns[soundtrack], soundtrack, path))
    chosen = {path for *_, path in sorted(ranked)[:count]}
    return [path for path in tracks.paths if path in chosen]


@dataclass(frozen=True)
class Recognition:
    """How one guise fares: cosines to the original, and how often that is the first of all originals."""

    guise: str
    tracks: int
    mean: float
    first_percentile: float
    enough: float  # share of cosines of at least 0.98
    found: float


def recognitions(
    tracks: Tracks, originals: Kept, altered: Kept, pools: Sequence[NDArray[np.intp]]
) -> list[Recognition]:
    """For each guise, over all tracks that were altered; each is looked for among the originals of its pool."""
    cosines: dict[str, list[float]] = {}
    found: dict[str, list[bool]] = {}
    for places in pools:
        paths = [tracks.paths[place] for place in places]
        known, arrays = originals.pool(paths)
        own = {paths[place]: row for row, place in enumerate(known)}
        for path in paths:
            if path not in altered.heard or path not in own:
                continue
            for guise, vector in altered.heard[path].arrays.items():
                similarity = arrays[WHOLE].astype(np.float64) @ vector.astype(np.float64)
                cosines.setdefault(guise, []).append(float(similarity[own[path]]))
                found.setdefault(guise, []).append(int(similarity.argmax()) == own[path])
    return [
        Recognition(
            guise,
            len(values),
            float(np.mean(values)),
            float(np.quantile(values, 0.01)),
            float(np.mean(np.array(values) >= ENOUGH)),
            float(np.mean(found[guise])),
        )
        for guise, values in cosines.items()
    ]
