"""Distortions of a recording as they occur in collections: codecs, cuts, levels, equalisers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft

from training.default_model.transcoding import StereoAudio, encode, encode_mp3

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

SHIFT = 1.2  # seconds
LOWEST = 20.0  # Hz from which on an equaliser tilts


def write_wav(sound: StereoAudio, path: Path) -> Path:
    """Write the recording unchanged, sample by sample."""
    return encode(sound, path, "pcm_f32le", sound.rate)


def cut_start(sound: StereoAudio, folder: Path) -> Path:
    """Cut off the first 1.2 s, which shifts each window by less than that, the last ones hardly."""
    return write_wav(StereoAudio(sound.samples[:, shift_samples(sound) :], sound.rate), folder / "cut.wav")


def delay_windows(sound: StereoAudio, folder: Path) -> Path:
    """Cut off the first 1.2 s and append as much silence, so that every window starts 1.2 s later."""
    samples = np.pad(sound.samples[:, shift_samples(sound) :], ((0, 0), (0, shift_samples(sound))))
    return write_wav(StereoAudio(samples, sound.rate), folder / "delayed.wav")


def shift_samples(sound: StereoAudio) -> int:
    return round(SHIFT * sound.rate)


def attenuate(windows: Array, rate: int) -> Array:  # noqa: ARG001 - the same for any rate
    """Attenuate by 6 dB."""
    return (windows * 10 ** (-6 / 20)).astype(np.float32)


def tilt(windows: Array, rate: int, decibels: float) -> Array:
    """Filter windows (n, samples) by an equaliser that is a straight line over log frequency, and clip at ±1.

    From 20 Hz to half the rate the gain rises by `decibels`, or falls, and is 0 dB half way (630 Hz to 660 Hz).
    """
    count = windows.shape[1]
    length = scipy.fft.next_fast_len(count, real=True)
    pitch = np.log2(np.maximum(scipy.fft.rfftfreq(length, 1 / rate), LOWEST) / LOWEST)
    gain = 10 ** (decibels * (pitch / np.log2(rate / 2 / LOWEST) - 0.5) / 20)
    spectrum = scipy.fft.rfft(windows, length, axis=1) * gain.astype(np.float32)
    filtered: Array = np.clip(scipy.fft.irfft(spectrum, length, axis=1)[:, :count], -1.0, 1.0).astype(np.float32)
    return filtered


# Whole files are written where the file matters: an MP3 has a header, padding in front and frames to seek by, and a
# cut moves the windows. Gain and equaliser act on windows as they act on files.
FILES: Mapping[str, Callable[[StereoAudio, Path], Path]] = {
    "MP3, 64 kbit/s": partial(encode_mp3, bit_rate=64_000),
    "MP3, 128 kbit/s": partial(encode_mp3, bit_rate=128_000),
    "first 1.2 s cut off": cut_start,
    "every window 1.2 s later": delay_windows,
}
WINDOWS: Mapping[str, Callable[[Array, int], Array]] = {
    "6 dB quieter": attenuate,
    "tilted by +6 dB (-3 to +3)": partial(tilt, decibels=6.0),
    "tilted by -6 dB (+3 to -3)": partial(tilt, decibels=-6.0),
    "tilted by +12 dB (-6 to +6)": partial(tilt, decibels=12.0),
    "tilted by -12 dB (+6 to -6)": partial(tilt, decibels=-12.0),
}
