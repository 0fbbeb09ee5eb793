"""Attributes of a track that listeners know: tempo, key, loudness and brightness."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.features.filters import hann
from resonance_engine.features.spec import band_edges

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from resonance_engine.features.filters import Array
    from resonance_engine.features.spec import FeatureSpec, HarmonySpec, RhythmSpec, TimbreSpec

# Rises whenever the same windows give other attributes; stored beside them.
EXTRACTOR_VERSION = 2

# The highest frequency that counts as brightness, in Hz: models differ in what they decode above it.
BRIGHTEST = 10_500.0

# Loudness of digital silence, in dBFS.
SILENCE_DB = -100.0
# What is nowhere louder, in dBFS, is silence to a listener, whatever is in it: dither is at -91 and below, tape hiss at
# -65, a quiet recording of a clavichord at -50.
NEAR_SILENCE_DB = -60.0

# Tempi considered, and the log-normal prior over them: centre in BPM, deviation in octaves (Ellis 2007).
SLOWEST, FASTEST, STEPS = 40.0, 240.0, 1000
USUAL, SPREAD = 120.0, 1.0
# A score below this is no pulse; white noise has 0.00.
PULSE = 0.02

# The twelve tonics from C upwards, by the more usual of their names.
MAJOR_TONICS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MINOR_TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
# How well each pitch class fits a key on C (Krumhansl & Kessler 1982).
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
# A chroma whose weakest note has this share of the strongest has no key; white noise has 0.88.
FLAT = 0.85


@dataclass(frozen=True)
class Attributes:
    """Musical attributes of a track; None where the signal has nothing to estimate one from.

    Tempo in BPM (possibly half or twice of what one would tap), key such as "A minor", energy as RMS in dBFS
    (a full-scale square wave is 0, silence -100), brightness as the spectral centroid below 10.5 kHz in Hz.
    """

    tempo: float | None
    key: str | None
    energy: float
    brightness: float | None

    def to_dict(self) -> dict[str, float | str | None]:
        """Return the attributes by name, ready for JSON."""
        return asdict(self)


def analyse(spec: FeatureSpec, windows: Array, features: Mapping[str, Array]) -> Attributes:
    """Return the attributes of windows (n, samples), n >= 1, and of their features from a FrontEnd with `spec`.

    Raises ValueError without windows, or where `spec` lacks timbre, harmony or rhythm.
    """
    if spec.timbre is None or spec.harmony is None or spec.rhythm is None:
        raise ValueError("an analysis needs a spec with timbre, harmony and rhythm")
    if not len(windows):
        raise ValueError("an analysis needs at least one window")
    return Attributes(
        tempo=estimate_tempo(features["rhythm"].mean(axis=0), spec.rhythm),
        key=estimate_key(features["harmony"].mean(axis=(0, 2)), spec.harmony),
        energy=measure_energy(windows),
        brightness=measure_brightness(features["timbre"], spec.timbre),
    )


def estimate_tempo(envelope: Array, spec: RhythmSpec) -> float | None:
    """Estimate the tempo in BPM whose beats fall on the peaks of a tempo envelope (lags,); None without any pulse.

    A candidate's score is the sum of the envelope at all multiples of its period, relative to what the
    tempogram's Hann window lets through there and above the envelope's mean, times the prior.
    """
    grid = beat_grid(spec)
    observed = grid.sum_at_beats(envelope)
    chance = envelope[1:].sum() / grid.taper[1:].sum()
    score = observed / grid.possible - chance
    best = int(np.argmax(score * grid.prior))
    return float(grid.bpm[best]) if score[best] > PULSE else None


@dataclass(frozen=True, eq=False)
class BeatGrid:
    """The candidates of a tempo: `bpm` (n,), their `prior` (n,), and the multiples of their periods.

    `beats` are these multiples in hops, up to the last lag; `within` (lags - 1, n) are their places in a table of all.
    `taper` (lags,) is what the tempogram's Hann window lets through, `possible` (n,) its sum at a candidate's beats.
    """

    bpm: NDArray[np.float64]
    prior: NDArray[np.float64]
    within: NDArray[np.bool_]
    beats: NDArray[np.float64]
    taper: NDArray[np.float64]

    @cached_property
    def possible(self) -> NDArray[np.float64]:
        return np.maximum(self.sum_at_beats(self.taper), 1e-3)

    def sum_at_beats(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Sum values of lags (lags,) at the beats of each candidate (n,)."""
        table = np.zeros(self.within.shape)
        table[self.within] = np.interp(self.beats, np.arange(len(values)), values)
        total: NDArray[np.float64] = table.sum(axis=0)
        return total


@lru_cache(maxsize=8)
def beat_grid(spec: RhythmSpec) -> BeatGrid:
    window = hann(spec.lags)
    taper = np.correlate(window, window, "full")[spec.lags - 1 :] / np.square(window).sum()
    bpm = np.geomspace(SLOWEST, FASTEST, STEPS)
    period = 60 * spec.framing.rate / (spec.framing.hop * bpm)
    multiples = period * np.arange(1, spec.lags)[:, np.newaxis]
    within = multiples <= spec.lags - 1
    prior = np.exp(-0.5 * (np.log2(bpm / USUAL) / SPREAD) ** 2)
    return BeatGrid(bpm, prior, within, multiples[within], taper)


def estimate_key(chroma: Array, spec: HarmonySpec) -> str | None:
    """Estimate the major or minor key whose profile a mean chroma (bins,) correlates with best; None if it is flat."""
    semitone = np.arange(spec.bins) * 12 / spec.bins
    distance = (semitone[:, np.newaxis] - np.arange(12) + 6) % 12 - 6
    notes = chroma @ np.maximum(1 - np.abs(distance), 0)
    if notes.min() >= FLAT * notes.max():
        return None
    profiles = {
        f"{tonic} {mode}": np.roll(profile, place)
        for mode, tonics, profile in (("major", MAJOR_TONICS, MAJOR), ("minor", MINOR_TONICS, MINOR))
        for place, tonic in enumerate(tonics)
    }
    return max(profiles, key=lambda name: float(np.corrcoef(notes, profiles[name])[0, 1]))


def measure_energy(windows: Array) -> float:
    """Return the RMS of the samples in dBFS, at least -100."""
    mean_square = np.square(windows, dtype=np.float64).mean()
    return float(10 * np.log10(max(mean_square, 10 ** (SILENCE_DB / 10))))


def measure_brightness(log_mel: Array, spec: TimbreSpec) -> float | None:
    """Return the spectral centroid below 10.5 kHz in Hz, by magnitude; None in silence.

    `log_mel` are spectrograms (n, bands, frames) in dB.
    """
    edges = band_edges(spec.framing.rate, spec.framing.n_mels)
    edges = edges[: np.searchsorted(edges[2:], BRIGHTEST, "right") + 2]
    log_mel = log_mel[:, : len(edges) - 2]
    audible = np.where(log_mel > SILENCE_DB + 1, 10 ** (log_mel / 20), 0)
    # Mel filters have equal area: times its width, a band's magnitude is that of all its frequencies.
    magnitude = audible.sum(axis=(0, 2), dtype=np.float64) * (edges[2:] - edges[:-2])
    total = magnitude.sum()
    return float(edges[1:-1] @ magnitude / total) if total > 0 else None
