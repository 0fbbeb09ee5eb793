"""Made cases: 30 s of one track in another, as they are, transposed, slowed or under noise.

What is cut out and skipped keeps the other one's windows on their grid, so that only those with some of the passage
have to be computed.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import soxr

from resonance_engine.audio.decoding import open_audio
from resonance_engine.audio.dense import cut_windows, fit_window
from resonance_engine.audio.downmix import mix_to_mono
from resonance_engine.training.augmentation.audio_augment import resample, stretch, tilt_gains

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.passages.tracks import ComparedTrack
    from resonance_engine.encoder.encoder import Encoder
    from resonance_engine.features.spec import Decoding
    from resonance_engine.store import DenseWindows

    Samples = NDArray[np.float32]
    Vectors = NDArray[np.float32]
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


DISTORTIONS: dict[str, tuple[Distortion, ...]] = {
    "none": (lambda samples, *_: samples,),
    "1 semitone": (transpose(1), transpose(-1)),
    "2 semitones": (transpose(2), transpose(-2)),
    "5 % slower": (slow_down,),
    "noise, SNR 10 dB": (add_noise,),
}
"""What is done to a passage, by name; where that is one of several, the cases take them in turn."""


def read_samples(path: Path, rate: int) -> Samples:
    """Decode a whole file to mono at a rate."""
    with open_audio(path) as source:
        frames = list(source.frames())
        own = frames[0].sample_rate
        samples = np.concatenate([mix_to_mono(frame) for frame in frames if frame.sample_rate == own])
    return samples if own == rate else soxr.resample(samples, own, rate, quality="HQ").astype(np.float32)


def make_cases(
    number: int, tracks: Sequence[ComparedTrack], windows: Mapping[str, DenseWindows], root: Path, encoder: Encoder
) -> list[tuple[Case, Vectors]]:
    """Return one case of each distortion with the dense windows of its recording; `number` decides on all by chance.

    `tracks` are those of one half, `windows` theirs. Every other number of a half transposes down instead of up.
    """
    decoding, rng = encoder.manifest.spec.decoding, np.random.default_rng((7, number))
    rate, hop = decoding.rate, decoding.hop_seconds
    source = tracks[int(rng.integers(len(tracks)))]
    others = [track for track in tracks if track.soundtrack != source.soundtrack]
    host = others[int(rng.integers(len(others)))]
    samples, around = read_samples(root / source.path, rate), read_samples(root / host.path, rate)
    begin = float(rng.uniform(EDGE, len(samples) / rate - PASSAGE_SECONDS - EDGE))
    before = float(rng.uniform(*BEFORE))
    first = int(rng.uniform(0, max(1, (len(around) / rate - HOST_SECONDS) // hop)))
    around = around[int(first * hop * rate) : int((first * hop + HOST_SECONDS) * rate)]
    place = int(before * rate)
    cut = samples[int(begin * rate) : int((begin + PASSAGE_SECONDS) * rate)]
    cases: list[tuple[Case, Vectors]] = []
    for name, distortions in DISTORTIONS.items():
        passage = distortions[number // 2 % len(distortions)](cut, rate, rng)
        passage = passage / np.float32(max(1.0, float(np.abs(passage).max())))
        shift, skipped = divmod(len(passage), int(hop * rate))
        whole = np.concatenate([around[:place], passage, around[place + skipped :]])
        cuts = list(cut_windows([whole], decoding.samples, hop * rate))
        inside = (place / rate, (place + len(passage)) / rate)
        sources = [locate_window(hop * i, decoding, inside, first + i, shift) for i in range(len(cuts))]
        vectors = splice_windows(sources, windows[host.path].vectors, cuts, encoder)
        spans = ((begin, begin + PASSAGE_SECONDS), (before, before + len(passage) / rate))
        cases.append((Case(number, source.half, source.path, host.path, name, *spans), vectors))
    return cases


def locate_window(start: float, decoding: Decoding, inside: tuple[float, float], place: int, shift: int) -> int | None:
    """Return which window of the host a window of a made recording is, None for one with some of the passage.

    It begins at `start` seconds, the passage spans `inside`; `place` is its number in the host without a passage, which
    takes `shift` steps.
    """
    if start + decoding.seconds <= inside[0]:
        return place
    return place - shift if start >= inside[1] else None


def splice_windows(
    sources: Sequence[int | None], known: Vectors, windows: Sequence[Samples], encoder: Encoder
) -> Vectors:
    """Return embeddings of windows: those of the host (n, dimensions) by number, and those it lacks from samples."""
    fresh = [place for place, number in enumerate(sources) if number is None or number >= len(known)]
    vectors = np.empty((len(sources), encoder.manifest.dimensions), np.float32)
    decoding = encoder.manifest.spec.decoding
    vectors[fresh] = encoder.embed_windows(fit_window(windows[place], decoding.rate, decoding) for place in fresh)
    for place in set(range(len(sources))) - set(fresh):
        vectors[place] = known[sources[place]]
    return vectors
