"""A file decoded once for all systems, and what each step of hearing it cost in seconds of one core."""

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

Made = TypeVar("Made")
STEPS = DECODING, FEATURES, NETWORKS, ANALYSIS = "decoding", "features", "networks", "analysis"


def timed(work: Callable[[], Made]) -> tuple[Made, float]:
    """What the work gives, and the seconds that this process's threads spent on it, all together."""
    began = time.process_time()
    made = work()
    return made, time.process_time() - began


@dataclass
class Listening:
    """One file, read and measured at most once however many systems ask.

    Every system's own path is timed as if it had been alone: each step's seconds are given to all that need it.
    """

    place: int
    path: Path
    decoded: dict[Decoding, tuple[Array, float]] = field(default_factory=dict)
    measured: dict[str, tuple[dict[str, Array], float]] = field(default_factory=dict)

    def windows(self, decoding: Decoding) -> tuple[Array, float]:
        """Mono windows (n, samples), and the seconds of decoding them; raises AudioError."""
        if decoding not in self.decoded:
            self.decoded[decoding] = timed(lambda: read_windows(self.path, decoding).windows)
        return self.decoded[decoding]

    def features(self, front_end: FrontEnd) -> tuple[dict[str, Array], float]:
        """The front end's features of the windows, and the seconds that they take beside decoding."""
        spec = front_end.spec.to_json()
        if spec not in self.measured:
            windows, _ = self.windows(front_end.spec.decoding)
            self.measured[spec] = timed(lambda: front_end(windows))
        return self.measured[spec]


def resampled(windows: Array, decoding: Decoding, rate: int) -> Array:
    """Windows (n, samples) at another rate."""
    return np.stack([soxr.resample(window, decoding.rate, rate, quality="HQ") for window in windows])


@dataclass(frozen=True)
class Heard:
    """What a system keeps of a track: arrays of fixed shapes by name, and the seconds of each step."""

    arrays: dict[str, NDArray[np.generic]]
    seconds: dict[str, float]


class System(Protocol):
    """Something that hears tracks and says which are alike."""

    name: str
    made_by: str  # what it is, to the version: kept results of anything else do not count

    def hear(self, listening: Listening) -> Heard: ...

    def rows(self) -> Mapping[str, Similarity]:
        """Ways to compare, by their names in the table."""
        ...


class Similarity(Protocol):
    """From the arrays of a pool's tracks (n, ...) to similarities (n, n), higher being closer."""

    def __call__(self, pool: Mapping[str, NDArray[np.generic]], /) -> NDArray[np.float64]: ...
