"""Made cases: 30 s of one track in another, as they are, transposed, slowed or under noise."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import soxr

from resonance_engine.audio.decoding import open_audio
from resonance_engine.audio.dense import cut_windows
from resonance_engine.audio.downmix import mix_to_mono
from resonance_engine.training.augmentation.audio_augment import resample, stretch, tilt_gains

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.passages.tracks import ComparedTrack
    from resonance_engine.encoder.encoder import Encoder

    Samples = NDArray[np.float32]
    Distortion = Callable[[Samples, int, np.random.Generator], Samples]

PASSAGE_SECONDS = 30.0
HOST_SECONDS = 90.0
BEFORE = (25.0, 45.0)  # seconds of the host before the passage
EDGE = 2.0  # seconds at a track's beginning and end that no passage is taken from
NOISE_DB = 10.0
SLOWER = 0.95
PITCH_STEPS = 250  # see `audio_augment.PITCH_STEPS`


class Case(NamedTuple):
    """Where a passage was taken from, and where it lies in the made recording, begin and end in seconds."""

    number: int
    half: int
    source: str
    host: str
    distortion: str
    first: tuple[float, float]
    second: tuple[float, float]


def transpose(semitones: int) -> Distortion:
    """Return what changes the pitch and not the tempo."""
    ratio = Fraction(2 ** (semitones / 12)).limit_denominator(PITCH_STEPS)

    def change(samples: Samples, rate: int, _: np.random.Generator) -> Samples:
        return resample(stretch(samples, tilt_gains(rate, 0.0), 1 / float(ratio)), ratio)

    return change


def slow_down(samples: Samples, rate: int, _: np.random.Generator) -> Samples:
    """Play at 95 % of the tempo, and at the same pitch."""
    return stretch(samples, tilt_gains(rate, 0.0), SLOWER)


def add_noise(samples: Samples, _: int, rng: np.random.Generator) -> Samples:
    """Add white noise 10 dB below the passage's power."""
    level = 10 ** (-NOISE_DB / 20) * float(np.sqrt(np.mean(np.square(samples))))
    noisy: Samples = samples + np.float32(level) * rng.standard_normal(len(samples), np.float32)
    return noisy


DISTORTIONS: dict[str, Distortion] = {
    "none": lambda samples, *_: samples,
    "1 semitone up": transpose(1),
    "1 semitone down": transpose(-1),
    "2 semitones up": transpose(2),
    "2 semitones down": transpose(-2),
    "5 % slower": slow_down,
    "noise, SNR 10 dB": add_noise,
}


def read_samples(path: Path, rate: int) -> Samples:
    """Decode a whole file to mono at a rate."""
    with open_audio(path) as source:
        frames = list(source.frames())
        own = frames[0].sample_rate
        samples = np.concatenate([mix_to_mono(frame) for frame in frames if frame.sample_rate == own])
    return samples if own == rate else soxr.resample(samples, own, rate, quality="HQ").astype(np.float32)


def make_cases(
    number: int, tracks: Sequence[ComparedTrack], root: Path, encoder: Encoder
) -> list[tuple[Case, NDArray[np.float32]]]:
    """Return one case of each distortion with the dense windows of its recording; `number` decides on all by chance.

    `tracks` are those of one half. Windows before the passage are computed once for all.
    """
    decoding, rng = encoder.manifest.spec.decoding, np.random.default_rng((7, number))
    rate = decoding.rate
    source = tracks[int(rng.integers(len(tracks)))]
    others = [track for track in tracks if track.soundtrack != source.soundtrack]
    host = others[int(rng.integers(len(others)))]
    samples, around = read_samples(root / source.path, rate), read_samples(root / host.path, rate)
    begin = float(rng.uniform(EDGE, len(samples) / rate - PASSAGE_SECONDS - EDGE))
    before = float(rng.uniform(*BEFORE))
    start = int(rng.uniform(0, max(1, len(around) - HOST_SECONDS * rate)))
    around = around[start : start + int(HOST_SECONDS * rate)]
    place = int(before * rate)
    cut = samples[int(begin * rate) : int((begin + PASSAGE_SECONDS) * rate)]
    cases: list[tuple[Case, NDArray[np.float32]]] = []
    for name, distort in DISTORTIONS.items():
        passage = distort(cut, rate, rng)
        passage = passage / np.float32(max(1.0, float(np.abs(passage).max())))
        whole = np.concatenate([around[:place], passage, around[place:]])
        windows = list(cut_windows([whole], decoding.samples, decoding.hop_seconds * rate))
        known = cases[0][1] if cases else np.empty((0, encoder.manifest.dimensions), np.float32)
        same = min(len(known), 1 + max(-1, int((before - decoding.seconds) // decoding.hop_seconds)))
        vectors = np.concatenate([known[:same], encoder.embed_windows(windows[same:])])
        spans = ((begin, begin + PASSAGE_SECONDS), (before, before + len(passage) / rate))
        half = source.half
        cases.append((Case(number, half, source.path, host.path, name, *spans), vectors))
    return cases
