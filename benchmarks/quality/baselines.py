"""Systems to compare with that are small: musly, bliss, statistics of MFCCs, and chance."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.quality.listening import ANALYSIS, DECODING, Heard, resampled, timed
from benchmarks.quality.similarity import closeness, compared, cosine
from resonance_engine.errors import AudioError
from resonance_engine.features.spec import Decoding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from benchmarks.quality.listening import Listening, Similarity

DEFAULT = Decoding()
RATE = 22050  # Hz that musly and most uses of MFCCs expect
COEFFICIENTS = 20


class Musly:
    """libmusly's `timbre`: one Gaussian of 25 MFCCs, Jensen-Shannon divergence, mutual proximity (Schnitzer 2011).

    It hears the four windows, one after the other, at its 22,050 Hz. Its music style is set from the pool's own
    tracks, all of them, as its manual has it for collections of up to a thousand.
    """

    name = "musly"

    def __init__(self) -> None:
        self.package: Any = import_module("pymusly")
        self.package.set_musly_loglevel(0)
        self.made_by = f"pymusly {metadata.version('pymusly')} timbre"
        self.jukebox = self.package.MuslyJukebox("timbre", "none")

    def hear(self, listening: Listening) -> Heard:
        windows, decoding = listening.windows(DEFAULT)

        def analysed() -> bytes:
            samples = resampled(windows, DEFAULT, RATE).ravel()
            return bytes(self.jukebox.serialize_track(self.jukebox.track_from_audiodata(samples)))

        track, analysis = timed(analysed)
        return Heard({"track": np.frombuffer(track, np.uint8)}, {DECODING: decoding, ANALYSIS: analysis})

    def rows(self) -> Mapping[str, Similarity]:
        return {"musly 2.0 `timbre`": self.similarity}

    def similarity(self, pool: Mapping[str, NDArray[np.generic]]) -> NDArray[np.float64]:
        """Negative distances as musly gives them, in a jukebox of the pool's tracks alone."""
        jukebox = self.package.MuslyJukebox("timbre", "none")
        tracks = [jukebox.deserialize_track(each.tobytes()) for each in pool["track"]]
        jukebox.set_style(tracks)
        known = list(zip(jukebox.add_tracks(tracks), tracks, strict=True))
        distances: NDArray[np.float64] = np.array([jukebox.compute_similarity(seed, known) for seed in known])
        return -distances


class Bliss:
    """bliss-rs: 23 numbers about tempo, timbre, loudness and chroma of the whole file, which it decodes itself."""

    name = "bliss"

    def __init__(self) -> None:
        self.package: Any = import_module("bliss_audio")
        self.made_by = f"bliss-audio {metadata.version('bliss-audio')}"

    def hear(self, listening: Listening) -> Heard:
        def analysed() -> list[float]:
            try:
                return list(self.package.Song(str(listening.path)).analysis)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # a panic in Rust is no Exception
                raise AudioError(
                    listening.path, f"bliss cannot analyse it ({type(error).__name__}: {error})"
                ) from error

        numbers, analysis = timed(analysed)
        return Heard({"numbers": np.array(numbers, np.float32)}, {ANALYSIS: analysis})

    def rows(self) -> Mapping[str, Similarity]:
        return {
            "bliss 0.2 (z-scored)": compared("numbers", closeness, z=True),
            "bliss 0.2 (raw)": compared("numbers", closeness),
        }


class Mfcc:
    """Mean and deviation of 20 MFCCs, and deviation of their deltas, over the frames of all windows."""

    name = "mfcc"

    def __init__(self) -> None:
        self.package: Any = import_module("librosa")
        self.made_by = f"librosa {metadata.version('librosa')}, 20 MFCCs"

    def hear(self, listening: Listening) -> Heard:
        windows, decoding = listening.windows(DEFAULT)
        numbers, analysis = timed(lambda: self.statistics(resampled(windows, DEFAULT, RATE)))
        return Heard({"numbers": numbers}, {DECODING: decoding, ANALYSIS: analysis})

    def statistics(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        feature = self.package.feature
        frames = [feature.mfcc(y=window, sr=RATE, n_mfcc=COEFFICIENTS) for window in windows]
        values, deltas = (np.concatenate(each, axis=1) for each in (frames, [feature.delta(x) for x in frames]))
        return np.concatenate([values.mean(axis=1), values.std(axis=1), deltas.std(axis=1)]).astype(np.float32)

    def rows(self) -> Mapping[str, Similarity]:
        return {"MFCC mean/std/delta (z-scored)": compared("numbers", closeness, z=True)}


@dataclass
class Lots:
    """Directions drawn by lot: what a system that hears nothing gets."""

    name: str = "random"
    made_by: str = "512 normal numbers, seeded by the track's place"

    def hear(self, listening: Listening) -> Heard:
        numbers = np.random.default_rng(listening.place).standard_normal(512)
        return Heard({"numbers": numbers.astype(np.float32)}, {})

    def rows(self) -> Mapping[str, Similarity]:
        return {"random": compared("numbers", cosine)}
