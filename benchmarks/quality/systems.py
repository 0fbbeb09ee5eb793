"""The systems under comparison, and audio that is decoded and analysed once for all of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import soxr

from resonance_engine.audio.windows import read_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from resonance_engine.features.front_end import FrontEnd
    from resonance_engine.features.spec import Decoding

    Array = NDArray[np.float32]
    Arrays = Mapping[str, NDArray[np.generic]]

Result = TypeVar("Result")
STEPS = DECODING, FEATURES, NETWORKS, ANALYSIS = "decoding", "features", "networks", "analysis"


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """Return the result of the work, and the CPU seconds that this process's threads spent on it."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


@dataclass
class TrackAudio:
    """A file that is decoded and analysed at most once for all systems; `place` is the track's number in the corpus.

    Each step's seconds are given to every system that needs it, as if that system had run alone.
    """

    place: int
    path: Path
    _windows: dict[Decoding, tuple[Array, float]] = field(default_factory=dict)
    _features: dict[str, tuple[dict[str, Array], float]] = field(default_factory=dict)

    def windows(self, decoding: Decoding) -> tuple[Array, float]:
        """Return mono windows (n, samples), and the seconds of decoding them; raises AudioError."""
        if decoding not in self._windows:
            self._windows[decoding] = timed(lambda: read_windows(self.path, decoding).windows)
        return self._windows[decoding]

    def features(self, front_end: FrontEnd) -> tuple[dict[str, Array], float]:
        """Return the front end's features of the windows, and their seconds without decoding."""
        spec = front_end.spec.to_json()
        if spec not in self._features:
            windows, _ = self.windows(front_end.spec.decoding)
            self._features[spec] = timed(lambda: front_end(windows))
        return self._features[spec]


def resample(windows: Array, decoding: Decoding, rate: int) -> Array:
    """Resample windows (n, samples) to another rate."""
    return np.stack([soxr.resample(window, decoding.rate, rate, quality="HQ") for window in windows])


@dataclass(frozen=True)
class SystemOutput:
    """A system's arrays for a track, of fixed shapes by name, and the CPU seconds of each step."""

    arrays: Arrays
    seconds: Mapping[str, float]


class System(Protocol):
    """A way to embed tracks, and to compare them."""

    name: str
    version: str  # cached results of any other version do not count

    def embed(self, audio: TrackAudio) -> SystemOutput: ...

    def similarities(self) -> Mapping[str, Similarity]:
        """Return the similarities to evaluate, by their labels in the table."""
        ...


class Similarity(Protocol):
    """From the arrays of a pool's tracks (n, ...) to similarities (n, n), higher being closer."""

    def __call__(self, pool: Arrays, /) -> NDArray[np.float64]: ...
