"""The same recording as people have it: other codecs, other cuts, other levels, other equalisers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft

from training.default_model.transcoding import Sound, encoded, mp3

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

SHIFT = 1.2  # seconds
LOWEST = 20.0  # Hz from which on an equaliser tilts


def wav(sound: Sound, path: Path) -> Path:
    """As it is, sample by sample."""
    return encoded(sound, path, "pcm_f32le", sound.rate)


def cut(sound: Sound, folder: Path) -> Path:
    """Without its first 1.2 s; each window begins a little elsewhere in the music, the last ones hardly."""
    return wav(Sound(sound.samples[:, shift(sound) :], sound.rate), folder / "cut.wav")


def moved(sound: Sound, folder: Path) -> Path:
    """Without its first 1.2 s, and with as much silence at its end, so that every window begins 1.2 s later."""
    samples = np.pad(sound.samples[:, shift(sound) :], ((0, 0), (0, shift(sound))))
    return wav(Sound(samples, sound.rate), folder / "moved.wav")


def shift(sound: Sound) -> int:
    return round(SHIFT * sound.rate)


def quieter(windows: Array, rate: int) -> Array:  # noqa: ARG001 - the same for any rate
    """6 dB less."""
    return (windows * 10 ** (-6 / 20)).astype(np.float32)


def tilted(windows: Array, rate: int, decibels: float) -> Array:
    """Windows (n, samples) through an equaliser that is a straight line over log frequency, clipped at ±1.

    From 20 Hz to half the rate the gain rises by `decibels`, or falls, and is 0 dB half way (630 Hz to 660 Hz).
    """
    count = windows.shape[1]
    length = scipy.fft.next_fast_len(count, real=True)
    pitch = np.log2(np.maximum(scipy.fft.rfftfreq(length, 1 / rate), LOWEST) / LOWEST)
    gain = 10 ** (decibels * (pitch / np.log2(rate / 2 / LOWEST) - 0.5) / 20)
    spectrum = scipy.fft.rfft(windows, length, axis=1) * gain.astype(np.float32)
    heard: Array = np.clip(scipy.fft.irfft(spectrum, length, axis=1)[:, :count], -1.0, 1.0).astype(np.float32)
    return heard


# Whole files are written where the file matters: an MP3 has a header, padding in front and frames to seek by, and a
# cut moves the windows. Gain and equaliser act on windows as they act on files.
FILES: Mapping[str, Callable[[Sound, Path], Path]] = {
    "MP3, 64 kbit/s": partial(mp3, bit_rate=64_000),
    "MP3, 128 kbit/s": partial(mp3, bit_rate=128_000),
    "first 1.2 s cut off": cut,
    "every window 1.2 s later": moved,
}
WINDOWS: Mapping[str, Callable[[Array, int], Array]] = {
    "6 dB quieter": quieter,
    "tilted by +6 dB (-3 to +3)": partial(tilted, decibels=6.0),
    "tilted by -6 dB (+3 to -3)": partial(tilted, decibels=-6.0),
    "tilted by +12 dB (-6 to +6)": partial(tilted, decibels=12.0),
    "tilted by -12 dB (+6 to -6)": partial(tilted, decibels=-12.0),
}
