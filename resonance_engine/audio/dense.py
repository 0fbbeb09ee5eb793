"""Decode windows at equal distances over a whole recording, a few at a time."""

from __future__ import annotations

from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from resonance_engine.audio.decoding import open_audio
from resonance_engine.audio.downmix import mix_to_mono
from resonance_engine.audio.noise_reduction import reduce_noise
from resonance_engine.audio.spans import SILENCE
from resonance_engine.errors import AudioError
from resonance_engine.features.resampling import resample_by_soxr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from resonance_engine.features.spec import Decoding

    Samples = NDArray[np.float32]


def read_dense_windows(path: Path, decoding: Decoding) -> Iterator[Samples | None]:
    """Yield a recording's windows of `decoding.seconds`, one each `decoding.hop_seconds` from its beginning on.

    Each is float32 (samples,) at the decoding's rate, mono within ±1, or None where it is silent. The file is decoded
    once from the start, and no more than a window of it is held. What is left at the end is dropped.
    Raises AudioError for a file without sound, and for one that is shorter than a window.
    """
    count = 0
    with open_audio(path) as source:
        frames = source.frames()
        first = next(frames, None)
        if first is None:
            raise AudioError(path, "none of its audio can be decoded")
        rate = first.sample_rate
        chunks = (mix_to_mono(frame) for frame in chain([first], frames) if frame.sample_rate == rate)
        with closing(chunks):
            for window in cut_windows(chunks, rate * decoding.seconds, rate * decoding.hop_seconds):
                count += 1
                yield fit_window(window, rate, decoding)
    if not count:
        raise AudioError(path, f"it is shorter than {decoding.seconds:g} s, the length of a window")


def cut_windows(chunks: Iterable[Samples], length: float, hop: float) -> Iterator[Samples]:
    """Yield windows of round(length) samples that begin at sample round(i * hop) of joined chunks; the rest is dropped.

    Holds as many samples as one window and one chunk have.
    """
    size, count, origin = round(length), 0, 0  # origin: the first sample that is held
    held: list[Samples] = []
    ready = 0  # samples held
    for chunk in chunks:
        held.append(chunk)
        ready += len(chunk)
        while (start := round(count * hop)) + size <= origin + ready:
            samples = np.concatenate(held)
            yield samples[start - origin : start - origin + size]
            count += 1
            kept = max(0, round(count * hop) - origin)
            held = [samples[kept:]]
            origin, ready = origin + len(samples) - len(held[0]), len(held[0])


def fit_window(samples: Samples, rate: int, decoding: Decoding) -> Samples | None:
    """Resample a window to the decoding's rate and reduce white noise in it; None where it is silent."""
    samples = np.clip(np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)
    if float(np.abs(samples).max(initial=0.0)) <= SILENCE:
        return None
    if rate != decoding.rate:
        samples = np.clip(resample_by_soxr(samples, rate, decoding.rate), -1.0, 1.0)
    window = np.zeros(decoding.samples, np.float32)  # the resampler may round one sample off
    window[: len(samples)] = samples[: len(window)]
    return reduce_noise(window, decoding.rate)
